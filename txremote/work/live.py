"""`live`: an argument that goes by reference where all others go by value."""

from __future__ import annotations

from typing import Any, NoReturn


class Live:
    """An object that a job shall reach and not get a copy of."""

    __slots__ = ("target",)

    def __init__(self, target: Any) -> None:
        self.target = target

    def __repr__(self) -> str:
        return f"live({self.target!r})"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        # a job's pickler never comes here: it takes the reference out before
        raise TypeError("live() is for the arguments of a job in a process or in a thread")


def live(obj: Any) -> Any:
    """
    Pass an object to a job by reference.

    In a process pool the job gets a blocking netref, and may call the object, in its parent, while
    it runs; in a thread it gets the object itself. May stand anywhere in the arguments. References
    to other peers' objects go by reference without being asked. A job in a process may give one as
    its result, too, of what lives as long as that process. Any thread.

    Args:
        obj: Any object: a callback, a game object.
    """
    return obj if isinstance(obj, Live) else Live(obj)
