"""
The arguments of messages, decoded for one connection.

`open_envelope` has said what kind of message a payload is and where its arguments start.
`MessageDecoder` decodes these, at once or in slices, and raises nothing but
`RemoteProtocolError`.

A program calls the same methods of the same objects again and again, so the bytes of a
CALLATTR that name both are looked up (`call_site_end`).
"""

from __future__ import annotations

from typing import Protocol

from txremote.wire.boxing import (
    EMPTY_TUPLE,
    EXTENDED_HEAD,
    TUPLE_HEAD,
    VALUE_HEAD,
    call_site_end,
    call_site_key,
    unbox,
    unbox_tuple,
)
from txremote.wire.brine import (
    DECODING_FAILED,
    Budget,
    check_end,
    load_value,
    protocol_error,
    uncounted_budget,
)
from txremote.wire.consts import HANDLE_CALLATTR, MSG_EXCEPTION, MSG_REQUEST
from txremote.wire.keys import BoxedReferences
from txremote.wire.limits import Limits
from txremote.wire.messages import open_request
from txremote.wire.slices import Steps, decoded_in_slices

# How often each call site is used is not known, so when there are many all are dropped.
_MOST_CALL_SITES = 256


class HeldObject(Protocol):
    """An object of ours that the peer holds."""

    @property
    def target(self) -> object:
        """The object."""

    @property
    def count(self) -> int:
        """How many references to it the peer has; 0 once it has given all back."""


class HeldObjects(BoxedReferences, Protocol):
    """The decoder's view of a connection."""

    def held(self, key: bytes) -> HeldObject | None:
        """Return what the peer holds by a key, or None."""


class MessageDecoder:
    """Decodes the arguments of one connection's messages."""

    __slots__ = ("_call_site_cache", "_last_site", "_references", "limits", "uncounted")

    def __init__(self, limits: Limits, references: HeldObjects) -> None:
        self._references = references
        # bought by the benchmark row "pipelined": 2 of the 12 us of a call there, for without
        # it its arguments take twice the time to decode
        self._call_site_cache: dict[bytes, tuple[HeldObject, str]] | None = None
        self._last_site = b"none yet"  # no call begins so
        self.set_limits(limits)

    def set_limits(self, limits: Limits) -> None:
        """Decode by these limits from the next message on."""
        self.limits = limits
        self.uncounted = uncounted_budget(limits)

    def arguments(self, data: bytes, kind: int, pos: int) -> tuple[int, object]:
        """
        Decode the arguments of a message, as the envelope describes it.

        Returns:
            The handler number of a request, 0 for others; and the arguments, the result, or
            what `load_exception` takes.

        Raises:
            RemoteProtocolError: they cannot be decoded. All references that stand before the
                place where it went wrong have been taken in.
        """
        limits = self.limits
        size = len(data)
        budget = self.uncounted if size <= limits.max_items else Budget(limits, size)
        handler = 0
        value: object
        try:
            if kind == MSG_REQUEST:
                tag = data[pos + 1]
                # as open_request, without the call: a pair that begins with a small int
                if data[pos] == 0x11 and 0x50 <= tag <= 0xEF:  # TAG_TUPLE_2, INT_ZERO, INT_LAST
                    handler = tag - 0x50  # INT_ZERO
                    pos += 2
                else:
                    handler, pos = open_request(data, pos, budget)
                if handler == HANDLE_CALLATTR:
                    value, end = self._call_arguments(data, pos, budget)
                else:
                    value, end = unbox(data, pos, limits.max_depth, budget, self._references)
            elif kind == MSG_EXCEPTION:
                value, end = load_value(data, pos, limits.max_depth, budget)
            else:
                value, end = unbox(data, pos, limits.max_depth, budget, self._references)
            if end != size:
                check_end(data, end)
            return handler, value
        except DECODING_FAILED as problem:
            error = protocol_error(problem, data)
        raise error  # out of there, for the problem's frames hold references

    def arguments_in_slices(self, data: bytes, kind: int, pos: int) -> Steps[tuple[int, object]]:
        """Do as `arguments`, a slice at each step."""
        budget = self.uncounted.as_counted()
        handler = 0
        try:
            if kind == MSG_REQUEST:
                handler, pos = open_request(data, pos, budget)
            references = None if kind == MSG_EXCEPTION else self._references
            depth = self.limits.max_depth
            value, end = yield from decoded_in_slices(data, pos, depth, budget, references)
            check_end(data, end)
            return handler, value
        except DECODING_FAILED as problem:
            error = protocol_error(problem, data)
        raise error

    def _call_arguments(self, data: bytes, pos: int, budget: Budget) -> tuple[object, int]:
        depth = self.limits.max_depth
        references = self._references
        site = self._last_site
        # most often it is called again, and nothing else begins with the same bytes
        again = data.startswith(site, pos)
        behind = pos + len(site) if again else call_site_end(data, pos)
        head = data[behind : behind + 2]
        if not behind or (head != VALUE_HEAD and head != TUPLE_HEAD):
            return unbox(data, pos, depth, budget, references)
        if not again:
            site = self._last_site = data[pos:behind]
        cache = self._call_site_cache
        known = cache.get(site) if cache is not None else None
        if known is None or known[0].count == 0:
            whole, end = unbox(data, pos, depth, budget, references)
            held = references.held(call_site_key(site))
            if held is not None:
                self._remember(site, held, whole)
            return whole, end
        args: object
        if head == VALUE_HEAD:
            args, end = load_value(data, behind + 2, depth - 1, budget)
        else:
            if not budget.counted and EXTENDED_HEAD in data:
                budget = budget.as_counted()  # one for the whole message
            args, end = unbox_tuple(data, behind + 2, depth - 1, budget, references)
        if data[end:] == EMPTY_TUPLE:
            return (known[0].target, known[1], args, ()), len(data)
        kwargs, end = unbox(data, end, depth - 1, budget, references)
        return (known[0].target, known[1], args, kwargs), end

    def _remember(self, site: bytes, held: HeldObject, call: object) -> None:
        assert type(call) is tuple  # call_site_end has found that
        if self._call_site_cache is None:
            self._call_site_cache = {}
        elif len(self._call_site_cache) >= _MOST_CALL_SITES:
            self._call_site_cache.clear()
        self._call_site_cache[site] = (held, call[1])
