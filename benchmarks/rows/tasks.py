"""
Many short commands at once as background tasks: how much work it is to be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers import PEERS
from benchmarks.rows.base import Bar
from benchmarks.rows.pools import ThreadsPool

if TYPE_CHECKING:
    from benchmarks.harness import Child, Stage
    from benchmarks.peers import Peer

_OUR_TASKS = "benchmarks.peers.txr_tasks"


class ThreadTasks(ThreadsPool):
    """
    ``thread_tasks(count, size)``: give the command line ``increment N`` size times
    at once, wait until all tasks have ended and look at their results, and do that
    count times.

    A task is a line that plac's parser reads, a state that is told of, output that
    is kept, a number by which it is found; the floor, a thread for each, is nothing
    of that. plac's tasks are the same to their user.
    """

    name = "thread tasks"
    work = "500 tasks of one line at once, a thread each"
    method = "thread_tasks"
    size = 500
    contestants = ("plain", "plac", "txremote")
    # Both have plac's parser and a thread for each; plac's end where they are, while
    # ours come back to the reactor, are told of, and keep what they print. Half of
    # plac's still starts thousands a second.
    first = (Bar(0.5, "plac", "plac"),)
    goal = (Bar(1.0, "plac", "plac"),)

    def begin(self, stage: Stage, peer: Peer) -> tuple[Child, str]:
        """Start a contestant; the floor is in the same process as txremote."""
        plain = peer.title == "floor"
        ours = plain or peer is PEERS["txremote"]
        method = f"plain_{self.method}" if plain else self.method
        return stage.alone(_OUR_TASKS if ours else peer.pools), method


class ReactorTasks(ThreadTasks):
    """
    ``reactor_tasks(count, size)``: the same in turns of the reactor. The floor is a
    `Cooperator`.
    """

    name = "reactor tasks"
    work = "the same in turns of the reactor"
    method = "reactor_tasks"
    contestants = ("plain", "txremote")
    # The floor reads no line, has no context of its own, keeps and tells nothing: a step of
    # plac's parser, a task's state and its output are most of the rest.
    first = (Bar(0.3, "plain"),)
    goal = (Bar(0.5, "plain"),)


class ProcessTasks(ThreadTasks):
    """
    ``process_tasks(count, size)``: the same on two worker processes. The floor is
    `run_async` in the same pool.
    """

    name = "process tasks"
    work = "the same on 2 worker processes"
    method = "process_tasks"
    contestants = ("plain", "txremote")
    # A task is four messages from its process (it begins, a line, it ends, the outcome), and
    # the first is waited for; a job of the pool is one. And each has the container pickled, and a
    # sink of its own, by reference.
    first = (Bar(0.1, "plain"),)
    goal = (Bar(0.25, "plain"),)


THREADS = ThreadTasks()
REACTOR = ReactorTasks()
PROCESSES = ProcessTasks()
