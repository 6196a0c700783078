"""The names and statements that a limited source may have, and the sentences for all else."""

from __future__ import annotations

from typing import Any

import pytest

from txremote.work.limited.policy import Refused, compiled, environment, not_there


def run(source: str, **names: object) -> tuple[list[Any], list[str]]:
    """Run a source here; return what it gave to _return, and what it printed."""
    returned: list[Any] = []
    printed: list[str] = []
    space = environment(
        names,
        lambda *values: printed.append(" ".join(map(str, values))),
        lambda *values: returned.extend(values),
    )
    value = eval(compiled(source), space)
    return returned or [value], printed


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = (", "line 1: '\\(' was never closed"),
        ("import os", "Line 1: import: a source has the names that it was given"),
        ("from os import path", "Line 1: import"),
        ("class A: pass", "Line 1: class: use functions and dicts"),
        ("x: int = 1", "an annotation of a variable: write x = 1"),
        ("def f():\n  x = 1\n  def g():\n    nonlocal x", "Line 4: nonlocal"),
        ("match 1:\n  case 1: pass", "match: use if and elif"),
        ("async def f(): pass", "async: functions that were given"),
        ("try: pass\nexcept* ValueError: pass", r"except\*: use except"),
        (
            "d = {}\nd['a'] += 2",
            r"Line 2: an item is not .* write d\['a'\] = d\['a'\] \+ 2",
        ),
        ("eval('1')", "Eval calls are not allowed"),
        ("_x = 1", '"_x" is an invalid variable name'),
        ("''.__class__", '"__class__" is an invalid attribute name'),
        ("_return = 1", '"_return" is an invalid variable name'),
        ("printed", "the text is with the result"),
        ("'\0'", "null bytes|null byte"),
    ],
)
def test_what_is_refused_says_so_before_anything_runs(source: str, text: str) -> None:
    """In a sentence with the line, and with another way where there is one."""
    with pytest.raises(Refused, match=text):
        compiled(source)


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("open('a')", NameError, "'open' is not defined"),
        ("type(1)", NameError, "'type' is not defined"),
        ("'{}'.format(1)", NotImplementedError, "format"),
        ("'a'.nothing", AttributeError, "a str has no attribute nothing"),
        ("math.pi = 3", TypeError, "changes lists and dicts, and not a SimpleNamespace"),
        ("def f(): pass\nf.x = 1", TypeError, "not a function"),
        ("(1, 2)[0] = 3", TypeError, "not a tuple"),
    ],
)
def test_what_is_not_there_is_an_error_when_it_runs(
    source: str, kind: type[Exception], text: str
) -> None:
    """As any name that nobody has defined."""
    with pytest.raises(kind, match=text):
        run(source)


def test_names_that_python_has_and_a_source_has_not() -> None:
    """So that a NameError can say which it is."""
    assert [name for name in ("open", "type", "print", "len", "nothing") if not_there(name)] == [
        "open",
        "type",
    ]


def test_what_is_allowed() -> None:
    """The Python of small jobs: loops, functions, comprehensions, unpacking, items, f-strings."""
    source = """
def mean(*numbers, scale=1):
    total = 0
    for number in numbers:
        total += number
    return total / len(numbers) * scale

bag = {"a": [1, 2]}
bag["b"] = [3]
del bag["a"][0]
pairs = [(key, value) for key, value in sorted(bag.items())]
(first, second), *rest = [(1, 2), 3, 4]
try:
    pairs[9]
except IndexError as error:
    print("caught", error)
_return(mean(*[1, 2, 3], **{"scale": 2}), pairs, rest, f"{second:03}", hp)
_return([*zip("ab", range(2))], any([0, 1]), re.sub("a", "b", "aa", 1), math.floor(2.5))
"""
    returned, printed = run(source, hp=7)
    assert returned == [
        *(4.0, [("a", [2]), ("b", [3])], [3, 4], "002", 7),
        *([("a", 0), ("b", 1)], True, "ba", 2),
    ]
    assert printed == ["caught list index out of range"]
    assert run("1 + 1") == ([2], [])
