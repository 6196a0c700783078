"""
An event on a bus: its publisher's id, its number, its key and its payload, to bytes and back.

It is one brined tuple, so it begins with a byte that no number begins with: txredisapi would make
numbers of texts that look like some. Brine's limits hold for what is read; the payload is bytes
here, and its topic decodes it under limits of its own.
"""

from __future__ import annotations

from typing import NamedTuple

from txremote.buses.ports import LONGEST, Id
from txremote.errors import RemoteProtocolError
from txremote.topics.filters import LONGEST_KEY
from txremote.wire import brine
from txremote.wire.limits import Limits

_VERSION = 1
_LIMITS = Limits(max_frame=LONGEST, max_inflated=LONGEST, max_depth=3, max_int_digits=20)
_HIGHEST = 1 << 63


class Event(NamedTuple):
    """
    One event.

    Attributes:
        origin: Its publisher's id.
        number: Its number among its publisher's, from 1.
        born: Since when its publisher publishes, by the ids of the bus.
        first: The id that it had when it was published first, if this is another time.
        key: Its key.
        payload: It, or None for one that its publisher could not give to the bus.
    """

    origin: str
    number: int
    born: Id
    first: Id | None
    key: str | None
    payload: bytes | None


def seal(event: Event) -> bytes:
    """Return an event as bytes."""
    return brine.dump((_VERSION, *event))


def unseal(data: bytes) -> Event:
    """
    Return the event that bytes hold.

    Raises:
        RemoteProtocolError: they hold none, or meet a limit.
    """
    found = brine.load(data, _LIMITS)
    if type(found) is not tuple or len(found) != 7 or found[0] != _VERSION:
        raise RemoteProtocolError("it is no event of a txremote of this version")
    _, origin, number, born, first, key, payload = found
    good = (
        type(origin) is str
        and 0 < len(origin) <= 64
        and type(number) is int
        and 0 < number < _HIGHEST
        and _is_id(born)
        and (first is None or _is_id(first))
        and (key is None or type(key) is str)
        and (payload is None or type(payload) is bytes)
    )
    if not good:
        raise RemoteProtocolError("an event on the bus whose parts are of other types")
    if key is not None and len(key) > LONGEST_KEY:
        raise RemoteProtocolError(
            f"a key of {len(key)} characters, more than {LONGEST_KEY} (LONGEST_KEY of a Topic)"
        )
    return Event(origin, number, born, first, key, payload)


def _is_id(value: object) -> bool:
    return (
        type(value) is tuple
        and len(value) == 2
        and all(type(part) is int and 0 <= part < _HIGHEST for part in value)
    )
