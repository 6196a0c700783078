"""
Operations on a remote object that have no awaitable syntax, as functions.

A path may lead to a plain value: the operation is then made here.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Signature
from typing import Any

from twisted.internet.defer import Deferred

from txremote.refs.awaiting import failed, succeeded
from txremote.refs.ports import Answer
from txremote.refs.reference import CallResult, LateReference, RemotePath, RemoteReference
from txremote.refs.remote_signatures import parse_signature, told_signatures
from txremote.refs.sharing import followed_call
from txremote.refs.typed import TypedReference
from txremote.wire import consts

Target = RemoteReference | RemotePath | CallResult | TypedReference[Any]


def _request(target: Target, local: Callable[..., object], handler: int, *args: object) -> Answer:
    if isinstance(target, TypedReference):
        target = target._target
    if isinstance(target, RemoteReference):
        return target._connection.request(handler, target, *args)

    def go(value: object) -> object:
        if isinstance(value, RemoteReference):
            return value._connection.request(handler, value, *args)
        return local(value, *args)

    if isinstance(target, RemotePath):
        return target._read().addCallback(go)
    if isinstance(target, CallResult):
        return followed_call(target).addCallback(go)
    raise TypeError(f"{type(target).__name__!r} is no remote reference")


def get_remote(target: Target, name: str) -> Answer:
    """
    Read an attribute of a remote object.

    Args:
        target: A `RemoteReference`, a path, a call or a typed view.
        name: The attribute, of any spelling.

    Returns:
        A Deferred of its value; AttributeError if it is not exposed.

    Raises:
        TypeError: the target is none of them.
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


def signature_remote(target: Target) -> Deferred[Signature]:
    """
    Ask for the signature of a remote method, as its owner has written it.

    Nothing in it is evaluated: annotations are texts, and defaults show as ``...``.

    Args:
        target: The path to a method, such as ``conn.root.add``; or an object that is called.

    Returns:
        A Deferred of an `inspect.Signature`. It fails with ValueError where the peer tells none,
        as a stock RPyC, and with AttributeError if there is no such method.

    Raises:
        TypeError: the target is no reference and no path.
    """
    if isinstance(target, TypedReference):
        target = target._target
    if isinstance(target, RemotePath):
        *names, name = target._names or ("__call__",)
        return _reached(target._base, tuple(names)).addCallback(_ask_signature, name)
    if isinstance(target, CallResult):
        return followed_call(target).addCallback(_ask_signature, "__call__")
    if isinstance(target, RemoteReference):
        return _ask_signature(target, "__call__")
    raise TypeError(f"{type(target).__name__!r} is no remote reference")


def _reached(base: RemoteReference | LateReference | CallResult, names: tuple[str, ...]) -> Answer:
    """Read what a path leads to, which may have no names."""
    if isinstance(base, RemoteReference) and not names:
        return succeeded(base)
    return base._call(names, None, {})


def _ask_signature(owner: object, name: str) -> Answer:
    if type(owner) is not RemoteReference:
        return failed(AttributeError(f"the object that has {name!r} came as a value", name=name))
    connection = owner._connection
    if consts.FEATURE_VALUES not in connection.features:
        return failed(
            ValueError(
                f"no signature of {name!r} is known: the peer, a stock RPyC or an older txremote, "
                f"tells none; get_remote(ref.{name}, '__doc__') asks for its docstring"
            )
        )
    asked: Answer = connection.request(consts.HANDLE_DESCRIBE, owner._pack)
    return asked.addCallback(_told_signature, name)


def _told_signature(described: object, name: str) -> Signature:
    texts = told_signatures(described)
    found = parse_signature(texts.get(name) or texts.get(f"exposed_{name}"))
    if found is not None:
        return found
    raise ValueError(f"the peer tells no signature of {name!r}")
