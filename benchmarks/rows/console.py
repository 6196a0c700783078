"""
Tasks that talk, and twenty consoles that watch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rows.base import Bar, CallRow

if TYPE_CHECKING:
    from benchmarks.harness import Child, Stage
    from benchmarks.peers import Peer

_CONSOLE = "benchmarks.peers.txr_console"
_ITS_WATCHERS = "benchmarks.peers.txr_watchers"


class OneTask(CallRow):
    """
    ``one_task(count)``: have a task put out count lines, which 20 clients of the
    console are sent as they come (``.output N -f``); the time ends when all have
    all. A figure counts the task's lines, of which each goes 20 ways.

    The floor is a server that writes each line to 20 sockets, one call of `write`
    for each and line.
    """

    name = "console lines"
    work = "a task's lines to 20 consoles that follow it"
    unit = "/s"
    more_is_better = True
    method = "one_task"
    contestants = ("lines", "txremote")
    floor = "lines"
    blocking = True
    # A line is kept by its task and by 20 followers. They are woken once for many lines, whose text
    # is made once for all, where the floor writes each line to each socket.
    first = (Bar(0.2, "lines"),)
    goal = (Bar(1.0, "lines"),)

    def start(self, stage: Stage, peer: Peer) -> tuple[Child, Child]:
        """Start a server and the 20 clients."""
        if peer.title == "floor":
            return super().start(stage, peer)
        server = stage.serve(_CONSOLE)
        return server, stage.connect(_ITS_WATCHERS, server.first)


class ManyTasks(OneTask):
    """
    ``many_tasks(count)``: the same with 50 tasks that talk at once, count lines
    each. Each of the 20 clients follows another one; 30 are not watched. A figure
    counts the lines of all 50.
    """

    name = "console tasks"
    work = "lines of 50 tasks, 20 of them on a console each"
    method = "many_tasks"
    # The same for 20 lines of 50, and the other 30 are kept only: most of it is to step 50 tasks,
    # each in its own context.
    first = (Bar(0.2, "lines"),)
    goal = (Bar(0.4, "lines"),)
    warm_up = 30
    each = 50


ONE = OneTask()
MANY = ManyTasks()
