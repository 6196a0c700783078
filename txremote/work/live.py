"""`live`: an argument that goes by reference where all others go by value."""

from __future__ import annotations

from typing import Any, NoReturn


class Live:
    """
    An object that a job shall reach and not get a copy of.

    As an argument it is taken off. A function that has one among its variables still has it in a
    thread, so it stands in for its object there.
    """

    __slots__ = ("target",)

    def __init__(self, target: Any) -> None:
        self.target = target

    def __repr__(self) -> str:
        return f"live({self.target!r})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.target(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked for by copy, or by pickle
            raise AttributeError(name)
        return getattr(self.target, name)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        # a job's pickler never comes here: it takes the reference out before
        raise TypeError(
            "live() is for jobs in a process or in a thread: in their arguments, and in the "
            "variables of their functions"
        )


def live(obj: Any) -> Any:
    """
    Pass an object to a job by reference.

    In a process pool the job gets a blocking netref, and may call the object, in its parent, while
    it runs; in a thread it gets the object itself. May stand anywhere in the arguments, and in the
    variables of a closure or the defaults of a lambda. References to other peers' objects go by
    reference without being asked. A job in a process may give one as its result, too, of what
    lives as long as that process. Any thread.

    Args:
        obj: Any object: a callback, a game object.
    """
    return obj if isinstance(obj, Live) else Live(obj)
