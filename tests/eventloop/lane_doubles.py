"""
What lanes and their threads need of a connection and a reactor. Not a test file.
"""

from __future__ import annotations

import threading

from tests.blocking.script_threads import DEADLINE
from txremote.eventloop.lanes import Lane
from txremote.eventloop.worker_pool import WorkerPool
from txremote.eventloop.worker_view import WorkerView
from txremote.refs import forks


class Reactor:
    """As much of a reactor as a view needs to wait: nothing runs in it."""

    io_thread = -1


class Peer:
    """As much of a connection."""

    transport = None
    closed = False
    why_ended = ""
    home = forks.here

    def check_process(self) -> None:
        """It is this process's."""


def view_of(pool: WorkerPool, lane: Lane | None) -> WorkerView:
    return WorkerView(Peer(), Reactor(), pool, lane)


class Gate:
    """A thread that waits at a gate says so, and goes on when it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(DEADLINE)
