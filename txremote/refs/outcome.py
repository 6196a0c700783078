"""
`Outcome`: how a call ended, wrapped to pass safely through Deferreds.

A result may pass through Deferreds before it is sent, and Twisted inspects it:
``isinstance(result, Failure)`` reads the result's ``__class__``, and a `Failure` its
exception's ``__traceback__``. Where a class defines these by code that raises, Twisted drops
the callback that would have answered, silently. So the result of a thread or of a coroutine
is wrapped.
"""

from __future__ import annotations

from twisted.python.failure import Failure

from txremote.wire.naming import class_name


class Outcome:
    """
    How a call ended.

    Attributes:
        value: The result; or the exception, which may be in words
            (`txremote.peer.error_report.ErrorReport`).
    """

    __slots__ = ("value", "went_well")

    def __init__(self, went_well: bool, value: object) -> None:
        self.went_well = went_well
        self.value = value


def can_be_failure(error: BaseException) -> bool:
    """Tell whether Twisted can make a Failure of an exception."""
    try:
        Failure(error)
    except BaseException:  # its class's own code
        return False
    return True


def failure_of(error: BaseException) -> Failure:
    """
    Return the Failure of an exception; of one that Twisted cannot inspect, the Failure of
    an error that says so.
    """
    if can_be_failure(error):
        return Failure(error)
    name = class_name(type(error))
    return Failure(RuntimeError(f"{name}, whose class raises when it is looked at"))
