"""
What plac's parser is told about an argument that has a type hint, or a default.

plac reads annotations as its own: a text is the help, a tuple is help, kind,
abbreviation, type, choices, metavar. For Python's type hints it knows no better
than to show them as help, and it converts a word by calling the type of the default.
Here a hint says what a user expects of it:

=================================  ==========================================
``n: int``, ``path: Path``         the word is converted
``n: int | None``, ``int | float`` so it is, by the first that takes it
``s: str``, ``n: int | str``       the word itself, whatever the default is
``mode: Literal["a", 1]``          one of these
``colour: Colour``, an `Enum`      a member, by its name or its value
``quiet: bool = False``            a flag, ``-q`` or ``--quiet``
``on: bool``, ``on: bool = True``  yes, no, true, false, on, off, 1, 0
``m: list[int]``, ``set[str]``,    one with the one item that the word is
``tuple[int, ...]``
``d: dict[str, int]``,             refused: no word is that
``tuple[int, int]``
``n: Annotated[int, "lines"]``     the hint, with a help
=================================  ==========================================

Any other hint says nothing about the word, and is left out, and so is one whose names
cannot be looked up, since they are there for type checkers only. plac's annotations are
left as they are. Where nothing else says the type and plac would take that of the
default, ``True``, a container or a member of an `Enum` is read as by a hint:
``bool("False")`` is True, and ``tuple("12")`` is two letters.
"""

from __future__ import annotations
import __future__

import argparse
import inspect
import re
import sys
import types
from collections import abc, deque
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, Flag
from fractions import Fraction
from functools import reduce
from ipaddress import IPv4Address, IPv6Address
from operator import or_
from pathlib import PurePath
from typing import Annotated, Any, ForwardRef, Literal, NewType, Union, get_args, get_origin
from uuid import UUID

from txremote.console.extra import plac_core

Converter = Callable[[str], Any]

# Classes that make of a word what it stands for.
_CONVERTERS = (int, float, complex, Decimal, Fraction, PurePath, UUID, IPv4Address, IPv6Address)

#: What a word becomes an item of.
_CONTAINERS: dict[Any, Callable[[list[Any]], Any]] = {
    **{kind: kind for kind in (list, tuple, set, frozenset, deque)},
    **dict.fromkeys((abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection), list),
    **dict.fromkeys((abc.Set, abc.MutableSet), set),
}

_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)

_NOTHING = inspect.Parameter.empty

_KINDS = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)

_TEXT_ANNOTATIONS = __future__.annotations.compiler_flag

_YES = {"yes", "y", "true", "on", "1"}
_NO = {"no", "n", "false", "off", "0"}


def boolean(word: str) -> bool:
    """
    Return what a word means that is yes or no.

    Raises:
        ValueError: it is neither.
    """
    if word.lower() in _YES:
        return True
    if word.lower() in _NO:
        return False
    raise ValueError(word)


def argspec_of(function: Any) -> Any:
    """
    Return a callable's signature as plac has it, an `inspect.FullArgSpec`. Python 3.14
    evaluates hints when they are asked for; those that it cannot are `ForwardRef`.
    """
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        skipped = 0
        if inspect.isclass(function):
            if function.__init__ is object.__init__:
                return inspect.getfullargspec(lambda: None)
            function, skipped = function.__init__, 1
        elif not inspect.isroutine(function):
            function = function.__call__
        signature = inspect.signature(
            function, follow_wrapped=False, annotation_format=Format.FORWARDREF
        )
        return _argspec(list(signature.parameters.values())[skipped:])
    return plac_core.getargspec(function)


def _argspec(parameters: list[inspect.Parameter]) -> inspect.FullArgSpec:
    kinds: dict[Any, list[inspect.Parameter]] = {kind: [] for kind in _KINDS}
    for each in parameters:
        kinds[each.kind].append(each)
    before, plain, rest, only, named = (kinds[kind] for kind in _KINDS)
    args = [*before, *plain]
    return inspect.FullArgSpec(
        args=[each.name for each in args],
        varargs=rest[0].name if rest else None,
        varkw=named[0].name if named else None,
        defaults=tuple(each.default for each in args if each.default is not _NOTHING),
        kwonlyargs=[each.name for each in only],
        kwonlydefaults={each.name: each.default for each in only if each.default is not _NOTHING},
        annotations={
            each.name: each.annotation for each in parameters if each.annotation is not _NOTHING
        },
    )


def annotations_for_plac(function: Any, argspec: Any) -> dict[str, Any]:
    """
    Return a command's annotations with the type hints among them translated.

    Args:
        function: What will be called.
        argspec: Its signature, as `argspec_of` gives it.
    """
    names = [*argspec.args, argspec.varargs, argspec.varkw]
    defaults = argspec.defaults or ()
    given = dict(zip(argspec.args[len(argspec.args) - len(defaults) :], defaults, strict=True))
    globals_ = _globals_of(function)
    letters = {"h"}
    found = {}
    for name in names:
        default = given.get(name, _NOTHING)
        told = None
        if name in argspec.annotations:
            hint = _evaluated(argspec.annotations[name], globals_)
            told = _translated(hint, name, default, letters)
        told = _with_default(told, default)
        if told is not None:
            found[name] = told
    return found


def _globals_of(function: Any) -> dict[str, Any] | None:
    """
    Return where names in annotations are looked up, or None if they are no text:
    with ``from __future__ import annotations`` Python keeps them as text.
    """
    owner = function
    if inspect.isclass(function):
        function = function.__init__
    elif not inspect.isroutine(function):
        function = type(function).__call__
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & _TEXT_ANNOTATIONS:
        return dict(function.__globals__)
    if inspect.isclass(owner) and code is not None and code.co_filename.startswith("<"):
        # a constructor that dataclasses or attrs has written, of the class's own hints
        return dict(vars(sys.modules.get(owner.__module__, types)))
    return None


def _evaluated(annotation: Any, globals_: dict[str, Any] | None) -> Any:
    if globals_ is None or not isinstance(annotation, str):
        return annotation
    try:
        found = eval(annotation, globals_)  # as typing.get_type_hints does
    except Exception:  # a text for plac, set by its decorator, or a name that is for types only
        return annotation
    # a help may happen to be an expression: "list", "help"
    return found if _is_hint(found) or isinstance(found, (str, tuple)) else annotation


def _is_hint(found: Any) -> bool:
    return (
        isinstance(found, (type, NewType))
        or get_origin(found) is not None
        or hasattr(found, "__value__")
    )


def _translated(hint: Any, name: str, default: Any, letters: set[str]) -> Any:
    text = None
    if get_origin(hint) is Annotated:
        hint, *others = get_args(hint)
        text = next((other for other in others if isinstance(other, str)), None)
    hint = _plain(hint)
    if hint is bool and default is False:
        return plac_core.Annotation(text, "flag", _letter(name, letters))
    if isinstance(hint, (str, tuple, list)) or plac_core.is_annotation(hint):
        return hint  # plac's own
    choices = get_args(hint) if get_origin(hint) is Literal else None
    return plac_core.Annotation(text, type=converter_of(hint), choices=choices)


def _with_default(told: Any, default: Any) -> Any:
    """
    Return what plac is told, with a converter where it would call the type of a
    default that does not read words.
    """
    if default is _NOTHING:
        return told
    known = plac_core.Annotation() if told is None else plac_core.Annotation.from_(told)
    if known.type is not None or known.kind == "flag":
        return told
    convert = _of_default(default)
    if convert is None:
        return told
    return plac_core.Annotation(
        known.help, known.kind, known.abbrev, convert, known.choices, known.metavar
    )


def _of_default(default: Any) -> Converter | None:
    kind = type(default)
    if kind in _CONTAINERS:
        items = {type(item) for item in default}
        (item,) = items if len(items) == 1 else (str,)
        return _container(kind, _of_default(next(iter(default))) or item if default else None)
    if kind in (bool, bytes) or kind in _MAPPINGS or issubclass(kind, Enum):
        return converter_of(kind)
    return None


def converter_of(hint: Any) -> Converter | None:
    """
    Return what makes of a word what a hint says, or None if the hint says nothing of it.

    It raises ValueError where the word is not that, and `argparse.ArgumentTypeError`
    with a sentence where no word can be.
    """
    hint = _plain(hint)
    origin, args = get_origin(hint), get_args(hint)
    if hint is str:
        return str
    if hint is bool:
        return boolean
    if hint is bytes:
        return _called(str.encode, "bytes")
    if origin in (Union, types.UnionType):
        return _first_of([each for each in args if each is not types.NoneType])
    if origin is Literal:
        return _one_of(args)
    kind = origin or hint
    if kind in _MAPPINGS:
        return _refusal(hint)
    if kind in _CONTAINERS:
        several = kind is tuple and args and args[1:] != (...,)
        if several and len(args) != 1:
            return _refusal(hint)
        return _container(_CONTAINERS[kind], converter_of(args[0]) if args else None)
    return _of_class(hint) if isinstance(hint, type) else None


def _of_class(kind: type) -> Converter | None:
    if issubclass(kind, Enum):
        return _member_of(kind)
    if issubclass(kind, datetime):
        return plac_core.to_datetime  # type: ignore[no-any-return]
    if issubclass(kind, date):
        return plac_core.to_date  # type: ignore[no-any-return]
    if issubclass(kind, time):
        return _called(kind.fromisoformat, kind.__name__)
    if issubclass(kind, re.Pattern):
        return _called(re.compile, "pattern")
    if issubclass(kind, _CONVERTERS):
        return _called(kind, kind.__name__)
    return None


def _plain(hint: Any) -> Any:
    """Return the hint that aliases, `Annotated`, `NewType` and ``| None`` are put around."""
    while True:
        if isinstance(hint, ForwardRef):  # whose names are for type checkers only
            return Any
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # of Python 3.12 and later
            hint = hint.__value__
        elif get_origin(hint) in (Union, types.UnionType):
            real = [each for each in get_args(hint) if each is not types.NoneType]
            if len(real) != 1:
                return hint
            hint = real[0]
        else:
            return hint


def _called(function: Callable[[Any], Any], name: str) -> Converter:
    """Return a function as argparse wants it: with a name, and no error but ValueError."""

    def convert(word: str) -> Any:
        try:
            return function(word)
        except (ArithmeticError, re.error, TypeError) as problem:  # Decimal("x"), Fraction("1/0")
            raise ValueError(word) from problem

    convert.__name__ = name
    return convert


def _refusal(hint: Any) -> Converter:
    shown = (
        hint.__name__
        if get_origin(hint) is None
        else re.sub(r"\b[a-z_.]+\.(?=[A-Z])", "", str(hint))
    )

    def refuse(word: str) -> Any:
        raise argparse.ArgumentTypeError(
            f"it takes a {shown}, and no word of a command line is one: leave it out, or call "
            "it from a program"
        )

    return refuse


def _member_of(kind: type[Enum]) -> Converter:
    def member(word: str) -> Enum:
        if word in kind.__members__:
            return kind.__members__[word]
        for each in kind:
            if str(each.value) == word:
                return each
        raise ValueError(word)

    def flags(word: str) -> Any:
        return reduce(or_, map(member, word.split("|")))

    def convert(word: str) -> Any:
        try:
            return flags(word) if issubclass(kind, Flag) else member(word)
        except ValueError:
            names = ", ".join(kind.__members__)
            raise argparse.ArgumentTypeError(
                f"invalid {kind.__name__} value: {word!r} (choose from {names})"
            ) from None

    return convert


def _one_of(choices: tuple[Any, ...]) -> Converter:
    words = {str(choice.name if isinstance(choice, Enum) else choice): choice for choice in choices}

    def convert(word: str) -> Any:
        if word in words:
            return words[word]
        raise argparse.ArgumentTypeError(  # as argparse says it
            f"invalid choice: {word!r} (choose from {', '.join(map(repr, choices))})"
        )

    return convert


def _first_of(hints: list[Any]) -> Converter | None:
    if str in hints:
        return str
    converters = [converter_of(each) for each in hints]
    if None in converters:
        return None

    def convert(word: str) -> Any:
        for each in converters:
            try:
                return each(word)  # type: ignore[misc]
            except (ValueError, argparse.ArgumentTypeError):
                continue
        raise ValueError(word)

    convert.__name__ = " | ".join(getattr(each, "__name__", str(each)) for each in hints)
    return convert


def _container(make: Callable[[list[Any]], Any], item: Converter | None) -> Converter:
    def convert(word: str) -> Any:
        return make([word if item is None else item(word)])

    convert.__name__ = getattr(item, "__name__", "str")
    return convert


def _letter(name: str, letters: set[str]) -> str | None:
    """Return a flag's short form, or None if others have it."""
    letter = name[0]
    if letter in letters:
        return None
    letters.add(letter)
    return letter
