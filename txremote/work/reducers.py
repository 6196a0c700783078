"""
Objects that travel with a job in a form of their own.

A program may have objects that are one thing in all of its processes, though each has its own copy:
a row of a database, say. It registers a function that says how such an object is made anew in
another process, as ``__reduce__`` of its class would; the function is asked for all objects in the
jobs, results and errors that leave this process. It is registered in each process that sends them.

While none is registered nothing is asked, and jobs are pickled at the speed of `pickle.dumps`.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

#: Gives what ``__reduce__`` may give, or NotImplemented for an object that is not its concern.
Reduce = Callable[[object], object]

_registered: list[Reduce] = []


def register_reducer(reduce: Reduce) -> None:
    """
    Have a function say how some objects travel in jobs, results and errors.

    Args:
        reduce: Called with an object, any but a plain number, string, list, tuple, dict or set, in
            the thread that sends it. Returns what the object's ``__reduce__`` might, or
            NotImplemented. If it raises, the object cannot be sent for that reason. The last one
            registered is asked first; the same one is registered once.

    May be called in any thread, before jobs are sent.
    """
    if reduce not in _registered:
        _registered.insert(0, reduce)


def unregister_reducer(reduce: Reduce) -> None:
    """Take a function back. Nothing happens if it is not registered."""
    if reduce in _registered:
        _registered.remove(reduce)


def are_registered() -> bool:
    """Tell whether there are any: if not, a pickler need not ask."""
    return bool(_registered)


def reduced(found: object) -> object:
    """Return an object's form in which it travels, or NotImplemented."""
    for reduce in _registered:
        form = reduce(found)
        if form is not NotImplemented:
            return form
    return NotImplemented


class ReducingPickler(pickle.Pickler):
    """The plain pickler, which asks the registered functions first."""

    def reducer_override(self, found: object) -> Any:
        """Return an object's form, as the registered functions say."""
        return reduced(found)


def dumps(
    value: object,
    protocol: int,
    *,
    buffer_callback: Callable[[pickle.PickleBuffer], object] | None = None,
) -> bytes:
    """Pickle a value as `pickle.dumps` does, with the registered functions."""
    file = io.BytesIO()
    ReducingPickler(file, protocol, buffer_callback=buffer_callback).dump(value)
    return file.getvalue()
