"""
`Halfway`: how far a path came at its owner, where it goes on elsewhere.

A path such as ``root.title.upper()`` is to give what its steps, awaited one by one,
give. The owner walks it in one request as long as it meets objects of its own. It stops
at

* what travels by value: the rest is the caller's to do, on its own copy and at its own
  cost, and with its own arguments as they are;
* an object of the caller's own, which is there already;
* a Deferred or a coroutine, whose result may be either, or be asked by a second request.

Then it answers with HALFWAY: how many names were used, and what stands there.
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
    """
    Go a path to its end from where its owner has left it.

    Args:
        args: The arguments of the call at its end, or None to read.

    Returns:
        The result, or what is to be awaited for it.
    """
    rest, value = names[left.position :], left.value
    if type(value) is RemoteReference:
        return value._call(rest, args, kwargs, deadline)
    for name in rest:
        value = getattr(value, name)
    return value if args is None else value(*args, **kwargs)
