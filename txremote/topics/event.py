"""
`Event`: one event, and the messages that carry it, each made once.

A message that nobody answers may have any number, and this one has -1. It names the topic by
a *channel*, a number that is the topic's own in this process. So all subscribers of a dialect are
sent the same bytes (`Form`), and to publish is to write one `bytes` to each transport. A connection
with several subscriptions of a topic needs as many channels to tell them apart: its second one
has the topic's second channel, as the second one of every other connection.

========================== ======================================================
arguments of EVENTS        meaning
========================== ======================================================
channel, key, event        an event
channel, number            from here on the channel is that of SUBSCRIBE ``number``
channel, count, why, None  so many events were missed here; None: nobody knows how many
========================== ======================================================
"""

from __future__ import annotations

from typing import Final

from txremote.topics.encoding import HasReferences, check_references, encode_event
from txremote.topics.filters import checked_key
from txremote.wire.boxing import TUPLE_HEAD, VALUE_HEAD
from txremote.wire.brine import dump, dump_int, tuple_head
from txremote.wire.consts import HANDLE_EVENTS
from txremote.wire.framing import compress_frame, frame_chunks
from txremote.wire.messages import Dialect, request_head

#: The number of each EVENTS: one that no call has, for a peer that cannot read it says so.
EVENTS_NUMBER: Final = -1

# The arguments are a boxed tuple, whose items are the boxed channel, the boxed key and the event.
_ARGUMENTS: Final = request_head(HANDLE_EVENTS) + TUPLE_HEAD + tuple_head(3) + VALUE_HEAD


class Form:
    """
    One way to write an event: in a dialect, for a channel.

    Attributes:
        head: The bytes that come before the event's own.
        compress: Whether a message is compressed where that pays.
    """

    __slots__ = ("compress", "head")

    def __init__(self, dialect: Dialect, channel: int, compress: bool) -> None:
        self.head = dialect.request + dump_int(EVENTS_NUMBER) + _ARGUMENTS + dump_int(channel)
        self.compress = compress


class Event:
    """
    One event of a topic.

    Attributes:
        key: Its key, or None.
        value: The event itself, for subscribers of this process and for callbacks.
        payload: The event as `encode_event` writes it; empty where it is not all values.
        size: How many bytes it takes in a message, its key included.
        frames: The frames that carry it, by how they are written.
    """

    __slots__ = ("_body", "frames", "key", "payload", "size", "value")

    def __init__(self, key: str | None, value: object, payload: bytes) -> None:
        self.key = key
        self.value = value
        self.payload = payload
        self._body = VALUE_HEAD + dump(key)
        self.size = len(self._body) + len(payload)
        self.frames: dict[Form, bytes] = {}

    def frame(self, form: Form) -> bytes:
        """Return the frame of a form."""
        made = bytes(frame_chunks(form.head, (self._body, self.payload)))
        if form.compress:
            made = compress_frame(made)
        self.frames[form] = made
        return made


class Missed:
    """
    Stands among the events for those that a subscriber did not get.

    Attributes:
        count: How many, as far as that is known.
        unknown: Whether there may be more.
        why: A sentence without a full stop.
    """

    __slots__ = ("count", "unknown", "why")

    def __init__(self, count: int | None, why: str) -> None:
        self.count = count or 0
        self.unknown = count is None
        self.why = why

    def add(self, count: int | None) -> None:
        """Count more."""
        self.count += count or 0
        self.unknown = self.unknown or count is None

    def merge(self, other: Missed) -> None:
        """Count those of another, and give its reason."""
        self.add(other.count)
        self.unknown = self.unknown or other.unknown
        self.why = other.why


def new_event(key: str | None, value: object, longest: int, values_only: bool) -> Event:
    """
    Return an event, encoded.

    Raises:
        TypeError, ValueError: the key is no str, or too long.
        HasReferences: the event is not all values, and has to be.
        NotSendable: it cannot be encoded, or is longer than that many bytes.
    """
    try:
        payload = encode_event(value, longest)
    except HasReferences:
        if values_only:
            raise
        check_references(value, longest)
        payload = b""
    return Event(checked_key(key), value, payload)
