"""
`TaskKeeper`: the tasks of a program: their numbers, how many run, which are kept.

Background tasks run up to a cap, the rest wait in order; what would wait behind
too many is refused. Foreground tasks, which somebody waits for, begin at once.
What has ended is remembered for a time and up to a number, then forgotten: all
the memory that tasks take is bounded, whatever is submitted.

All is for the reactor's thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import Cooperator
from twisted.logger import Logger

from txremote.errors import PoolFull, PoolStopped
from txremote.interfaces import IPool
from txremote.refs.clock import steady
from txremote.tasks.audience import Audience, Listener
from txremote.tasks.kinds import NEXT_TURN, AsynTask, SynTask, ThreadedTask
from txremote.tasks.mptask import MPTask, check_pool
from txremote.tasks.ring import OutputRing
from txremote.tasks.stepping import Call
from txremote.tasks.task import FINAL, SUBMITTED, Task
from txremote.work.pool import PoolService
from txremote.work.spec import pool_from_string

_log = Logger("txremote")

#: The kinds of tasks, by how plac's containers name them.
SYNCHRONOUS, THREADED, PROCESS, ASYNCHRONOUS = (
    "commands",
    "thcommands",
    "mpcommands",
    "asyncommands",
)


class TaskKeeper:
    """
    Runs commands as tasks, and remembers them.

    Args:
        pool: For process commands: an `IPool` that its owner starts and stops, or
            a description of one, or None for one process a task; the latter two
            are started when they are needed, and stopped with the keeper.
        max_running: How many background tasks run at once.
        max_waiting: How many wait until they may.
        max_remembered: How many are remembered that have ended.
        keep: For how many seconds they are; None for as long as there is room.
        max_lines: How many lines of output are kept of each.
        max_bytes: How many bytes of output are kept of each.
        reactor: The reactor; None for the program's.

    Raises:
        ValueError: a number makes no sense, or the pool cannot run process commands.

    Attributes:
        audience: Who listens to all tasks.
        running: Whether it takes tasks.
    """

    def __init__(
        self,
        *,
        pool: IPool | str | None = None,
        max_running: int = 50,
        max_waiting: int = 1000,
        max_remembered: int = 500,
        keep: float | None = 3600.0,
        max_lines: int = 2_000,
        max_bytes: int = 256 * 1024,
        reactor: Any = None,
    ) -> None:
        if max_running < 1 or max_waiting < 0 or max_remembered < 0:
            raise ValueError("max_running= is at least 1, max_waiting= and max_remembered= 0")
        if reactor is None:
            from twisted.internet import reactor
        OutputRing(max_lines, max_bytes)  # complains here and not at the first task
        self.audience = Audience()
        self.running = True
        self._reactor = reactor
        self._clock = steady(reactor)
        self._owns_pool = pool is None or isinstance(pool, str)
        if self._owns_pool:
            # as plac does it, a process a task: they may run for hours
            description = f"processes:min=0:max={max_running}" if pool is None else str(pool)
            pool = pool_from_string(description, reactor)
            if isinstance(pool, PoolService):
                pool.shared = False  # it is for tasks: run_async is not to take it
        check_pool(pool)
        self._pool: Any = pool
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._max_remembered = max_remembered
        self._keep = keep
        self._make_ring = partial(OutputRing, max_lines, max_bytes)
        self._no = 0
        self._tasks: dict[int, Task] = {}  # by number, in order
        self._live: set[Task] = set()  # those that have not ended, built-in commands included
        self._begun: set[Task] = set()  # background tasks among them that were begun
        self._queue: dict[Task, None] = {}  # those that wait until they may
        self._filling = False
        self._ended: OrderedDict[int, Task] = OrderedDict()  # in the order of their ends
        self._forgetting: Any = None
        self._stopping: Deferred[None] | None = None
        self._cooperator = Cooperator(scheduler=lambda turn: self._clock.callLater(NEXT_TURN, turn))

    # -- tasks

    def add(
        self, kind: str, call: Call, arglist: Sequence[str], *, remembered: bool = True
    ) -> Task:
        """
        Run a command as a task.

        Args:
            kind: How: ``commands``, ``thcommands``, ``mpcommands`` or
                ``asyncommands``.
            call: The command.
            arglist: The words it was written as.
            remembered: Whether it can be found; it has a number anyway.

        Returns:
            The task, which may have ended already. If too many wait it is ABORTED
            with `PoolFull`.

        Raises:
            PoolStopped: this has been stopped.
        """
        self._check_running()
        self._no += 1
        task = self._make(kind, (self._no, arglist, call, self._reactor, self._make_ring()))
        task.audience.output.add(self.audience.output.tell)
        task.audience.progress.add(self.audience.progress.tell)
        task.audience.state.add(partial(self._changed, remembered))
        self._live.add(task)
        if remembered:
            self._tasks[task.no] = task
            self.audience.state.tell(task, SUBMITTED)
        self._admit(task)
        return task

    def _check_running(self) -> None:
        if not self.running:
            raise PoolStopped("the task manager has been stopped")

    def _make(self, kind: str, arguments: tuple[Any, ...]) -> Task:
        if kind == SYNCHRONOUS:
            return SynTask(*arguments, cooperator=self._cooperator)
        if kind == THREADED:
            return ThreadedTask(*arguments)
        if kind == PROCESS:
            return MPTask(*arguments, pool=self._process_pool())
        if kind == ASYNCHRONOUS:
            return AsynTask(*arguments, cooperator=self._cooperator)
        raise ValueError(f"{kind!r} is no kind of command")

    def _process_pool(self) -> Any:
        """Return the pool for process commands, started if it is ours."""
        if self._owns_pool and not self._pool.running:
            # if it does not come up, its jobs say why
            self._pool.start().addErrback(lambda _failure: None)
        return self._pool

    def _admit(self, task: Task) -> None:
        if task.done:  # a listener has killed it
            return
        if task.foreground:
            task.begin()
        elif len(self._begun) - self._max_running + len(self._queue) < self._max_waiting:
            self._queue[task] = None
            self._fill()
        else:
            task.give_up(PoolFull(f"{self._max_waiting} tasks wait already (option max_waiting=)"))

    def _fill(self) -> None:
        """Begin what waits, as far as it may."""
        if self._filling:  # a task that ends at once comes back here
            return
        self._filling = True
        try:
            while self._queue and len(self._begun) < self._max_running:
                task = next(iter(self._queue))
                del self._queue[task]
                self._begun.add(task)
                task.begin()
        finally:
            self._filling = False

    def _changed(self, remembered: bool, task: Task, status: str) -> None:
        """Called with each new state of a task."""
        if remembered:
            self.audience.state.tell(task, status)
        if status not in FINAL:
            return
        self._live.discard(task)
        self._queue.pop(task, None)
        self._begun.discard(task)
        if remembered:
            self._ended[task.no] = task
            self._forget()
        self._fill()

    # -- what there is to know

    def tasks(self, status: str | None = None) -> list[Task]:
        """
        Return the tasks that are remembered, by number.

        Args:
            status: Only those in this state.
        """
        return [task for task in self._tasks.values() if status in (None, task.status)]

    def find(self, no: int = -1, status: str | None = None) -> Task | None:
        """
        Return a task, or None if there is none (any more).

        Args:
            no: Its number; or, negative, its place counted from the latest
                (plac): -1 is the latest.
            status: Which of them are counted.
        """
        if no >= 0:
            return self._tasks.get(no)
        found = self.tasks(status)
        return found[no] if len(found) >= -no else None

    def listen(
        self,
        output: Listener | None = None,
        progress: Listener | None = None,
        state: Listener | None = None,
    ) -> Callable[[], None]:
        """
        Hear of all tasks that can be found, the coming ones included; see
        `Task.listen`. The first that is heard of a task is that it is SUBMITTED.
        """
        return self.audience.listen(output, progress, state)

    def _forget(self) -> None:
        """Forget what has ended long ago, or too many tasks ago."""
        while len(self._ended) > self._max_remembered:
            self._forget_oldest()
        if self._keep is None:
            return
        now = self._clock.seconds()
        while self._ended:
            ended = next(iter(self._ended.values())).ended
            assert ended is not None
            left = ended + self._keep - now
            if left > 0:
                if self._forgetting is None and self.running:
                    self._forgetting = self._clock.callLater(left, self._time_to_forget)
                return
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        no, _task = self._ended.popitem(last=False)
        del self._tasks[no]

    def _time_to_forget(self) -> None:
        self._forgetting = None
        self._forget()

    # -- the end

    def stop(self, drain: float = 5.0) -> Deferred[None]:
        """
        Take no more tasks, kill those that there are, and wait for their ends.

        What cannot be ended, a thread that does not yield, is left to itself: it
        stays TOBEKILLED, and the program can end without it.

        Args:
            drain: For how many seconds it waits at most.

        Returns:
            A Deferred that fires when nothing is waited for any more.
        """
        if self.running:
            self.running = False
            self._stopping = Deferred.fromCoroutine(self._stop(drain))
            self._stopping.addErrback(
                lambda failure: _log.failure("the task manager did not stop well", failure)
            )
        assert self._stopping is not None
        mine: Deferred[None] = Deferred()

        def stopped(_none: None) -> None:
            if not mine.called:
                mine.callback(None)

        self._stopping.addCallback(stopped)
        return mine

    async def _stop(self, drain: float) -> None:
        left = sorted(self._live, key=lambda task: task.no)
        for task in left:
            task.kill()
        ends = DeferredList([task.when_done() for task in left if not task.done])
        if not ends.called:
            timer = self._clock.callLater(drain, self._give_up)
            await ends
            if timer.active():
                timer.cancel()
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        self._tasks_ended()
        if self._owns_pool:
            await self._pool.stop()

    def _give_up(self) -> None:
        for task in sorted(self._live, key=lambda task: task.no):
            _log.warn("{task} does not end: it is left to itself", task=task)
            task.give_up(PoolStopped("the task manager has been stopped"))

    def _tasks_ended(self) -> None:
        """For subclasses: called by `stop` when no task is waited for any more."""
