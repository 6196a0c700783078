"""
`Halfway`: how far a path came at its owner, where it goes on elsewhere.

A path such as ``root.title.upper()`` gives what its steps, awaited one by one, would give. The
owner walks it in one request up to what travels by value, an object of the caller's own, or a
Deferred or coroutine, whose result may be either. Then it answers with HALFWAY: how many names
were used, and what stands there. The rest is the caller's to do, on its own copy.
"""

from __future__ import annotations

from typing import Any

from txremote.refs.reference import RemoteReference


class Halfway:
    """Where a path was left."""

    __slots__ = ("position", "value")

    def __init__(self, position: int, value: Any) -> None:
        self.position = position
        self.value = value


def further(found: object, used: int) -> Any:
    """Return what a peer has answered to the rest of a path, as it is of the whole path."""
    return Halfway(used + found.position, found.value) if type(found) is Halfway else found


def go_on(
    left: Halfway,
    names: tuple[str, ...],
    args: tuple[object, ...] | None,
    kwargs: dict[str, object],
    deadline: float | None,
) -> Any:
    """Go a path to its end from where its owner has left it; return what to await, perhaps."""
    rest, value = names[left.position :], left.value
    if type(value) is RemoteReference:
        return value._call(rest, args, kwargs, deadline)
    for name in rest:
        value = getattr(value, name)
    return value if args is None else value(*args, **kwargs)
