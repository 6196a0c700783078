"""
The names of objects and classes, found without asking the objects.

An object may be a class whose metaclass raises when its ``__name__`` is read, or a
transparent reference, which would go to the network. So names are read from the slots of
`type`, an attribute from the dictionary that it stands in, and a kind is told by
``type(x)``: ``isinstance`` reads ``__class__``, which is an attribute like others.

Only `text_of` runs an object's code, and it gives text whatever that code does.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from typing import Any

#: Stands for the module of a class that has none, and for a name that is no text.
UNNAMED = "?"

_name_of = type.__dict__["__name__"].__get__
_qualname_of = type.__dict__["__qualname__"].__get__
_module_of = type.__dict__["__module__"].__get__
_mro_of = type.__dict__["__mro__"].__get__
_attributes_of = type.__dict__["__dict__"].__get__

_NO_ATTRIBUTES: Mapping[str, object] = {}
# What CPython makes for an object's dictionary; anything else is a program's code.
# a vowel that is spoken as one: a UUID, a user, a unit, a one-time code, but an undo and an ndarray
_VOWEL = re.compile(
    r"(?!U[A-Z0-9_]|U$|[Uu](?:ni(?![nmd])|s[ea]|ti|to|ri|bi)|[Ee]u|[Oo](?:ne(?=[A-Z_0-9]|$)|nce))"
    r"(?:[AEIOUaeiou]|nd)"
)
_DICTIONARIES = frozenset({types.GetSetDescriptorType, types.MemberDescriptorType})


def class_name(kind: type) -> str:
    """Return a class's own name."""
    return _exact(_name_of(kind))


def class_qualname(kind: type) -> str:
    """Return a class's name within its module."""
    return _exact(_qualname_of(kind))


def class_module(kind: type) -> str:
    """Return the name of a class's module, `UNNAMED` where it has none."""
    try:
        return _exact(_module_of(kind))
    except AttributeError:  # made by type() where no __name__ is defined, as in a bare eval
        return UNNAMED


def full_name(kind: type) -> str:
    """Return a class's module and name."""
    return f"{class_module(kind)}.{class_name(kind)}"


def is_a(value: object, kind: type | tuple[type, ...]) -> bool:
    """Tell whether a value is of a class or a subclass, whatever it says of itself."""
    return issubclass(type(value), kind)


def bases_of(kind: type) -> tuple[type, ...]:
    """Return a class and its bases, in the order in which they are searched."""
    found: tuple[type, ...] = _mro_of(kind)
    return found


def attributes_of(value: object) -> Mapping[str, object]:
    """Return what stands in an object's ``__dict__``, unless code of its own would give that."""
    for base in _mro_of(type(value)):
        found = _attributes_of(base).get("__dict__")
        if found is not None:
            if type(found) not in _DICTIONARIES:
                return _NO_ATTRIBUTES
            own = found.__get__(value)
            return own if own is not None else _NO_ATTRIBUTES
    return _NO_ATTRIBUTES


def text_of(value: object, render: Callable[[Any], str] = repr) -> str | None:
    """Return an object's repr, or its str, or None if its code raises."""
    try:
        return _exact(render(value))
    except BaseException:  # SystemExit too: this is for errors, which have to be told
        return None


def one_line(text: str) -> str:
    """Return a text that may be hostile without what would move a terminal's cursor, or colour."""
    return "".join(each if each.isprintable() else " " for each in text)


def readable(text: str) -> str:
    """Return a text that may be hostile as it is, or with what is not printable, as its repr."""
    return text if text.isprintable() else repr(text)


def printable(text: str) -> str:
    """Return a text of several lines as `one_line` returns each."""
    return "\n".join(map(one_line, text.split("\n")))


def sentence(problem: BaseException) -> str:
    """Return an exception's class and what it says, if it can say it."""
    text = text_of(problem, str)
    name = class_name(type(problem))
    return f"{name}: {text}" if text else name


def _exact(text: Any) -> str:
    """Return a text as a plain str: a subclass may run code when it is sliced or joined."""
    if type(text) is str:
        return text
    return str.__str__(text) if is_a(text, str) else UNNAMED


def with_article(name: str) -> str:
    """Return a class's name behind ``a`` or ``an``, as it is spoken."""
    return f"an {name}" if _VOWEL.match(name) else f"a {name}"
