"""
Names of RPyC's that are not supported. They can be imported, since programs import more than
they use, and raise NotImplementedError with an explanation when they are used.
"""

from __future__ import annotations


class Refused(type):
    """The class of names that are refused."""

    instead: str  # the end of the sentence: the replacement

    def __call__(cls, *args: object, **kwargs: object) -> object:
        """Raise NotImplementedError."""
        name = next(each.__name__ for each in cls.__mro__ if "instead" in vars(each))
        raise NotImplementedError(f"{name} of RPyC is not supported: {cls.instead}")


def refused(name: str, instead: str) -> Refused:
    """Return a class for a name of RPyC's, so that programs can derive from it, too."""
    return Refused(name, (), {"instead": instead, "__doc__": f"Refused: {instead}."})
