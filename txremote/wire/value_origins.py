"""
Objects that peers have sent as values, of kinds with methods that no peer is to call.

An array or a frame writes files (``tofile``, ``to_csv``), and a pattern searches for as long as
its text makes it. A peer that sends one and is handed a reference to it would have these methods
where a switch opens public names, though the program has never had such an object of its own. So
those that are loaded are noted here, weakly, and the gate asks before it hands one out
(`txremote.gate.access`).

An object that the program itself makes of such an object, a copy too, is its own.
"""

from __future__ import annotations

import weakref
from typing import Final, TypeVar

T = TypeVar("T")

# by id, as arrays have no hash; a reference goes before its object's id is another's
_sent: Final[dict[int, weakref.ref[object]]] = {}


def noted(value: T) -> T:
    """Note an object that a peer has sent, and return it. It takes weak references."""
    key = id(value)

    def forget(reference: object) -> None:
        if _sent.get(key) is reference:
            del _sent[key]

    _sent[key] = weakref.ref(value, forget)
    return value


def was_sent(value: object) -> bool:
    """Tell whether an object was noted. May be called from any thread."""
    reference = _sent.get(id(value))
    return reference is not None and reference() is value
