"""
Operations on a remote object that have no awaitable syntax, as functions.

A path may lead to a plain value: the operation is then made here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from txremote.refs.ports import Answer
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.wire import consts

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
    return _request(target, getattr, consts.HANDLE_GETATTR, name)


def set_remote(target: Target, name: str, value: object) -> Deferred[None]:
    """Set an attribute; the peer must allow it (``allow_setattr``). See `get_remote`."""
    return _request(target, setattr, consts.HANDLE_SETATTR, name, value)


def del_remote(target: Target, name: str) -> Deferred[None]:
    """Delete an attribute; the peer must allow it (``allow_delattr``). See `get_remote`."""
    return _request(target, delattr, consts.HANDLE_DELATTR, name)


def repr_remote(target: Target) -> Deferred[str]:
    """Ask for ``repr()`` of a remote object. See `get_remote`."""
    return _request(target, repr, consts.HANDLE_REPR)


def str_remote(target: Target) -> Deferred[str]:
    """Ask for ``str()`` of a remote object. See `get_remote`."""
    return _request(target, str, consts.HANDLE_STR)


def dir_remote(target: Target) -> Deferred[tuple[str, ...]]:
    """Ask for the names of a remote object that are reachable. See `get_remote`."""
    return _request(target, dir, consts.HANDLE_DIR)


def _length(value: Any, *_args: object) -> int:
    return len(value)


def len_remote(target: Target) -> Deferred[int]:
    """Ask for ``len()`` of a remote object. See `get_remote`."""
    return _request(target, _length, consts.HANDLE_CALLATTR, "__len__", (), ())
