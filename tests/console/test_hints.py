"""
Arguments with type hints: a word becomes what the hint says.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin
from uuid import UUID

import plac
import plac_core
import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import examples
from txremote.console.hints import argspec_of, boolean
from txremote.console.parsing import parse_call
from txremote.errors import UsageError


class Colour(Enum):
    RED = "red"
    GREEN = 2


class Level(IntEnum):
    LOW = 1


class Rights(Flag):
    READ = 1
    WRITE = 2


UserId = NewType("UserId", int)


def called(function: Callable[..., Any], *words: str) -> Any:
    """Return what a function gives for the words of a command line."""
    return parse_call(function, words, "command")()


# What the commands below are made of. They are compiled, since the annotations of
# this module are texts.
NAMES = {each.__name__: each for each in (date, datetime, time, Decimal, Fraction, Path, Colour)}
NAMES |= {"Annotated": Annotated, "Literal": Literal, "Any": Any, "Callable": Callable}
NAMES |= {"Level": Level, "Rights": Rights, "UserId": UserId, "IPv4Address": IPv4Address}
NAMES |= {"Sequence": Sequence, "Mapping": Mapping, "Union": Union}
SOURCE = "def command({}): return tuple(locals().values())"


def _made(source: str) -> Callable[..., Any]:
    names: dict[str, Any] = {**NAMES}
    exec(compile(source, "commands", "exec", dont_inherit=True), names)  # it is ours
    command: Callable[..., Any] = names["command"]
    return command


def now(parameters: str) -> Callable[..., Any]:
    """Return a command with these parameters, that returns its arguments."""
    return _made(SOURCE.format(parameters))


def later(parameters: str) -> Callable[..., Any]:
    """Return the same with annotations that are texts."""
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
        ("names: list[str]", ["a"], (["a"],)),
        ("colour: Colour", ["RED"], (Colour.RED,)),
        ("colour=Colour.RED", ["GREEN"], (Colour.GREEN,)),
        ("colour: Colour", ["2"], (Colour.GREEN,)),
        ("level: Level", ["LOW"], (Level.LOW,)),
        ("level: Level", ["1"], (Level.LOW,)),
        ("rights: Rights", ["READ|WRITE"], (Rights.READ | Rights.WRITE,)),
        ("b: bool = True", ["False"], (False,)),
        ("b=True", ["False"], (False,)),
        ("b=False", ["False"], (False,)),
        ("b=False", ["yes"], (True,)),
        ("b: 'help' = True", ["no"], (False,)),
        ("b: ('help', 'option', 'b') = True", ["-b", "no"], (False,)),
        ("b: bool | None = None", ["no"], (False,)),
        ("m: list[int] = ()", ["12"], ([12],)),
        ("m: list[int] = ()", [], ((),)),
        ("m: tuple[int, ...] = ()", ["12"], ((12,),)),
        ("m: tuple[int]", ["12"], ((12,),)),
        ("m: set[str]", ["ab"], ({"ab"},)),
        ("m: frozenset[Colour]", ["RED"], (frozenset({Colour.RED}),)),
        ("m: list", ["12"], (["12"],)),
        ("m: Sequence[int]", ["12"], ([12],)),
        ("m: list[int] | None = None", ["12"], ([12],)),
        ("m=()", ["12"], (("12",),)),
        ("m=(1, 2)", ["12"], ((12,),)),
        ("m=[True]", ["no"], ([False],)),
        ("*m: list[int]", ["1", "2"], (([1], [2]),)),
        ("n: Union[int, float]", ["1.5"], (1.5,)),
        ("n: int | float", ["1"], (1,)),
        ("n: Literal['auto'] | int", ["auto"], ("auto",)),
        ("n: Literal['auto'] | int", ["4"], (4,)),
        ("mode: Literal['a', 1, None]", ["1"], (1,)),
        ("mode: Literal['a', 1, None]", ["None"], (None,)),
        ("s: str = 5", ["3"], ("3",)),
        ("b: bytes", ["a"], (b"a",)),
        ("at: time", ["10:30"], (time(10, 30),)),
        ("at: IPv4Address", ["127.0.0.1"], (IPv4Address("127.0.0.1"),)),
        ("user: UserId", ["3"], (3,)),
        ("*n: int, **k: float", ["1", "a=2"], ((1,), {"a": 2.0})),
        ("**k: int", ["a=2"], ({"a": 2},)),
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
        ("colour: Colour", "blue", r"invalid Colour value: 'blue' \(choose from RED, GREEN\)"),
        ("price: Decimal", "x", "invalid Decimal value: 'x'"),
        ("part: Fraction", "1/0", "invalid Fraction value: '1/0'"),
        ("m: list[int]", "x", "invalid int value: 'x'"),
        ("n: int | float", "x", "invalid int | float value: 'x'"),
        ("n: int | None = 5", "x", "invalid int value: 'x'"),
        ("b=True", "perhaps", "invalid boolean value"),
        ("d: dict[str, int]", "a=1", r"it takes a dict\[str, int\], and no word"),
        ("d: Mapping = ()", "a=1", "it takes a Mapping, and no word"),
        ("d={}", "a=1", "it takes a dict, and no word"),
        ("p: tuple[int, int]", "1", r"it takes a tuple\[int, int\], and no word"),
        ("m: list[dict]", "1", "it takes a dict, and no word"),
        ("**k: int", "a=x", "argument k: invalid int value: 'x'"),
        ("*n: int, **k: int", "x", "argument n: invalid int value: 'x'"),
    ],
)
def test_a_word_that_cannot_become_that(parameters: str, word: str, sentence: str) -> None:
    """It is a usage error, in argparse's words."""
    with pytest.raises(UsageError, match=sentence):
        called(now(parameters), word)


def test_a_help_in_a_hint() -> None:
    """A text as annotation is the help."""
    call = now("n: Annotated[int, 'how many lines']")
    with pytest.raises(Exception, match="how many lines"):
        called(call, "-h")


def test_a_hint_that_cannot_be_looked_up_is_none() -> None:
    """A name that is imported for types only says nothing of the word."""
    assert called(later("n: NobodyKnows"), "3") == ("3",)


def test_a_container_of_what_cannot_be_looked_up_is_one_of_words() -> None:
    """And not of letters."""
    assert called(later("m: list[NobodyKnows] = ()"), "12") == (("12",),)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="hints are evaluated at once")
def test_hints_that_python_evaluates_late() -> None:
    """Those that it cannot evaluate say nothing, and the others what they say."""
    call = now("a: Nobody, b: int, c: list[Nobody], d: Nobody | None = None, *, e: Nobody = 1")
    assert called(call, "1", "2", "3", "4") == ("1", 2, ["3"], "4", 1)
    made = _made(
        "from dataclasses import dataclass\n@dataclass\nclass command:\n a: Nobody\n b: int = 1"
    )
    assert vars(called(made, "1", "2")) == {"a": "1", "b": 2}


@dataclass
class Importer:
    """A container whose constructor dataclasses writes, of texts."""

    port: int
    where: Path = Path("/")


def test_hints_of_a_dataclass() -> None:
    """They are hints, too."""
    assert called(Importer, "80", "/tmp") == Importer(80, Path("/tmp"))


def test_the_signature_is_as_plac_reads_it() -> None:
    """On every version of Python."""

    def function(a: int, /, b: str = "x", *c: int, d: int = 1, **e: int) -> None:
        pass

    def plain() -> None:
        pass

    class Without:
        pass

    class Called:
        def __call__(self, a: int) -> None:
            pass

    for each in (function, plain, Importer, Importer.__eq__, Importer(1).__eq__, Without, Called()):
        expected = plac_core.getargspec(each)
        found = argspec_of(each)
        assert found.args == expected.args
        assert (found.varargs, found.varkw) == (expected.varargs, expected.varkw)
        assert (found.defaults or None) == expected.defaults
        names = {*found.args, found.varargs, found.varkw, *found.kwonlyargs}
        for name in names:
            assert found.annotations.get(name) == expected.annotations.get(name)


# --- any hint, any word -----------------------------------------------------------

SIMPLE: list[Any] = [int, float, complex, bool, str, bytes, Decimal, Fraction, Path, UUID]
SIMPLE += [date, datetime, time, Colour, Level, Rights, IPv4Address, UserId, Literal["a", 1, None]]

HINTS = st.recursive(
    st.sampled_from(SIMPLE),
    lambda inner: st.one_of(
        st.builds(lambda each: list[each], inner),  # type: ignore[valid-type]
        st.builds(lambda each: tuple[each, ...], inner),  # type: ignore[valid-type]
        st.builds(lambda each: tuple[each, each], inner),  # type: ignore[valid-type]
        st.builds(lambda each: dict[str, each], inner),  # type: ignore[valid-type]
        st.builds(lambda each: Union[each, None], inner),  # noqa: UP007
        st.builds(lambda one, other: Union[one, other], inner, inner),  # noqa: UP007
        st.builds(lambda each: Annotated[each, "help"], inner),
    ),
    max_leaves=3,
)
WORDS = st.one_of(
    st.text(),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        "RED red 2 LOW READ|WRITE a None yes 1/0 1/3 10:30 2026-11-21 127.0.0.1".split()
    ),
)


def conforms(value: Any, hint: Any) -> bool:
    """Tell whether a value is what a hint says."""
    if hint is UserId:
        hint = int
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return conforms(value, args[0])
    if origin in (Union, types.UnionType):
        return any(conforms(value, each) for each in args)
    if origin is Literal:
        return value in args
    if origin is list:
        return type(value) is list and all(conforms(each, args[0]) for each in value)
    if origin is dict:
        return False
    if origin is tuple:
        one = args[1:] == (...,) and type(value) is tuple
        return one and all(conforms(each, args[0]) for each in value)
    return isinstance(value, hint)


@settings(max_examples=examples(120), deadline=None)
@given(HINTS, WORDS)
def test_a_word_becomes_what_its_hint_says_or_is_refused(hint: Any, word: str) -> None:
    """Nothing else than a usage error is raised, and nothing else than the hint's is given."""

    def command(value: Any) -> Any:
        return value

    command.__annotations__ = {"value": hint}
    try:
        found = called(command, "--", word)
    except UsageError:
        return
    assert conforms(found, hint)


@settings(max_examples=examples(80), deadline=None)
@given(
    st.one_of(
        *(st.integers(), st.floats(allow_nan=False), st.complex_numbers(allow_nan=False)),
        *(st.booleans(), st.decimals(allow_nan=False), st.fractions(), st.uuids(), st.dates()),
        *(st.times(), st.sampled_from([*Colour, *Level]), st.binary().map(bytes.hex)),
    ),
    st.sampled_from(["plain", "default", "list", "tuple", "optional"]),
)
def test_what_is_written_as_python_shows_it_comes_back(value: Any, how: str) -> None:
    """By a hint and, where it has one, by a default of that type."""
    kind = type(value)
    word = value.name if isinstance(value, Enum) else str(value)

    def command(got: Any) -> Any:
        return got

    hint = {"list": list[kind], "tuple": tuple[kind, ...], "optional": kind | None}.get(how, kind)
    command.__annotations__ = {"got": hint}
    if how == "default":
        command.__annotations__ = {}
        command.__defaults__ = (value,)
        if kind is time:  # plac calls the type
            return
    wanted = {"list": [value], "tuple": (value,)}.get(how, value)
    found = called(command, "--", word)
    assert found == wanted
    assert type(found) is type(wanted)


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
