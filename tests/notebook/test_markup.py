"""Texts of peers, as HTML and as plain text."""

import re

import pytest

from txremote.notebook.markup import LONGEST, escaped, in_short, preformatted, printable, table
from txremote.wire.record import Record


class Troubled:
    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b onload='x'>&", "&lt;b onload=&#x27;x&#x27;&gt;&amp;"),
        ("$x$", "<span>$</span>x<span>$</span>"),
        (r"\(x\)", r"<span>\</span>(x<span>\</span>)"),
        ("\x1b[31m\u202e", r"<span>\</span>x1b[31m<span>\</span>u202e"),
        ("a\nb\t\xe9\u4e2d", "a\nb\t\xe9\u4e2d"),
    ],
)
def test_no_text_is_a_tag_a_formula_or_a_control_sequence(text, shown):
    """Each is shown as it is written."""
    assert escaped(text) == shown


def test_tables_and_lines_have_nothing_of_a_text_s_own():
    """All parts of them go through it."""
    evil = "<i>$"
    html = table([evil], [[evil]], evil) + preformatted([evil])
    assert html.count("&lt;i&gt;<span>$</span>") == 4
    assert not re.search(r"<i>", html)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", "text"),
        ("x" * 300, "x" * (LONGEST - 3) + "..."),
        (1.5, "1.5"),
        (None, "None"),
        ([1, "a"], "[1, 'a']"),
        (list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"),
        (Record("Item", name="tea", more=Record("Tag")), "Item(name='tea', more=Tag())"),
        ({n: n for n in range(20)}, "{" + "".join([f"{n}: {n}, " for n in range(10)]) + "...}"),
        ({"a"}, "{'a'}"),
        (Troubled(), "<Troubled: RuntimeError>"),
    ],
)
def test_a_value_is_one_short_line(value, shown):
    """A text as it is, all else by a bounded repr; nothing raises."""
    assert in_short(value) == shown


def test_values_are_bounded_however_large_and_deep_they_are():
    """No more is looked at than is shown."""
    deep: list = []
    for _ in range(50):
        deep = [deep] * 20
    for value in (deep, 10**100_000, Record("R", **{f"f{n}": "y" * 10**6 for n in range(50)})):
        assert len(in_short(value)) <= LONGEST


def test_printable_text_is_left_alone():
    """It is the same object."""
    text = "as it is"
    assert printable(text) is text
