"""
What a connection logs, and how much of it.

There is one event for each connection, when it ends, and one for each failure of
which somebody has to know. Two are of interest to who looks for something only:
that a client came, and that a call ended with an exception, which its caller is
told anyway. There may be thousands of them a second, so they are of level *debug*,
and twistd, which writes down whatever it is given, is spared them unless
``--verbose`` asks for them.

The verbosity is the whole process's, as the log is.
"""

from __future__ import annotations

from typing import Final

from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogPublisher,
)

_NAMESPACE: Final = "txremote"

# what is let through: everything, until it is said otherwise
_levels = LogLevelFilterPredicate(defaultLogLevel=LogLevel.debug)


def logger_for(name: str) -> Logger:
    """Return the logger of a part of this package: its namespace is below ``txremote``."""
    return Logger(
        f"{_NAMESPACE}.{name}", observer=FilteringLogObserver(globalLogPublisher, [_levels])
    )


class RateLimitedCount:
    """
    Counts what a peer can make happen at will, and tells when it is worth an event.

    Args:
        every: Seconds that lie between two events at least.
    """

    def __init__(self, every: float = 10.0) -> None:
        self._every = every
        self._count = 0
        self._told = -every

    def one_more(self, now: float) -> int:
        """
        Count one more.

        Args:
            now: The time, in seconds.

        Returns:
            How many there were since the last event; 0 if it is too soon for another.
        """
        self._count += 1
        if now - self._told < self._every:
            return 0
        count, self._count, self._told = self._count, 0, now
        return count


class Ration:
    """
    Lets so much through in each span of time, and counts what is left out.

    Args:
        most: How much that is, in whatever unit.
        span: Seconds.

    Attributes:
        left_out: How often something was left out since `told`.
    """

    def __init__(self, most: int, span: float) -> None:
        self._most = most
        self._span = span
        self._since = -span
        self._spent = 0
        self.left_out = 0

    def allows(self, size: int, now: float) -> bool:
        """
        Tell whether so much more may go through, which is then counted.

        Args:
            size: How much it is.
            now: The time, in seconds.
        """
        if now - self._since >= self._span:
            self._since = now
            self._spent = 0
        if self._spent >= self._most:
            self.left_out += 1
            return False
        self._spent += size
        return True

    def told(self) -> int:
        """Return how often something was left out, and count anew."""
        count, self.left_out = self.left_out, 0
        return count


def set_verbose(verbose: bool) -> None:
    """Have events of level debug logged, as they are to begin with, or not."""
    level = LogLevel.debug if verbose else LogLevel.info
    _levels.setLogLevelForNamespace(_NAMESPACE, level)
