"""
The events of a connection, and how many of them are logged.

There is one event for each connection, when it ends, and one for each failure that somebody
has to know of. That a client has come, or that a call has raised an exception, which its
caller gets anyway, is of level *debug*: there may be thousands a second, and twistd, which
writes all it is given, gets them only with ``--verbose``.
"""

from __future__ import annotations

from txremote.levels import Logger


def logger_for(name: str) -> Logger:
    """Return the logger of a part of this package: its namespace is below ``txremote``."""
    return Logger(f"txremote.{name}")


class RateLimitedCount:
    """Counts events that a peer can cause, and says when to log one: ``every`` seconds."""

    def __init__(self, every: float = 10.0) -> None:
        self._every = every
        self._count = 0
        self._last_logged = -every

    def one_more(self, now: float) -> int:
        """Count one more; return how many since the last event, or 0 if it is too soon."""
        self._count += 1
        if now - self._last_logged < self._every:
            return 0
        count, self._count, self._last_logged = self._count, 0, now
        return count


class RateLimit:
    """Lets so much through in each span of seconds, and counts what is left out."""

    def __init__(self, most: int, span: float) -> None:
        self._most = most
        self._span = span
        self._since = -span
        self._spent = 0
        self.left_out = 0

    def allows(self, size: int, now: float) -> bool:
        """Tell whether this much more may pass, and count it then."""
        if now - self._since >= self._span:
            self._since = now
            self._spent = 0
        if self._spent >= self._most:
            self.left_out += 1
            return False
        self._spent += size
        return True

    def take_left_out(self) -> int:
        """Return how often something was left out, and count anew."""
        count, self.left_out = self.left_out, 0
        return count
