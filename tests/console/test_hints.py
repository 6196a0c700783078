"""
Arguments with type hints: a word becomes what the hint says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import plac
import pytest

from txremote.console.hints import boolean
from txremote.console.parsing import parse_call
from txremote.errors import UsageError


class Colour(Enum):
    RED = "red"


def called(function: Callable[..., Any], *words: str) -> Any:
    """
    Return what a function gives for the words of a command line.
    """
    return parse_call(function, words, "command")()


# What the commands below are made of. They are compiled, since the annotations of
# this module are texts.
NAMES = {each.__name__: each for each in (date, datetime, Decimal, Path, Colour)}
NAMES |= {"Annotated": Annotated, "Literal": Literal, "Any": Any, "Callable": Callable}
SOURCE = "def command({}): return tuple(locals().values())"


def _made(source: str) -> Callable[..., Any]:
    names: dict[str, Any] = {**NAMES}
    exec(compile(source, "commands", "exec", dont_inherit=True), names)  # it is ours
    command: Callable[..., Any] = names["command"]
    return command


def now(parameters: str) -> Callable[..., Any]:
    """
    Return a command with these parameters, that returns its arguments.
    """
    return _made(SOURCE.format(parameters))


def later(parameters: str) -> Callable[..., Any]:
    """
    Return the same with annotations that are texts.
    """
    return _made("from __future__ import annotations\n" + SOURCE.format(parameters))


@pytest.mark.parametrize("make", [now, later])
@pytest.mark.parametrize(
    ("parameters", "words", "expected"),
    [
        ("n: int", ["3"], (3,)),
        ("n: int = 5", [], (5,)),
        ("n: int = 5", ["3"], (3,)),
        ("n: int | None = None", ["3"], (3,)),
        ("n: int | None = None", [], (None,)),
        ("n: int | str", ["3"], ("3",)),
        ("x: float", ["1.5"], (1.5,)),
        ("s: str", ["x"], ("x",)),
        ("path: Path", ["/tmp"], (Path("/tmp"),)),
        ("price: Decimal", ["1.10"], (Decimal("1.10"),)),
        ("day: date", ["2026-11-21"], (date(2026, 11, 21),)),
        ("day: datetime", ["2026-11-21 10-00-00"], (datetime(2026, 11, 21, 10),)),
        ("colour: Colour", ["red"], (Colour.RED,)),
        ("mode: Literal['a', 'b']", ["b"], ("b",)),
        ("level: Literal[1, 2] = 1", ["2"], (2,)),
        ("n: Annotated[int, 'how many']", ["3"], (3,)),
        ("on: bool", ["yes"], (True,)),
        ("on: bool = True", ["off"], (False,)),
        ("quiet: bool = False", [], (False,)),
        ("quiet: bool = False", ["-q"], (True,)),
        ("quiet: bool = False", ["--quiet"], (True,)),
        ("quiet: bool = False, quick: bool = False", ["-q", "-quick"], (True, True)),
        ("hot: bool = False", ["-hot"], (True,)),
        ("*numbers: int", ["1", "2"], ((1, 2),)),
        ("names: list[str]", ["a"], ("a",)),
        ("what: Any", ["a"], ("a",)),
        ("what: object", ["a"], ("a",)),
        ("call: Callable[..., int] = None", ["a"], ("a",)),
        ("plain", ["3"], ("3",)),
        ("plain=7", ["3"], (3,)),
        ("n: ('how many', 'positional', None, int)", ["3"], (3,)),
        ("n: ('how many', 'option', 'n', int)", ["-n", "3"], (3,)),
        ("n: 'how many'", ["3"], ("3",)),
        ("n: 'list'", ["3"], ("3",)),
    ],
)
def test_what_a_word_becomes(
    make: Callable[[str], Any], parameters: str, words: list[str], expected: tuple[Any, ...]
) -> None:
    """Converted as the hint says, plac's own annotations as plac says; texts or not."""
    assert called(make(parameters), *words) == expected


@pytest.mark.parametrize(
    ("parameters", "word", "sentence"),
    [
        ("n: int", "x", "invalid int value: 'x'"),
        ("mode: Literal['a', 'b']", "c", "invalid choice: 'c'"),
        ("on: bool", "perhaps", "invalid boolean value: 'perhaps'"),
        ("colour: Colour", "blue", "invalid Colour value: 'blue'"),
    ],
)
def test_a_word_that_cannot_become_that(parameters: str, word: str, sentence: str) -> None:
    """It is a usage error, in argparse's words."""
    with pytest.raises(UsageError, match=sentence):
        called(now(parameters), word)


def test_a_help_in_a_hint() -> None:
    """What is annotated as text is the help."""
    call = now("n: Annotated[int, 'how many lines']")
    with pytest.raises(Exception, match="how many lines"):
        called(call, "-h")


def test_a_hint_that_cannot_be_looked_up_is_none() -> None:
    """A name that is imported for types only says nothing of the word."""
    assert called(later("n: NobodyKnows"), "3") == ("3",)


def test_plac_s_decorator_in_a_module_of_texts() -> None:
    """Its help is not taken for code."""

    @plac.annotations(n=("help", "positional", None, int), s="str", t="a + b")
    def command(n: Any, s: Any, t: Any) -> Any:
        return n, s, t

    assert called(command, "3", "x", "y") == (3, "x", "y")


def test_hints_of_a_constructor_and_of_a_method() -> None:
    """They are hints as well."""

    class Importer:
        def __init__(self, port: int) -> None:
            self.port = port

        def method(self, n: int) -> int:
            return n

        def __call__(self, n: int) -> int:
            return n

    importer = called(Importer, "80")
    assert importer.port == 80
    assert called(importer.method, "3") == 3
    assert called(importer, "4") == 4


def test_the_function_is_left_as_it_is() -> None:
    """Its annotations are its own."""
    command = now("n: int")
    called(command, "3")
    assert command.__annotations__ == {"n": int}


def test_boolean() -> None:
    """A word for yes or no."""
    assert boolean("Yes") is boolean("1") is True
    assert boolean("OFF") is boolean("n") is False
    with pytest.raises(ValueError, match="perhaps"):
        boolean("perhaps")
