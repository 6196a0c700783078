"""The things that an operator may do, if any: each is logged with who has done it."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger as TwistedLogger, LogLevel

from txremote.levels import Logger, levels, parsed
from txremote.monitor.rows import plain
from txremote.monitor.snapshots import Snapshots
from txremote.peer.naming import about

_log = Logger("txremote")
_always = TwistedLogger("txremote.monitor")  # whatever the levels are


class Actions:
    """
    The actions. For the reactor's thread.

    Args:
        can_write: Whether anything may be done at all (option ``admin_write``).
    """

    def __init__(self, snapshots: Snapshots, can_write: bool) -> None:
        self._snapshots = snapshots
        self.can_write = can_write

    def check(self, what: str, by: str) -> None:
        """Raise PermissionError if nothing may be done, which is logged then."""
        if not self.can_write:
            _log.warn("{by} wanted to {what}, and may not", by=plain(by), what=what)
            raise PermissionError(f"to {what} is not allowed: start the server with --admin-write")

    def close_connection(self, number: int, by: str) -> bool | Deferred[bool]:
        """Close a connection; tell whether there was one. PermissionError."""
        self.check(f"close the connection {number}", by)
        connection = self._snapshots.find_connection(number)
        if connection is None or connection.is_closing:
            return False
        _log.warn(
            "{by} closes the connection {number} of {who}",
            by=plain(by),
            number=number,
            **about(connection),
        )
        connection.closing.close("an operator closed the connection")
        return True

    def kill_task(self, console: str, number: int, by: str) -> bool | Deferred[bool]:
        """Kill a task; tell whether there was anything left to end. PermissionError."""
        self.check(f"kill the task {number} of {plain(console)}", by)
        task = self._snapshots.find_task(console, number)
        if task is None or not task.kill():
            return False
        _log.warn("{by} kills {task}", by=plain(by), task=plain(repr(task)))
        return True

    def log_level(self, written: str | None, by: str) -> str:
        """Set a level, if one is given; return the levels. ValueError, PermissionError."""
        if written is not None:
            if parsed(written)[1] > LogLevel.warn and not self.can_write:
                raise PermissionError(
                    "to keep warnings from the log is not allowed: start the server with "
                    "--admin-write"
                )
            levels.change(written)
            _always.info("{by} has set the log's level: {now}", by=plain(by), now=levels)
        return str(levels)

    def toggle_debug(self) -> None:
        """Log events of all levels, or go back to the levels before that."""
        all_of_it = "events of all levels are logged; once more ends that"
        now = all_of_it if levels.toggle_debug() else f"the log's level is as before: {levels}"
        TwistedLogger("txremote").info("SIGUSR2: {now}", now=now)
