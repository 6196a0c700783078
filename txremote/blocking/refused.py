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
