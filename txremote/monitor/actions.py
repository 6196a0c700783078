"""The things that an operator may do, if any: each is logged with who has done it."""

from __future__ import annotations

from txremote.levels import Logger
from txremote.monitor.rows import plain
from txremote.monitor.snapshots import Snapshots
from txremote.peer.naming import about

_log = Logger("txremote")


class Actions:
    """
    The actions. For the reactor's thread.

    Args:
        can_write: Whether anything may be done at all (option ``admin_write``).
    """

    def __init__(self, snapshots: Snapshots, can_write: bool) -> None:
        self._snapshots = snapshots
        self.can_write = can_write

    def _check(self, what: str, by: str) -> None:
        if not self.can_write:
            _log.warn("{by} wanted to {what}, and may not", by=plain(by), what=what)
            raise PermissionError(f"to {what} is not allowed: start the server with --admin-write")

    def close_connection(self, number: int, by: str) -> bool:
        """Close a connection; tell whether there was one. PermissionError."""
        self._check(f"close the connection {number}", by)
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

    def kill_task(self, console: str, number: int, by: str) -> bool:
        """Kill a task; tell whether there was anything left to end. PermissionError."""
        self._check(f"kill the task {number} of {plain(console)}", by)
        task = self._snapshots.find_task(console, number)
        if task is None or not task.kill():
            return False
        _log.warn("{by} kills {task}", by=plain(by), task=plain(repr(task)))
        return True
