"""
What lanes and their threads need of a connection and a reactor. Not a test file.
"""

from __future__ import annotations

import threading

from tests.blocking.script_threads import DEADLINE
from txremote.net.lanes import Lane
from txremote.net.workerface import WorkerFace
from txremote.net.workers import WorkerPool
from txremote.refs import forks


class Reactor:
    """As much of a reactor as a face needs to wait: nothing runs in it."""

    io_thread = -1


class Peer:
    """As much of a connection."""

    closed = False
    why_ended = ""
    home = forks.here

    def check_process(self) -> None:
        """It is this process's."""


def face_of(pool: WorkerPool, lane: Lane | None) -> WorkerFace:
    return WorkerFace(Peer(), Reactor(), pool, lane)


class Gate:
    """A thread that waits at a gate says so, and goes on when it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(DEADLINE)
