"""
`FailureLog`: methods that fail, as an operator hears of them.

A caller on this machine, or one that has logged in, gets the whole exception, so its calls that
fail are details in the log. But nobody may be looking at the caller. So of each method the first
failure is told, with its line, and then how many more there were, every ten seconds as long as
there are any.

Many methods may fail at once: of those past `MOST_METHODS` only their number is told.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime

from txremote.peer.error_report import ErrorReport
from txremote.peer.logging import logger_for
from txremote.peer.naming import Named, about
from txremote.wire.naming import class_name

_log = logger_for("call")

#: Seconds for which the failures of a method are counted, after one was told.
EVERY: Final = 10.0

#: Methods that are told of by name at a time.
MOST_METHODS: Final = 100

_OTHERS: Final = "other methods"


class _Counted:
    """The failures of one method since one was told: how many, and the last."""

    __slots__ = ("count", "last")

    def __init__(self) -> None:
        self.count = 0
        self.last: dict[str, object] = {}


class FailureLog:
    """
    The methods of a listener that fail. For the thread of its connections.

    Args:
        clock: Says when to tell of those that were counted.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._methods: dict[str, _Counted] = {}

    def note(self, report: ErrorReport, caller: Named) -> bool:
        """Tell of a failure, or count it; return whether it was told now."""
        method, kind = report.called, class_name(type(report.error))
        if kind == "CancelledError":  # Twisted's or asyncio's: nobody waits for it any more
            return False
        fields = {
            **about(caller),
            "call": method,
            "kind": kind,
            "error": report.text,
            "raised": f"{kind}: {report.text}" if report.text else kind,
            "line": report.line,
        }
        counted = self._methods.get(method)
        if counted is None and len(self._methods) >= MOST_METHODS:
            method = _OTHERS
            counted = self._methods.get(method)
        if counted is not None:
            counted.count += 1
            counted.last = fields
            return False
        self._methods[method] = _Counted()
        self._clock.callLater(EVERY, self._tell, method)
        _log.warn("{call}, called by {who}, failed: {raised} ({line})", **fields)
        return True

    def _tell(self, method: str) -> None:
        """Tell how many more there were, if any; else the next one is told at once."""
        counted = self._methods.pop(method)
        if not counted.count:
            return
        self._methods[method] = _Counted()
        self._clock.callLater(EVERY, self._tell, method)
        _log.warn(
            "{method} failed {count} more {times} in {seconds:g} s, the last called by {who}: "
            "{raised} ({line})",
            method=method,
            count=counted.count,
            times="time" if counted.count == 1 else "times",
            seconds=EVERY,
            **counted.last,
        )
