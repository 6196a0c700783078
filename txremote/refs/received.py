"""
Values that were received, as code has them that may block: with netrefs for references.

A netref is made in the thread that will use it, so a value is unboxed with `RemoteReference`s in
it. A reactor's code has it so; a thread has each of them replaced first. The containers of a
value are its receiver's alone, and are changed in place. But a list in it may be one of this
side's own that has come back by reference: that is left alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from txremote.refs.reference import RemoteReference
from txremote.wire.plain import ATOMS
from txremote.wire.record import Record, record_fields
from txremote.wire.values import ReceivedValue

Change = Callable[[RemoteReference], object]

_PARTS = frozenset({tuple, frozenset, list, set, deque, Record})


def changed(received: ReceivedValue, change: Change) -> object:
    """Return a value with something else for each reference, which replaces them for good."""
    if received.mixed:
        received.mixed = False
        received.value = _Walk(change, received.own).of(received.value)
    return received.value


class _Walk:
    """Replaces the references in one value, in place where it can be changed."""

    def __init__(self, change: Change, own: Collection[int]) -> None:
        self._change = change
        self._own = own
        self._done: dict[int, object] = {}

    def of(self, value: Any) -> Any:
        """Return a part with its references replaced."""
        kind = type(value)
        if kind in ATOMS:
            return value
        if kind is RemoteReference:
            return self._change(value)
        number = id(value)
        if number in self._own or not (kind in _PARTS or issubclass(kind, dict)):
            return value
        if number not in self._done:
            self._done[number] = self._part(value, kind)
        return self._done[number]

    def _part(self, value: Any, kind: type) -> object:
        if kind is tuple or kind is frozenset:
            return kind([self.of(item) for item in value])
        if kind is Record:
            fields = record_fields(value)
            fields.update([(name, self.of(item)) for name, item in fields.items()])
        elif issubclass(kind, dict):
            items = [(self.of(key), self.of(item)) for key, item in value.items()]
            value.clear()
            for key, item in items:
                value[key] = item
        else:
            items = [self.of(item) for item in value]
            value.clear()
            value.update(items) if kind is set else value.extend(items)
        return value


# what may have to be settled
_SETTLED = frozenset({ReceivedValue, tuple})


def settled(value: Any) -> Any:
    """Return what was unboxed as a reactor's code has it: values as they are."""
    kind = type(value)
    if kind is ReceivedValue:
        return value.value
    if kind is tuple:
        for item in value:
            if type(item) in _SETTLED and item:  # an empty tuple has nothing in it
                return tuple([settled(it) if type(it) in _SETTLED else it for it in value])
    return value
