"""
References of other peers in the arguments and results of a job in a thread.

Such a job may block, so it has netrefs. They never come into the reactor (see
`txremote.refs.netref`), so in a result they are references again. Only arguments themselves and
the items of tuples are converted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from txremote.errors import NotPicklable
from txremote.refs.netref import is_netref
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.wire.plain import PLAIN
from txremote.work.declared import MAY_HOLD_RECORDS, declared
from txremote.work.live import Live
from txremote.work.plainjobs import is_promise

if TYPE_CHECKING:
    from txremote.interfaces import IPool

#: The types that `call_with_netrefs` may change.
MAY_BE_REMOTE = frozenset({RemoteReference, RemotePath, Live, tuple}) | MAY_HOLD_RECORDS

_REFERENCES = frozenset({RemoteReference, RemotePath, Live})

#: The types that `from_netrefs` leaves alone.
IS_PLAIN = PLAIN - {tuple}


def to_netrefs(value: Any) -> Any:
    """Return an argument as a thread sees it. In a worker thread, since it may ask the peer."""
    kind = type(value)
    if kind is RemoteReference:
        return value._connection.view.to_netrefs(value)
    if kind is tuple:
        return tuple([to_netrefs(item) for item in value])
    if kind is Live:
        return to_netrefs(value.target)
    if kind is RemotePath and type(value._base) is RemoteReference:
        found = to_netrefs(value._base)
        for name in value._names:
            found = getattr(found, name)
        return found
    return value


def call_with_netrefs(
    function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> Any:
    """
    Call a function with netrefs for references, and with what it declares for records. In a
    worker thread.
    """
    args = [to_netrefs(arg) for arg in args]
    kwargs = {name: to_netrefs(value) for name, value in kwargs.items()}
    return declared(to_netrefs(function), args, kwargs)(*args, **kwargs)


def from_netrefs(value: Any) -> Any:
    """Return a thread's value as the reactor sees it. In the worker thread: it may ask the peer."""
    kind = type(value)
    if kind is tuple:
        return tuple([from_netrefs(item) for item in value])
    if is_netref(value):
        return value.____conn__.from_netrefs(value)
    return value


def settled_result(result: object) -> Any:
    """Return a thread's result without netrefs, once it is `settled`."""
    return settled(from_netrefs(result), "thread")


def settled(result: object, where: str) -> Any:
    """Return a job's result. TypeError if it is a promise: nobody would be waiting for it."""
    if is_promise(result):
        raise TypeError(
            f"a job in a {where} gave a {type(result).__name__}: it has to give its result "
            "itself, and asynchronous code belongs in the reactor's thread"
        )
    return result


def refuse_references(
    pool: IPool, name: str, function: object, args: Sequence[object], kwargs: Mapping[str, object]
) -> None:
    """Refuse (NotPicklable) references for a pool whose jobs run elsewhere and cannot use them."""
    if not pool.by_value or getattr(pool, "can_call_back", False):
        return
    parts: list[tuple[str, object]] = [("the function", function)]
    parts += [(f"argument {number}", arg) for number, arg in enumerate(args, 1)]
    parts += [(f"argument {key!r}", value) for key, value in kwargs.items()]
    for what, part in parts:
        if type(part) in _REFERENCES or is_netref(part):
            raise NotPicklable(
                f"{what} of the job {name} is a reference, which a job must be able to call, and "
                f"those of {pool.description} cannot call back: use a pool of processes or of "
                "threads, or send a copy"
            )
