"""
Thousands of clients that come and drop without a good-bye: ``python -m
benchmarks.soak``.

`peers.visitors` come to a `peers.fort`, 2,000 at a time, for two minutes, while
`peers.visitors_page` send its admin page what no browser sends. Then everybody is
gone, and so shall be all that was held for them: descriptors, exported objects,
references, pending calls, streams and their sources, subscriptions, timers, and
memory. What is compared is the fort after the first half of it, which fills the
heap, and the fort at the end.

The short run that goes with the tests is in ``tests/hostile``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import Child, Stage

#: The server's module.
FORT = "benchmarks.peers.fort"

#: Seconds after which nothing may be left of those who have gone.
PATIENCE = 30.0

#: What has to be as it was, and what has to be nothing.
SAME = ("descriptors", "timers")
NOTHING = (
    *("connections", "strangers", "turned away", "addresses", "exports", "imports"),
    *("pending", "unanswered", "streams", "subscriptions", "sources", "subscribers"),
    *("page clients", "pages", "undead", "trouble"),
)

#: Bytes that may not have been given back to the system: the heap has holes.
SLACK = 8 << 20


#: How many strangers are at the admin page.
STRANGERS = 30


class Leaked(Exception):
    """Something is left, or somebody was not served. The text says what."""


@dataclass
class Soak:
    """
    What a soak has found.

    Attributes:
        visits: How many connections there were.
        calls: How many of their calls were answered.
        errands: How often values, streams, topics and graphs were used.
        page: What the page's strangers were answered, by status.
        most: The most connections at a time that were seen.
        memory: The fort's resident memory in bytes after the first half, at the most
            and at the end.
    """

    visits: int
    calls: int
    errands: int
    page: dict[str, int]
    most: int
    memory: tuple[int, int, int]

    def __str__(self) -> str:
        before, peak, after = (size / (1 << 20) for size in self.memory)
        return (
            f"{self.visits:,} connections, up to {self.most:,} at a time, {self.calls:,} calls, "
            f"{self.errands:,} errands, {sum(self.page.values()):,} requests of strangers to the "
            f"admin page: nothing is left. Memory: {before:.1f} MiB before, {peak:.1f} at the "
            f"most, {after:.1f} after."
        )


def settled(server: Child, before: dict[str, int] | None = None) -> dict[str, int]:
    """
    Wait until the fort holds nothing, and return its state.

    Raises:
        Leaked: it still does.
    """
    end = time.monotonic() + PATIENCE
    while True:
        state: dict[str, int] = server.ask("state")
        left = {name: state[name] for name in NOTHING if state[name]}
        if before is not None:
            left |= {
                name: state[name] - before[name] for name in SAME if state[name] != before[name]
            }
        if not left:
            return state
        if time.monotonic() > end:
            raise Leaked(f"this is left: {left} {server.ask('trouble')}")
        time.sleep(0.2)


class Soaking:
    """A fort, and those who come to it, each a process."""

    def __init__(self, server: Child, visitors: Child, strangers: Child, out: Any) -> None:
        self._server = server
        self._visitors = visitors
        self._strangers = strangers
        self._out = out

    def wave(self, connections: int, stay: float, seconds: float) -> int:
        """Have them come and go for so long, and leave; return the most that were there at once."""
        most = 0
        self._visitors.ask("begin", connections, stay)
        self._strangers.ask("begin", STRANGERS)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(5.0, left))
            most = max(most, self._look())
        self._visitors.ask("leave")
        self._strangers.ask("leave")
        self._look()
        if not self._strangers.ask("report")["served"]:
            raise Leaked("the admin page has served nobody who knows its token")
        end = time.monotonic() + PATIENCE
        while left := self._visitors.ask("report")["sources"]:
            if time.monotonic() > end:
                raise Leaked(f"{left} sources of the visitors' own streams are still open")
            time.sleep(0.2)
        return most

    def _look(self) -> int:
        """Return how many connections there are. Leaked: something has gone wrong."""
        state, report = self._server.ask("state"), self._visitors.ask("report")
        page = self._strangers.ask("report")
        if report["errors"] or page["errors"] or state["trouble"]:
            raise Leaked(f"{report['errors']} {page['errors']} {self._server.ask('trouble')}")
        if self._out is not None:
            shown = ("connections", "pending", "exports", "streams", "subscriptions", "pages")
            held = {name: state[name] for name in shown}
            size = (self._server.status("VmRSS") or 0) >> 20
            words = f"{report['visits']:,} visits, {held}, {size} MiB, page: {page['answers']}"
            print(words, file=self._out, flush=True)
        found: int = state["connections"]
        return found


def soak(connections: int, seconds: float, stay: float, out: Any = None, fort: str = FORT) -> Soak:
    """
    Have clients come and go.

    Args:
        connections: How many at a time.
        seconds: For how long.
        stay: Seconds that one stays, on average.
        out: Where progress is told, if anywhere.
        fort: The module of the server.

    Raises:
        Leaked: something is left, or somebody was not served.
    """
    with Stage() as stage, tempfile.TemporaryDirectory() as folder:
        token = f"{folder}/token"
        server = stage.serve(fort, {"soak": {}, "page": {"token": token}})
        visitors = stage.connect("benchmarks.peers.visitors", server.first["soak"])
        strangers = stage.connect("benchmarks.peers.visitors_page", server.first["page"], token)
        if out is not None:
            print(server.ask("version"), file=out)
        soaking = Soaking(server, visitors, strangers, out)
        most = soaking.wave(connections, stay, seconds / 2)
        before = settled(server)
        memory = server.ask("begin_peak")
        most = max(most, soaking.wave(connections, stay, seconds / 2))
        settled(server, before)
        peak, after = server.ask("peak"), server.ask("begin_peak")
        if after > memory + SLACK:
            raise Leaked(f"{(after - memory) / (1 << 20):.1f} MiB of memory were not given back")
        report, page = visitors.ask("report"), strangers.ask("report")
        return Soak(
            *(report["visits"], report["calls"], report["errands"], page["answers"]),
            *(most, (memory, peak, after)),
        )


def main(argv: list[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--connections", type=int, default=2000, help="at a time (2000)")
    parser.add_argument("--seconds", type=float, default=120.0, help="for how long (120)")
    parser.add_argument("--stay", type=float, default=5.0, help="seconds of a visit (5)")
    options = parser.parse_args(argv)
    try:
        print(soak(options.connections, options.seconds, options.stay, sys.stderr))
    except Leaked as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
