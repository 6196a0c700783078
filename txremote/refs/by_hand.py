"""
Values by hand, whatever is annotated: `value` sends a copy, `fetch` makes one of a reference.

A txremote sends what is fetched in one request (FETCH), with a `Record` for each object of a
class. Of a stock RPyC's objects builtin containers and the like are copied part by part
(`txremote.refs.copying`).
"""

from __future__ import annotations

from typing import Any, Final

from txremote.refs.awaiting import awaitable, succeeded
from txremote.refs.copying import copied
from txremote.refs.netref import NetrefMethod, is_base_netref
from txremote.refs.ports import Answer
from txremote.refs.reference import CallResult, RemotePath, RemoteReference
from txremote.refs.sharing import followed_call
from txremote.refs.typed import TypedReference
from txremote.wire.consts import FEATURE_VALUES, HANDLE_FETCH
from txremote.wire.naming import class_name, with_article
from txremote.wire.plain import ATOMS
from txremote.wire.value_shapes import is_value_class
from txremote.wire.values import EXTENDED_BUILTINS, MARKS, AsValue

#: The classes of plain values, and what `value` and a copy have made.
_VALUES: Final = MARKS | ATOMS | EXTENDED_BUILTINS | {type(...), type(NotImplemented)}


def value(x: object) -> Any:
    """
    Mark an argument or a result as one that is sent as a copy, whatever is annotated. Any thread.

    Args:
        x: A number, a text, a container, a dataclass, a date and the like. Any other object
            inside it goes by reference.

    Returns:
        A mark to give to a remote call, or to return from an exposed method, in its place. A peer
        that is no txremote cannot be sent it: the call then fails with `NotSendable`.

    Raises:
        TypeError: it is no value, and would go by reference.
    """
    kind = type(x)
    if kind in _VALUES or is_value_class(kind):
        return x if kind in MARKS else AsValue(x)
    raise TypeError(
        f"{with_article(class_name(kind))} is no value, and goes by reference: send its data in a "
        "dataclass, a dict or a tuple, or declare the class by register_value"
    )


def fetch(ref: object) -> Answer:
    """
    Copy a remote container, record or other value. In the reactor's thread.

    Args:
        ref: A `RemoteReference`, or a path or a call, whose result is copied. Any other object
            is given back as it is.

    Returns:
        A Deferred of the copy: containers as they are, a `Record` for each object of a class,
        references for what is no value. It fails with AttributeError where the owner does not
        let its fields be read, and with TypeError where it is no value.

    Raises:
        WrongThread: this is not the reactor's thread.
    """
    if type(ref) is TypedReference:
        ref = ref._target
    if type(ref) is RemotePath:
        return ref._read().addCallback(fetch)
    if type(ref) is not RemoteReference:
        if is_base_netref(ref):
            raise TypeError("a netref is for code that may block: txremote.blocking.fetch(netref)")
        if isinstance(ref, CallResult):
            return followed_call(ref).addCallback(fetch)
        return succeeded(ref)
    owner = ref._connection
    if FEATURE_VALUES in owner.features:
        return owner.request(HANDLE_FETCH, ref)
    guard = owner.executor.guard
    guard.check()
    return awaitable(copied(ref, owner.config.limits, not owner.is_txremote, _not_copied), guard)


def _not_copied(name: str) -> TypeError:
    return TypeError(
        f"{with_article(name)} of a peer without values is no container and has no copy: read its "
        "attributes"
    )


def fetch_here(netref: Any) -> Any:
    """
    Copy a remote container, record or other value. Waits, in a thread that may block.

    Args:
        netref: The remote object. Any other object is given back as it is.

    Raises:
        AttributeError: its owner does not let its fields be read.
        TypeError: it is no value.
        AsyncResultTimeout: it did not come within ``sync_request_timeout``.
    """
    if type(netref) is NetrefMethod:
        netref = netref.____fetch__()
    if not is_base_netref(netref):
        return netref
    conn: Any = netref.____conn__
    if FEATURE_VALUES in conn.protocol.features:
        return conn.sync_request(HANDLE_FETCH, netref)
    return conn._copied(netref, _not_copied)
