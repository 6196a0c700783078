"""
References of other peers in the arguments and results of a job in a thread.

Such a job may block, so it has netrefs, as a method marked with
`txremote.threaded` has. Into the reactor netrefs never come (see
`txremote.refs.netref`), so in a result they are references again. What is looked
at is an argument itself, and what is in tuples: no other container, which would
have to be copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType
from typing import Any

from twisted.internet.defer import Deferred

from txremote.refs.netref import is_netref
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.wire.plain import PLAIN
from txremote.work.live import Live

#: What `blocking` may have to do with.
MAY_BE_REMOTE = frozenset({RemoteReference, RemotePath, Live, tuple})

#: What `plain` has nothing to do with.
IS_PLAIN = PLAIN - {tuple}


def blocking(value: Any) -> Any:
    """
    Return an argument as code in a thread sees it: netrefs for references, and
    what is `live` itself. In a worker thread, since it may ask the peer.
    """
    kind = type(value)
    if kind is RemoteReference:
        return value._connection.view.to_netrefs(value)
    if kind is tuple:
        return tuple([blocking(item) for item in value])
    if kind is Live:
        return blocking(value.target)
    if kind is RemotePath and type(value._base) is RemoteReference:
        found = blocking(value._base)
        for name in value._names:
            found = getattr(found, name)
        return found
    return value


def call_blocking(
    function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> Any:
    """Call a function with netrefs for references. In a worker thread."""
    return blocking(function)(
        *[blocking(arg) for arg in args],
        **{name: blocking(value) for name, value in kwargs.items()},
    )


def plain(value: Any) -> Any:
    """
    Return a value of a thread as the reactor's code has it: without netrefs. In
    the worker thread, since it may ask the peer.
    """
    kind = type(value)
    if kind is tuple:
        return tuple([plain(item) for item in value])
    if is_netref(value):
        return value.____conn__.from_netrefs(value)
    return value


def plain_result(result: object) -> Any:
    """Return a thread's result as `plain` does, once it is `settled`."""
    return settled(plain(result), "thread")


def settled(result: object, where: str) -> Any:
    """
    Return a job's result, if it is none that is still to come.

    Args:
        result: The result; no netref.
        where: What the job ran in, for the error.

    Raises:
        TypeError: it is a promise of a result. Nobody would be waiting for it.
        Exception: what its ``__class__`` raises.
    """
    # This looks at the result's __class__, which may be a property and fail: here,
    # and not in the Deferred that the result goes into, which looks at it too.
    if isinstance(result, (Deferred, CoroutineType)):
        if isinstance(result, CoroutineType):
            result.close()
        raise TypeError(
            f"a job in a {where} gave a {type(result).__name__}: it is to give its result itself, "
            "and what is asynchronous belongs into the reactor's thread"
        )
    return result
