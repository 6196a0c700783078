"""
What plac's parser is told about an argument that has a type hint.

plac reads annotations as its own: a text is the help, a tuple is help, kind,
abbreviation, type, choices, metavar. For Python's type hints it knows no better
than to show them as help. Here a hint says what a user expects of it:

=============================  ==============================================
``n: int``, ``path: Path``     the word is converted
``n: int | None = None``       so it is
``mode: Literal["a", "b"]``    one of these
``quiet: bool = False``        a flag, ``-q`` or ``--quiet``
``on: bool``                   yes, no, true, false, on, off, 1, 0
``n: Annotated[int, "lines"]`` the hint, with a help
=============================  ==============================================

Any other hint says nothing about the word, and is left out. plac's annotations
are left as they are.
"""

from __future__ import annotations
import __future__

import inspect
import types
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from txremote.console.extra import plac_core

# Classes that make of a word what it stands for.
_CONVERTERS = (int, float, complex, Decimal, Fraction, PurePath, UUID, Enum)

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


def annotations_for_plac(function: Any, argspec: Any) -> dict[str, Any]:
    """
    Return a command's annotations with the type hints among them translated.

    Args:
        function: What will be called.
        argspec: Its signature, as `inspect.getfullargspec` gives it.
    """
    names = [*argspec.args, argspec.varargs, argspec.varkw]
    defaults = argspec.defaults or ()
    given = dict(zip(argspec.args[len(argspec.args) - len(defaults) :], defaults, strict=True))
    globals_ = _globals_of(function)
    letters = {"h"}
    found = {}
    for name in names:
        if name not in argspec.annotations:
            continue
        hint = _evaluated(argspec.annotations[name], globals_)
        found[name] = _translated(hint, name, given.get(name, inspect.Parameter.empty), letters)
    return found


def _globals_of(function: Any) -> dict[str, Any] | None:
    """
    Return where names in annotations are looked up, or None if they are no text:
    with ``from __future__ import annotations`` Python keeps them as text.
    """
    if inspect.isclass(function):
        function = function.__init__
    elif not inspect.isroutine(function):
        function = type(function).__call__
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    if code is None or not code.co_flags & _TEXT_ANNOTATIONS:
        return None
    return dict(function.__globals__)


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
    return isinstance(found, type) or get_origin(found) is not None


def _translated(hint: Any, name: str, default: Any, letters: set[str]) -> Any:
    text = None
    if get_origin(hint) is Annotated:
        hint, *others = get_args(hint)
        text = next((other for other in others if isinstance(other, str)), None)
    if get_origin(hint) in (Union, types.UnionType):
        real = [each for each in get_args(hint) if each is not types.NoneType]
        hint = real[0] if len(real) == 1 else Any
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return _annotation(text, type(choices[0]), choices)
    if hint is bool:
        if default is False:
            return plac_core.Annotation(text, "flag", _letter(name, letters))
        return _annotation(text, boolean)
    if isinstance(hint, type):
        if issubclass(hint, datetime):
            return _annotation(text, plac_core.to_datetime)
        if issubclass(hint, date):
            return _annotation(text, plac_core.to_date)
        if issubclass(hint, _CONVERTERS):
            return _annotation(text, hint)
    if isinstance(hint, (str, tuple, list)) or plac_core.is_annotation(hint):
        return hint  # plac's own
    return _annotation(text, None)


def _annotation(
    text: str | None, kind: Callable[[str], Any] | None, choices: tuple[Any, ...] | None = None
) -> Any:
    return plac_core.Annotation(text, type=kind, choices=choices)


def _letter(name: str, letters: set[str]) -> str | None:
    """
    Return a flag's short form, or None if others have it.
    """
    letter = name[0]
    if letter in letters:
        return None
    letters.add(letter)
    return letter
