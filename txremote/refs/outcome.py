"""
`Outcome`: how a call ended, wrapped to pass safely through Deferreds.

Twisted inspects a result that passes through a Deferred:
``isinstance(result, Failure)`` reads the result's ``__class__``, and a `Failure` its
exception's ``__traceback__``. Where a class defines these by code that raises, Twisted drops
the callback that would have answered, silently. So the result of a thread or of a coroutine
is wrapped.
"""

from __future__ import annotations

from twisted.python.failure import Failure

from txremote.wire.naming import class_name


class Outcome:
    """How a call ended: with a result, or with an exception or its `ErrorReport`."""

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
    """Return the Failure of an exception, or of one that says that it cannot be inspected."""
    if can_be_failure(error):
        return Failure(error)
    name = class_name(type(error))
    return Failure(RuntimeError(f"{name}, whose class raises when it is looked at"))
