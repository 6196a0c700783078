"""
The clients of the console's floor.
"""

from __future__ import annotations

from benchmarks.peers.floor_lines import END
from benchmarks.peers.watching import Watchers


class Sockets(Watchers):
    """All of them."""

    end = END.encode()

    def watch(self, tasks: int, count: int) -> None:
        """Say who watches what."""
        self.boss.send(f"talk {tasks} {count}")
        self.boss.until("ready\n")
        for at, watcher in enumerate(self.watchers):
            watcher.send(f"watch {at % tasks}")
            watcher.until("ready\n")

    def lines_of(self, text: str) -> str:
        """Return the task's lines."""
        return text.removesuffix(END)


def connect(port: int) -> Sockets:
    """Return the clients, connected."""
    return Sockets(port)
