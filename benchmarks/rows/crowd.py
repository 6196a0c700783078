"""
A crowd: very many clients, all connected, all of whom make calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import ContestantFailed, Sample
from benchmarks.rows.base import Bar, Row

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Stage
    from benchmarks.peers import Peer

_CLIENTS = "benchmarks.peers.crowd"


@dataclass
class Started:
    """
    A crowd that has come.

    Attributes:
        server: Its server.
        clients: The clients' process.
        size: How many they are.
        memory: KB that each takes, in the server and in the clients' process.
    """

    server: Child
    clients: Child
    size: int
    memory: list[float]

    def cpu(self) -> float:
        """Return the seconds of processor time that both sides have used."""
        return float(self.server.ask("cpu") + self.clients.ask("cpu"))


class Crowd(Row):
    """
    What a call costs with 10,000 clients connected, to what it costs with 100: the
    processor time of both sides. Every client makes its call in turn, 100 calls are
    in flight. The clients are of the contestant's own kind, a crowd in one process.

    Nothing is flat here, not even the floor: what was used 10,000 connections ago is in
    no cache of the processor any more, nor of the kernel's. So the bar is the floor's
    growth. An error of any client is the row's failure.
    """

    name = "crowd"
    work = "10,000 clients connect, each makes a call, all stay: cost of a call to that with 100"
    unit = "x"
    more_is_better = False
    contestants = ("echo", "txremote")
    floor = "echo"
    goal = (Bar(1.1, "echo"),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> list[Started]:
        """Have both crowds come, each to a server of its own."""
        started = []
        for size in (20, 200) if effort.quick else (100, 10_000):
            server = stage.serve(peer.module)
            clients = stage.connect(_CLIENTS, server.first, peer.title == "floor")
            before = [side.status("VmRSS") or 0 for side in (server, clients)]
            clients.ask("come", size)
            clients.ask("call", size)
            after = [side.status("VmRSS") or 0 for side in (server, clients)]
            memory = [(b - a) / size / 1024 for a, b in zip(before, after, strict=True)]
            started.append(Started(server, clients, size, memory))
        return started

    def measure(self, state: list[Started], effort: Effort) -> Sample:
        """
        Have each crowd make as many calls as the larger one has clients, and look
        whether all are still there.
        """
        calls = state[-1].size
        costs = []
        for crowd in state:
            before = crowd.cpu()
            crowd.clients.ask("call", calls)
            costs.append((crowd.cpu() - before) / calls * 1e6)
            if crowd.clients.ask("all_there") != crowd.size:
                raise ContestantFailed("somebody has gone")
        few, many = costs
        server, clients = state[-1].memory
        return Sample(
            many / few,
            f"{few:.0f} us and {many:.0f} us; {server:.1f} KB each and {clients:.1f} KB each",
        )


ROW = Crowd()
