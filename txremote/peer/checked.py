"""`Checked`: a result that is still to come, and what is done with it when it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txremote.refs.outcome import Outcome


class Checked:
    """
    A stand-in that a method has returned for its result, such as a coroutine, and how the
    result leaves.

    Attributes:
        result: It; what `txremote.peer.awaiting.awaited` makes a Deferred of.
    """

    __slots__ = ("_finish", "result")

    def __init__(self, result: object, finish: Callable[[object], object]) -> None:
        self.result = result
        self._finish = finish

    def finish(self, found: Any) -> object:
        """Return the result as it leaves; for a Deferred's callback, too."""
        if type(found) is not Outcome:
            return self._finish(found)
        return Outcome(True, self._finish(found.value)) if found.went_well else found
