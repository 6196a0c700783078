"""
Events to bytes and back.

An event is written as one boxed value (`txremote.wire.boxing`): brine where brine carries it, else
an extended value. So the same bytes stand in a message to each subscriber, and on a bus to another
process. References are refused in both directions, since an object has other ids on each
connection. All limits of the wire hold, and decoding imports nothing: a value of a class arrives as
a `Record`.
"""

from __future__ import annotations

from typing import Final, Never

from twisted.internet.defer import Deferred

import txremote.values.libraries  # noqa: F401  numpy's, Arrow's and pandas' values are known
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.boxing import SENDABLE_DEPTH, VALUE_HEAD, box_into, box_value_into, unbox
from txremote.wire.brine import (
    DECODING_FAILED,
    Budget,
    check_end,
    dump_into,
    protocol_error as decoding_error,
)
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.naming import full_name, with_article
from txremote.wire.undumpable import Undumpable

#: Longest event by default, in bytes as it travels.
MAX_EVENT: Final = 1 << 20

# An event stands in the tuple of a message's arguments.
_DEPTH: Final = SENDABLE_DEPTH - 1


class HasReferences(NotSendable):
    """An event has something in it that goes by reference."""


class _NoReferences:
    """The references of an event, which has none (`txremote.wire.keys.BoxedReferences`)."""

    def box_reference(self, value: object) -> Never:
        raise HasReferences(
            f"{with_article(full_name(type(value)))} in an event goes by reference, and an event "
            "is a value: publish its data, or declare its class with register_value"
        )

    def unbox_local(self, key: bytes) -> Never:
        raise RemoteProtocolError("a reference in an event")

    unbox_remote = unbox_local

    def unbox_promise(self, number: int) -> Never:
        raise RemoteProtocolError("the result of a call in an event")

    def refuse(self, problem: Exception) -> None:
        raise RemoteProtocolError(f"a value that cannot be built: {problem}") from problem

    def takes_values(self) -> bool:
        return True

    def most_items(self) -> int:
        return DEFAULT_LIMITS.max_items

    def received(self, value: object, size: int) -> object:
        return value

    def within(self) -> _NoReferences:
        return self


class _AnyReferences(_NoReferences):
    """Stands for the references of any connection."""

    def box_reference(self, value: object) -> bytes:  # type: ignore[override]
        if isinstance(value, Deferred):
            raise NotSendable("a Deferred is not its result: await it first")
        return _SOME_REFERENCE


_NO_REFERENCES: Final = _NoReferences()
_ANY_REFERENCES: Final = _AnyReferences()

# As long as a boxed reference may be.
_SOME_REFERENCE: Final = bytes(100)


def encode_event(event: object, longest: int = MAX_EVENT) -> bytes:
    """
    Return an event as one boxed value.

    Args:
        event: A value: of brine's types, lists, dicts, sets, of a class that travels as a value.
        longest: How many bytes it may take.

    Raises:
        HasReferences: something in it is no value.
        NotSendable: it cannot be encoded, or takes more bytes.
    """
    out = [VALUE_HEAD]
    try:
        dump_into(out, event, _DEPTH)
    except Undumpable:
        out = []
        box_value_into(out, event, _NO_REFERENCES, _DEPTH)
    payload = b"".join(out)
    _check_length(len(payload), longest, NotSendable)
    return payload


def check_references(event: object, longest: int = MAX_EVENT) -> None:
    """Check an event that has references, which is encoded for each reader. Raises NotSendable."""
    out: list[bytes] = []
    box_into(out, (0, None, event), _ANY_REFERENCES)
    _check_length(sum(map(len, out)), longest, NotSendable)


def _check_length(size: int, longest: int, error: type[Exception]) -> None:
    if size > longest:
        raise error(f"an event of {size} bytes, more than {longest} (max_event of its Topic)")


def decode_event(
    payload: bytes, longest: int = MAX_EVENT, limits: Limits = DEFAULT_LIMITS
) -> object:
    """
    Return the event that a payload holds.

    Raises:
        RemoteProtocolError: it is no event, is longer than ``longest`` bytes, or meets a limit.
    """
    _check_length(len(payload), longest, RemoteProtocolError)
    budget = Budget(limits, len(payload))
    try:
        event, end = unbox(payload, 0, limits.max_depth - 2, budget, _NO_REFERENCES)
    except DECODING_FAILED as problem:
        raise decoding_error(problem, payload) from None
    check_end(payload, end, "event")
    return event
