"""
Type hints and defaults of a command's arguments, translated for plac's parser.

plac reads annotations as its own: a text is the help, a tuple is help, kind, abbreviation, type,
choices, metavar. Python's type hints it only shows as help, and it converts a word by calling the
type of the default. Here a hint means what a user expects of it:

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

Any other hint is left out, and so is one with names that are there for type checkers only. plac's
annotations are left as they are. Where nothing else gives the type and plac would call that of the
default, ``True``, a container or a member of an `Enum` is read as by a hint: ``bool("False")`` is
True, and ``tuple("12")`` is two letters.
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
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NewType,
    NoReturn,
    TypeAlias,
    Union,
    get_args,
    get_origin,
)
from uuid import UUID

from txremote.console.extra import plac_core

#: Makes a value of a word.
Converter: TypeAlias = Callable[[str], object]

# Classes whose call with a word makes the value.
_CONVERTERS = (int, float, complex, Decimal, Fraction, PurePath, UUID, IPv4Address, IPv6Address)

# Containers that a word becomes the one item of.
_CONTAINERS: dict[object, Callable[[list[object]], object]] = {
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
    """Convert a word that is yes or no. ValueError if it is neither."""
    if word.lower() in _YES:
        return True
    if word.lower() in _NO:
        return False
    raise ValueError(word)


def argspec_of(function: Any) -> inspect.FullArgSpec:
    """Return a callable's signature as plac has it. Python 3.14 may give hints as `ForwardRef`."""
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
    spec: inspect.FullArgSpec = plac_core.getargspec(function)
    return spec


def _argspec(parameters: list[inspect.Parameter]) -> inspect.FullArgSpec:
    before, plain, rest, only, named = (
        [each for each in parameters if each.kind == kind] for kind in _KINDS
    )
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


def annotations_for_plac(function: object, argspec: inspect.FullArgSpec) -> dict[str, object]:
    """Return a command's annotations with the type hints among them translated."""
    defaults = argspec.defaults or ()
    given = dict(zip(argspec.args[len(argspec.args) - len(defaults) :], defaults, strict=True))
    globals_ = _globals_of(function)
    letters = {"h"}
    found = {}
    for name in filter(None, [*argspec.args, argspec.varargs, argspec.varkw]):
        default = given.get(name, _NOTHING)
        annotation = None
        if name in argspec.annotations:
            hint = _evaluated(argspec.annotations[name], globals_)
            annotation = _translated(hint, name, default, letters)
        annotation = _with_default(annotation, default)
        if annotation is not None:
            found[name] = annotation
    return found


def _globals_of(function: Any) -> dict[str, object] | None:
    """Return the globals for annotations that are text (``from __future__``), or None."""
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


def _evaluated(annotation: object, globals_: dict[str, object] | None) -> object:
    if globals_ is None or not isinstance(annotation, str):
        return annotation
    try:
        found: object = eval(annotation, globals_)  # as typing.get_type_hints does
    except Exception:  # a text for plac, set by its decorator, or a name that is for types only
        return annotation
    # a help may happen to be an expression: "list", "help"
    return found if _is_hint(found) or isinstance(found, (str, tuple)) else annotation


def _is_hint(found: object) -> bool:
    return (
        isinstance(found, (type, NewType))
        or get_origin(found) is not None
        or hasattr(found, "__value__")
    )


def _translated(hint: object, name: str, default: object, letters: set[str]) -> object:
    text = None
    if get_origin(hint) is Annotated:
        hint, *others = get_args(hint)
        text = next((other for other in others if isinstance(other, str)), None)
    hint = _plain(hint)
    if hint is bool and default is False:
        letter = None if name[0] in letters else name[0]  # its short form
        letters.add(name[0])
        return plac_core.Annotation(text, "flag", letter)
    if isinstance(hint, (str, tuple, list)) or plac_core.is_annotation(hint):
        return hint  # plac's own
    choices = get_args(hint) if get_origin(hint) is Literal else None
    return plac_core.Annotation(text, type=converter_of(hint), choices=choices)


def _with_default(annotation: object, default: object) -> object:
    """Add a converter where plac would call the type of a default that reads no words."""
    if default is _NOTHING:
        return annotation
    known = plac_core.Annotation()
    if annotation is not None:
        known = plac_core.Annotation.from_(annotation)
    if known.type is not None or known.kind == "flag":
        return annotation
    convert = _of_default(default)
    if convert is None:
        return annotation
    return plac_core.Annotation(
        known.help, known.kind, known.abbrev, convert, known.choices, known.metavar
    )


def _of_default(default: object) -> Converter | None:
    kind = type(default)
    if kind in _CONTAINERS and isinstance(default, abc.Iterable):
        items = list(default)
        kinds = {type(item) for item in items}
        item = kinds.pop() if len(kinds) == 1 else str
        return _container(_CONTAINERS[kind], _of_default(items[0]) or item if items else None)
    if kind in (bool, bytes) or kind in _MAPPINGS or issubclass(kind, Enum):
        return converter_of(kind)
    return None


def converter_of(hint: object) -> Converter | None:
    """Return the converter that a hint asks for, or None. It raises what argparse's types raise."""
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


def _plain(hint: object) -> object:
    """Return a hint without the aliases, `Annotated`, `NewType` and ``| None`` around it."""
    while True:
        if isinstance(hint, ForwardRef):  # its names are for type checkers only
            return object
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # of Python 3.12 and later
            hint = getattr(hint, "__value__", None)
        elif get_origin(hint) in (Union, types.UnionType):
            real = [each for each in get_args(hint) if each is not types.NoneType]
            if len(real) != 1:
                return hint
            hint = real[0]
        else:
            return hint


def _called(function: Converter, name: str) -> Converter:
    """Return a function as argparse wants it: with a name, and no error but ValueError."""

    def convert(word: str) -> object:
        try:
            return function(word)
        except (ArithmeticError, re.error, TypeError) as problem:  # Decimal("x"), Fraction("1/0")
            raise ValueError(word) from problem

    convert.__name__ = name
    return convert


def _refusal(hint: object) -> Converter:
    shown = str(hint)
    if isinstance(hint, type) and get_origin(hint) is None:
        shown = hint.__name__
    shown = re.sub(r"\b[a-z_.]+\.(?=[A-Z])", "", shown)

    def refuse(word: str) -> NoReturn:
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

    def convert(word: str) -> object:
        try:
            if issubclass(kind, Flag):
                return reduce(or_, map(member, word.split("|")))
            return member(word)
        except ValueError:
            names = ", ".join(kind.__members__)
            raise argparse.ArgumentTypeError(
                f"invalid {kind.__name__} value: {word!r} (choose from {names})"
            ) from None

    return convert


def _one_of(choices: tuple[object, ...]) -> Converter:
    words = {str(choice.name if isinstance(choice, Enum) else choice): choice for choice in choices}

    def convert(word: str) -> object:
        if word in words:
            return words[word]
        raise argparse.ArgumentTypeError(  # as argparse says it
            f"invalid choice: {word!r} (choose from {', '.join(map(repr, choices))})"
        )

    return convert


def _first_of(hints: list[object]) -> Converter | None:
    if str in hints:
        return str
    found = [converter_of(each) for each in hints]
    converters = [each for each in found if each is not None]
    if len(converters) < len(found):
        return None

    def convert(word: str) -> object:
        for each in converters:
            try:
                return each(word)
            except (ValueError, argparse.ArgumentTypeError):
                continue
        raise ValueError(word)

    convert.__name__ = " | ".join(getattr(each, "__name__", str(each)) for each in hints)
    return convert


def _container(make: Callable[[list[object]], object], item: Converter | None) -> Converter:
    def convert(word: str) -> object:
        return make([word if item is None else item(word)])

    convert.__name__ = getattr(item, "__name__", "str")
    return convert
