"""
The last warnings and errors of the log, for those who have no log at hand.

Only events of txremote's own namespaces, and failures that nobody has handled, are kept. Both
are few: what a peer can cause is logged sparingly.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from txremote.monitor.rows import LogRow, plain

#: How many events are kept.
KEPT: Final = 200

_KEPT_LEVELS: Final = frozenset({LogLevel.warn, LogLevel.error, LogLevel.critical})


@implementer(ILogObserver)
class RecentLog:
    """
    An observer of Twisted's log that keeps the last warnings and errors. Any thread.

    Attributes:
        totals: How many there were, by level, since the beginning.
    """

    def __init__(self) -> None:
        self.totals = {level.name: 0 for level in _KEPT_LEVELS}
        self._rows: deque[LogRow] = deque(maxlen=KEPT)
        self._observing = False

    def __call__(self, event: LogEvent) -> None:
        """Take in an event (`twisted.logger.ILogObserver`)."""
        if event.get("log_level") not in _KEPT_LEVELS:
            return
        namespace = str(event.get("log_namespace"))
        if namespace.partition(".")[0] != "txremote" and "log_failure" not in event:
            return
        self.totals[event["log_level"].name] += 1
        text = formatEvent(event)
        failure = event.get("log_failure")
        if failure is not None:
            text = f"{text}: {failure.getErrorMessage()}"
        self._rows.append(
            LogRow(
                at=event.get("log_time", time.time()),
                level=event["log_level"].name,
                namespace=plain(namespace),
                text=plain(text),
            )
        )

    def start(self) -> None:
        """Begin to observe."""
        if not self._observing:
            self._observing = True
            globalLogPublisher.addObserver(self)

    def stop(self) -> None:
        """Observe no more; what is kept stays."""
        if self._observing:
            self._observing = False
            globalLogPublisher.removeObserver(self)

    def rows(self) -> list[LogRow]:
        """Return what is kept, oldest first."""
        return list(self._rows)
