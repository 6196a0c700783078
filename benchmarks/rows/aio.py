"""
The work of "sequential" and "pipelined" in asyncio programs: `txremote.aio` beside a bare
``asyncio.Protocol`` on the same loop, and beside txremote in a reactor.
"""

from benchmarks.rows.base import Bar
from benchmarks.rows.pipelined import Pipelined
from benchmarks.rows.sequential import Sequential


class AioSequential(Sequential):
    """``sequential(count)``: an ``await`` in a task for each call."""

    needs = "aio"

    def __init__(self, loop: str, mine: str) -> None:
        self.name = f"{loop} sequential"
        self.work = f"the same, in a task on {loop}'s loop"
        self.contestants = (loop, mine)
        self.floor, self.mine = loop, mine
        self.first = (Bar(1.25, loop),)
        self.goal = ()


class AioPipelined(Pipelined):
    """``pipelined(count)``: the very work of the reactor."""

    needs = "aio"

    def __init__(self, loop: str, mine: str) -> None:
        self.name = f"{loop} pipelined"
        self.work = f"the same, on {loop}'s loop"
        self.contestants = (loop, "txremote", mine)
        self.floor, self.mine = loop, mine
        self.first = (Bar(0.9, "txremote", "txremote"),)
        self.goal = ()


class AioTasks(AioPipelined):
    """``tasks(count)``: 100 tasks, each of which awaits one call after the other."""

    method = "tasks"

    def __init__(self, loop: str, mine: str) -> None:
        super().__init__(loop, mine)
        self.name = f"{loop} tasks"
        self.work = "add(i, 2), 100 tasks that await, calls/s"
        self.contestants = (loop, mine)
        self.first = ()


SEQUENTIAL = AioSequential("asyncio", "aio")
SEQUENTIAL_UVLOOP = AioSequential("uvloop", "aio-uvloop")
PIPELINED = AioPipelined("asyncio", "aio")
PIPELINED_UVLOOP = AioPipelined("uvloop", "aio-uvloop")
TASKS = AioTasks("asyncio", "aio")
