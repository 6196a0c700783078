"""
Operations on a remote object that have no awaitable syntax, as functions.

`get_remote`, `set_remote`, `del_remote`, `repr_remote`, `str_remote`, `dir_remote` and
`len_remote` take a `RemoteReference` or a path, and give a Deferred. A path may lead to a
plain value: the operation is then made here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from txremote.refs.ports import Answer
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_DELATTR,
    HANDLE_DIR,
    HANDLE_GETATTR,
    HANDLE_REPR,
    HANDLE_SETATTR,
    HANDLE_STR,
)

Target = RemoteReference | RemotePath


def _request(target: Target, local: Callable[..., object], handler: int, *args: object) -> Answer:
    if isinstance(target, RemoteReference):
        return target._connection.request(handler, target, *args)
    if isinstance(target, RemotePath):

        def go(value: object) -> object:
            if isinstance(value, RemoteReference):
                return value._connection.request(handler, value, *args)
            return local(value, *args)

        return target._read().addCallback(go)
    raise TypeError(f"{type(target).__name__!r} is no remote reference")


def get_remote(target: Target, name: str) -> Answer:
    """
    Read an attribute of a remote object.

    Args:
        target: A `RemoteReference` or a path.
        name: The attribute, of any spelling.

    Returns:
        A Deferred of its value; AttributeError if it is not exposed.

    Raises:
        TypeError: the target is neither.
        WrongThread: this is not the reactor's thread.
    """
    return _request(target, getattr, HANDLE_GETATTR, name)


def set_remote(target: Target, name: str, value: object) -> Deferred[None]:
    """Set an attribute; the peer must allow it (``allow_setattr``). See `get_remote`."""
    return _request(target, setattr, HANDLE_SETATTR, name, value)


def del_remote(target: Target, name: str) -> Deferred[None]:
    """Delete an attribute; the peer must allow it (``allow_delattr``). See `get_remote`."""
    return _request(target, delattr, HANDLE_DELATTR, name)


def repr_remote(target: Target) -> Deferred[str]:
    """Ask for ``repr()`` of a remote object. See `get_remote`."""
    return _request(target, repr, HANDLE_REPR)


def str_remote(target: Target) -> Deferred[str]:
    """Ask for ``str()`` of a remote object. See `get_remote`."""
    return _request(target, str, HANDLE_STR)


def dir_remote(target: Target) -> Deferred[tuple[str, ...]]:
    """Ask for the names of a remote object that are reachable. See `get_remote`."""
    return _request(target, dir, HANDLE_DIR)


def _length(value: Any, *_args: object) -> int:
    return len(value)


def len_remote(target: Target) -> Deferred[int]:
    """Ask for ``len()`` of a remote object. See `get_remote`."""
    return _request(target, _length, HANDLE_CALLATTR, "__len__", (), ())
