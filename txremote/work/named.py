"""
Functions that travel to another process by the name of what stands in their place.

A decorator that gives something else leaves the function itself under `OFFLOADED_MARK`. The other
process imports the module, finds the object of that name, and takes the function out of it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

Function = Callable[..., Any]

#: The attribute under which `offloaded` leaves the function itself, by which another
#: process finds it. Any decorator above that uses `functools.wraps` passes it on.
OFFLOADED_MARK = "__offloaded__"


class FunctionByName:
    """An offloaded function as it travels: the name of what stands in its place."""

    def __init__(self, module: str, qualname: str) -> None:
        self.module = module
        self.qualname = qualname

    def find(self) -> Function:
        """Import it."""
        found: Any = import_module(self.module)
        for name in self.qualname.split("."):
            found = getattr(found, name)
        function: Function = getattr(found, OFFLOADED_MARK)
        return function

    def __call__(self, /, *args: object, **kwargs: object) -> Any:
        return self.find()(*args, **kwargs)


def by_name(function: Function) -> Function:
    """Return what travels for a function, whose own name means its decorated form."""
    named = FunctionByName(function.__module__, function.__qualname__)
    if function.__module__ != "__main__":  # which is something else in another process
        try:
            if named.find() is function:
                return named
        except (ImportError, AttributeError):  # defined within a function
            pass
    return function
