"""
`reached`: what an expression before the cursor stands for, with none of anybody's code run.

Names, attributes and constant keys are followed through the notebook's own names, through plain
objects and containers, and through references, where an attribute is a path and sends nothing. A
property, a call or an operator ends the way.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TypeGuard, TypeVar

from txremote.aio import RemoteClient
from txremote.net.client import RemoteClient as ReactorClient
from txremote.peer.connection import Connection
from txremote.refs.reference import RemotePath, RemoteReference

#: The classes of objects that have a remote root.
_CONNECTED = (Connection, RemoteClient, ReactorClient)

T = TypeVar("T")


def is_a(value: object, kind: type[T]) -> TypeGuard[T]:
    """Tell whether a value is of a class, by its type: a netref asks its peer for its class."""
    return issubclass(type(value), kind)


def with_root(found: object) -> object:
    """Return the root of a connection or of a client; anything else as it is."""
    return found.root if issubclass(type(found), _CONNECTED) else found  # type: ignore[attr-defined]


def reached(expression: str, names: Mapping[str, object]) -> object:
    """
    Return what an expression stands for.

    Raises:
        LookupError: it stands for nothing, or only the code of something could tell.
    """
    try:
        return _reach(ast.parse(expression.strip(), mode="eval").body, names)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise LookupError(f"{expression[:100]!r} is no expression, or too long") from None


def _reach(tree: ast.expr, names: Mapping[str, object]) -> object:
    if isinstance(tree, ast.Name):
        return names[tree.id]
    if isinstance(tree, ast.Attribute):
        return _attribute(_reach(tree.value, names), tree.attr)
    if isinstance(tree, ast.Subscript):
        return _item(_reach(tree.value, names), _constant(tree.slice))
    raise LookupError(f"{ast.unparse(tree)[:100]} is not followed")


def _constant(tree: ast.expr) -> object:
    """Return a key that is written out: a number, or a text."""
    try:
        found: object = ast.literal_eval(tree)
    except ValueError:
        return _no(ast.unparse(tree)[:100])
    return found if type(found) in (int, str) else _no(found)


def _attribute(owner: object, name: str) -> object:
    kind = type(owner)
    if issubclass(kind, RemoteReference | RemotePath) and name[:1] != "_":
        return getattr(owner, name)
    if issubclass(kind, _CONNECTED):
        return with_root(owner) if name == "root" else _no(name)
    if kind.__getattribute__ is object.__getattribute__ and _has_dict(owner):
        return object.__getattribute__(owner, "__dict__")[name]
    return _no(name)


def _has_dict(owner: object) -> bool:
    try:
        return type(object.__getattribute__(owner, "__dict__")) is dict
    except AttributeError:
        return False


def _item(owner: object, key: object) -> object:
    if type(owner) is dict:
        return owner[key]
    if type(owner) is list or type(owner) is tuple:
        return owner[key] if type(key) is int else _no(key)
    return _no(key)


def _no(key: object) -> object:
    raise LookupError(f"{key!r} is not followed")
