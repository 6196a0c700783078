"""
Jobs that are given as source.
"""

from __future__ import annotations

import linecache
import sys
import traceback
from typing import Any

import pytest
from hypothesis import given, strategies as st

from txremote.work import python_source as module
from txremote.work.python_source import prepared, run_source, title_of


def run(text: str, **variables: Any) -> Any:
    return run_source(prepared(text), **variables)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2", 3),
        ("  1 + 2  ", 3),
        ("\n    1 + 2\n    ", 3),
        ("x * 2", 8),
        ("x = 5", None),
        ("pass", None),
        ("", None),
        ("# nothing", None),
        ("None", None),
        ("[]", []),
        ("()", ()),
        ("''", ""),
        ("_return(1+2)", 3),
        ("_return(None)", None),
        ("_return([])", []),
        ("_return(())", ()),
        ("_return()", None),
        ("_return(1, 2)", [1, 2]),
        ("_return(1); _return(2)", [1, 2]),
        ("_return([1]); _return([2])", [[1], [2]]),
        ("_return(None); _return(None)", [None, None]),
        ("for i in range(x):\n    _return(i)", [0, 1, 2, 3]),
        ("(_return(5), 6)[1]", 5),
        ("def f():\n    return x + y\ny = 1\n_return(f())", 5),
        ("[x for _ in range(2)]", [4, 4]),
        ("_return([x + i for i in range(2)])", [4, 5]),
        ("import math\n_return(math.floor(x / 3))", 1),
        ("_return(__name__)", "__run_async__"),
        ("text = '''\n    kept\n'''\n_return(text)", "\n    kept\n"),
        pytest.param(
            "x: 'undefined_name' = 1\n_return(__annotations__)",
            {"x": "undefined_name"},
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 14), reason="a module's annotations are made later"
            ),
        ),
    ],
)
def test_what_a_source_gives(text: str, result: Any) -> None:
    """Its value if it is an expression, else what it returned: nothing, one thing, a list."""
    found = run(text, x=4)
    assert found == result
    assert type(found) is type(result)


def test_the_seed_s_source() -> None:
    """Indented as a triple-quoted string is."""
    source = """
    from time import sleep
    sleep(0) # sleep five secs
    val = testvar + 5
    _return(val)
    _return(val + 5)
    """
    assert run(source, testvar=3) == [8, 13]


def test_it_is_run_once() -> None:
    """An expression that fails is not run again as statements, as Evennia's was."""
    ran: list[int] = []
    with pytest.raises(ZeroDivisionError):
        run("(ran.append(1), 1 / 0)", ran=ran)
    with pytest.raises(SyntaxError):  # of what runs, not of what it is written in
        run("(ran.append(2), compile('1+', '', 'eval'))", ran=ran)
    assert ran == [1, 2]


def test_any_name_may_be_a_variable() -> None:
    """The names of our own parameters too."""
    assert run("source + variables", source=1, variables=2) == 3


def test_variables_of_one_source_are_not_those_of_the_next() -> None:
    """Each has a namespace of its own."""
    run("leak = 5")
    with pytest.raises(NameError):
        run("leak")


@pytest.mark.parametrize("text", ["1 +", "x = = 2", "return 5", "if x:\npass", "  a = 1\n b = 2"])
def test_what_is_no_python(text: str) -> None:
    """It is a SyntaxError before anything runs, with nothing of our first attempt in it."""
    with pytest.raises(SyntaxError) as caught:
        prepared(text)
    assert caught.value.__context__ is None


def test_a_traceback_shows_the_source() -> None:
    """With the line that failed."""
    with pytest.raises(ZeroDivisionError) as caught:
        run("a = 0\nb = 1 / a  # here")
    text = "".join(traceback.format_exception(caught.value))
    assert "line 2, in <module>\n    b = 1 / a  # here" in text


def test_lines_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs many sources keeps the lines of the last ones."""
    monkeypatch.setattr(module, "_MOST_KEPT", 5)
    for number in range(20):
        assert run(f"{number}") == number
    kept = [name for name in linecache.cache if name.startswith("<run_async ")]
    assert len(kept) == 5
    assert linecache.getline(kept[-1], 1) == "19"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("1 + 2", "the source '1 + 2'"),
        ("\n    a = 1\n    b = 2\n", "the source 'a = 1' ..."),
        ("x" * 50, f"the source '{'x' * 37}...'"),
        ("", "the source ''"),
    ],
)
def test_titles(text: str, title: str) -> None:
    """In the log a source is called by its first line."""
    assert title_of(text) == title


@given(st.lists(st.one_of(st.none(), st.integers(), st.lists(st.none(), max_size=2)), max_size=4))
def test_any_values_returned(values: list[Any]) -> None:
    """None for none, the value for one, the list for more: whatever the values are."""
    expected = {0: None, 1: values[0] if values else None}.get(len(values), values)
    assert run("for value in values:\n    _return(value)", values=values) == expected
