"""
The clients of the line console: ``.output N -f``.
"""

from __future__ import annotations

from benchmarks.peers.watching import Watchers

PROMPT = "i> "


class Consoles(Watchers):
    """All of them."""

    end = PROMPT.encode()

    def __init__(self, port: int) -> None:
        super().__init__(port)
        for client in (*self.watchers, self.boss):
            client.until(PROMPT)

    def watch(self, tasks: int, count: int) -> None:
        """Begin tasks, and follow them."""
        numbers = []
        for _ in range(tasks):
            self.boss.send(f"talk {count}")
            numbers.append(self.boss.until(PROMPT).split()[1])
        for at, watcher in enumerate(self.watchers):
            watcher.send(f".output {numbers[at % tasks]} -f")
        for watcher in self.watchers:
            watcher.until("RUNNING>\r\n")

    def lines_of(self, text: str) -> str:
        """Return the task's lines: there are the task and the prompt behind them."""
        *lines, _task, _prompt = text.splitlines(keepends=True)
        return "".join(lines)


def connect(port: int) -> Consoles:
    """Return the clients, connected."""
    return Consoles(port)
