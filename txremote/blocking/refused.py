"""
Names of RPyC's that are not supported: they can be imported, for many a program
imports more than it uses, and refuse with a sentence when they are used.
"""

from __future__ import annotations

from typing import Any


class Refused(type):
    """
    The class of names that are refused.

    Attributes:
        instead: What to do instead: the end of the sentence.
    """

    instead: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """
        Refuse.

        Raises:
            NotImplementedError: always.
        """
        name = next(each.__name__ for each in cls.__mro__ if "instead" in vars(each))
        raise NotImplementedError(f"{name} of RPyC is not supported: {cls.instead}")


def refused(name: str, instead: str) -> Refused:
    """
    Return what stands for a name: a class, so that it can be derived from, too.

    Args:
        name: RPyC's name.
        instead: What to do instead, the end of a sentence.
    """
    return Refused(name, (), {"instead": instead, "__doc__": f"Refused: {instead}."})


class RefusedInUse(Refused):
    """
    The class of names of which objects can be made, and refuse when they are used: programs
    make them beforehand, and use them only if they are told to.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make one; what it is made with has no effect."""
        return type.__call__(cls)


def refused_in_use(name: str, instead: str, *methods: str) -> RefusedInUse:
    """
    Return what stands for a class of RPyC's of which objects are made and not always used.

    Args:
        name: RPyC's name.
        instead: What to do instead, the end of a sentence.
        methods: The names of the methods that refuse.
    """

    def refuse(self: object, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{name} of RPyC is not supported: {instead}")

    body: dict[str, Any] = {"instead": instead, "__doc__": f"Refused: {instead}."}
    return RefusedInUse(name, (), {**body, **dict.fromkeys(methods, refuse)})
