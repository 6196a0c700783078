"""
`GameConsole`: the commands of a game's line console, where ``TXREMOTE`` names no others.

The console asks for no password. It listens on this machine only, or with TLS that asks for
certificates, and whoever reaches it may use every command: ``unix:PATH`` is for one's own account.
"""

from __future__ import annotations

from collections.abc import Iterator

from txremote.contrib.evennia.jobrows import find_row, line, rows


class GameConsole:
    """The commands of a game's console."""

    commands = ("who", "jobs", "kill")

    def who(self) -> Iterator[str]:
        """list who is connected, and where"""
        import evennia

        for session in evennia.SESSION_HANDLER.get_sessions():
            puppet = session.get_puppet()
            where = getattr(puppet, "location", None)
            playing = f" as {puppet.key}" if puppet is not None else ""
            yield f"{session.account.key}{playing}" + (f" in {where.key}" if where else "")

    def jobs(self) -> Iterator[str]:
        """list the jobs of run_async, and the tasks of this console"""
        for row in rows():
            yield line(row)

    def kill(self, number: str) -> str:
        """end a job, by its number in the list"""
        row = find_row(number)
        if row is None:
            return f"there is no job {number}"
        if row.ended:
            return f"it has ended: {row}"
        row.kill()
        return f"{row.id} {row.name} is ended"
