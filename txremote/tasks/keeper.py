"""
`TaskKeeper`: the tasks of a program: their numbers, how many run, which are kept.

Background tasks run up to a cap and the rest wait in order, up to a number. Foreground tasks,
which have a user waiting, begin at once. Tasks that have ended are remembered for a time and up to
a number. All is for the reactor's thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.errors import PoolFull, PoolStopped
from txremote.interfaces import IPool
from txremote.levels import Logger
from txremote.refs.awaiting import AwaitableDeferred
from txremote.refs.clock import steady
from txremote.tasks import task_log
from txremote.tasks.listeners import Listener, TaskListeners
from txremote.tasks.mptask import MPTask, check_pool
from txremote.tasks.ring import OutputRing
from txremote.tasks.states import SUBMITTED
from txremote.tasks.stepping import Call, Progress
from txremote.tasks.store import TaskStore
from txremote.tasks.task import Submission, Task
from txremote.tasks.threaded import Errands, ThreadedTask
from txremote.tasks.turns import AsynTask, SynTask, Turns
from txremote.work.loops import loop_here
from txremote.work.pool import PoolService
from txremote.work.spec import pool_from_string

_log = Logger("txremote")

#: The kinds of tasks, by the attributes in which plac's containers name their commands.
SYNCHRONOUS: Final = "commands"
THREADED: Final = "thcommands"
PROCESS: Final = "mpcommands"
ASYNCHRONOUS: Final = "asyncommands"

#: Seconds that tasks have to end in when their keeper stops, unless it is told another time.
DRAIN: Final = 5.0


class TaskKeeper:
    """
    Runs commands as tasks, and remembers them.

    Args:
        pool: For process commands: an `IPool` that its owner starts and stops, or
            a description of one, or None for one process a task; the latter two
            are started when they are needed, and stopped with the keeper.
        max_running: How many background tasks run at once.
        max_waiting: How many wait for their turn to run.
        max_remembered: How many are remembered that have ended.
        keep: Seconds for which they are; None for as long as there is room.
        max_lines: How many lines of output are kept of each task.
        max_bytes: How many bytes of output are kept of each task.
        reactor: The reactor; None for the program's, or for the asyncio loop that runs here.
        store: A `TaskStore`: the file in which the tasks outlive the program, after `restore`.

    Raises:
        ValueError: a number makes no sense, or the pool cannot run process commands.
    """

    running = True
    _no = 0
    _is_beginning = False
    _forgetting: IDelayedCall | None = None
    _stopping: Deferred[None] | None = None

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
        store: TaskStore | None = None,
    ) -> None:
        if max_running < 1 or max_waiting < 0 or max_remembered < 0:
            raise ValueError("max_running= is at least 1, max_waiting= and max_remembered= 0")
        if reactor is None:
            reactor = loop_here("TaskManager")
        OutputRing(max_lines, max_bytes)  # raises here and not at the first task
        self._listeners = TaskListeners()
        self._no_listeners = TaskListeners()  # of tasks that cannot be found
        self._reactor = reactor
        self._clock: IReactorTime = steady(reactor)
        self._owns_pool = pool is None or isinstance(pool, str)
        self._pool = _pool_for(pool, max_running, reactor)
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._max_remembered = max_remembered
        self._keep = keep
        self._make_ring = partial(OutputRing, max_lines, max_bytes)
        self._tasks: dict[int, Task] = {}  # by number, in order
        self._live: set[Task] = set()  # those that have not ended, built-in commands included
        self._begun: set[Task] = set()  # background tasks among them that were begun
        self._queue: dict[Task, None] = {}  # background tasks that wait, in order
        self._ended: OrderedDict[int, Task] = OrderedDict()  # in the order of their ends
        self._store = store
        turns = Turns(self._clock)
        self._kinds: dict[str, Callable[[Submission], Task]] = {
            SYNCHRONOUS: partial(SynTask, turns=turns),
            THREADED: partial(ThreadedTask, errands=Errands(reactor)),
            PROCESS: self._process_task,
            ASYNCHRONOUS: partial(AsynTask, turns=turns),
        }

    def restore(self) -> None:
        """
        Remember the tasks of the store again, and keep them there from now on. Before any is added.

        ValueError: the file cannot be used.
        """
        store = self._store
        if store is None or store.is_open:
            return
        found = store.open(self._make_ring)
        for task in found:
            self._tasks[task.no] = task
            self._no = task.no
        for task in sorted(found, key=lambda task: task.ended or 0.0):
            self._ended[task.no] = task
        self._listeners.add(output=store.changed, progress=store.changed, state=store.changed)
        self._forget_old(self._clock.seconds())

    def add(
        self,
        kind: str,
        call: Call,
        arglist: Sequence[str],
        *,
        remembered: bool = True,
        owner: str = "",
    ) -> Task:
        """
        Run a command as a task, which may have ended when this returns.

        If too many wait it is ABORTED with `PoolFull`. One that is not remembered cannot be found,
        and its news reach only its own listeners. PoolStopped: this has been stopped.
        """
        self._check_running()
        if kind not in self._kinds:
            raise ValueError(f"{kind!r} is no kind of command")
        self._no += 1
        ring, clock = self._make_ring(), self._clock
        listeners = self._listeners if remembered else self._no_listeners
        told = listeners, self._task_ended, owner
        submission = Submission(self._no, arglist, call, self._reactor, clock, ring, *told)
        task = self._kinds[kind](submission)
        self._live.add(task)
        if not remembered:
            task_log.asked(arglist, owner)
        else:
            self._tasks[task.no] = task
            task_log.submitted(task)
            if listeners.state:
                listeners.state.notify(task, SUBMITTED)
        if not task.done:  # else a listener has killed it
            self._admit(task)
        return task

    def _check_running(self) -> None:
        if not self.running:
            raise PoolStopped("the task manager has been stopped")

    def _process_task(self, submission: Submission) -> Task:
        return MPTask(submission, pool=self._process_pool())

    def _process_pool(self) -> Any:
        """Return the pool for process commands, started if it is ours."""
        if self._owns_pool and not self._pool.running:
            # if it does not come up, its jobs say why
            self._pool.start().addErrback(lambda _failure: None)
        return self._pool

    def _admit(self, task: Task) -> None:
        if task.foreground:
            task.begin()
        elif len(self._begun) - self._max_running + len(self._queue) < self._max_waiting:
            self._queue[task] = None
            self._begin_waiting()
        else:
            task.give_up(PoolFull(f"{self._max_waiting} tasks wait already (option max_waiting=)"))

    def _begin_waiting(self) -> None:
        """Begin tasks that wait, up to the cap."""
        if self._is_beginning:  # a task that ends at once comes back here
            return
        self._is_beginning = True
        try:
            while self._queue and len(self._begun) < self._max_running:
                task = next(iter(self._queue))
                del self._queue[task]
                self._begun.add(task)
                task.begin()
        finally:
            self._is_beginning = False

    def _task_ended(self, task: Task) -> None:
        self._live.discard(task)
        self._queue.pop(task, None)
        self._begun.discard(task)
        if task.no in self._tasks and task.ended is not None:
            task_log.ended(task)
            self._ended[task.no] = task
            self._forget_old(task.ended)
        if self._queue:
            self._begin_waiting()

    def tasks(self, status: str | None = None) -> list[Task]:
        """Return the tasks that are remembered, by number, or those of them in one state."""
        return [task for task in self._tasks.values() if status in (None, task.status)]

    def find(self, no: int = -1, status: str | None = None) -> Task | None:
        """
        Return a task, or None if there is none (any more).

        A negative number counts from the latest task, -1 (plac), or the latest in one state.
        """
        if no >= 0:
            return self._tasks.get(no)
        found = self.tasks(status)
        return found[no] if len(found) >= -no else None

    def listen(
        self,
        output: Listener[list[str]] | None = None,
        progress: Listener[Progress] | None = None,
        state: Listener[str] | None = None,
    ) -> Callable[[], None]:
        """Listen to all tasks, new ones too (`Task.listen`). SUBMITTED is a task's first news."""
        return self._listeners.add(output=output, progress=progress, state=state)

    def _forget_old(self, now: float) -> None:
        """Forget tasks that have ended long ago, or too many tasks ago."""
        while len(self._ended) > self._max_remembered:
            self._forget_oldest()
        if self._keep is None or self._forgetting is not None:
            return
        while self._ended:
            ended = next(iter(self._ended.values())).ended
            assert ended is not None
            left = ended + self._keep - now
            if left > 0:
                if self.running:
                    self._forgetting = self._clock.callLater(left, self._time_to_forget)
                return
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        no, _task = self._ended.popitem(last=False)
        del self._tasks[no]
        if self._store is not None:
            self._store.forget(no)

    def _time_to_forget(self) -> None:
        self._forgetting = None
        self._forget_old(self._clock.seconds())

    def stop(self, drain: float = DRAIN) -> Deferred[None]:
        """
        Take no more tasks, kill those that there are, and wait ``drain`` seconds at most.

        A task that cannot be ended, a thread that does not yield, is left to itself: it
        stays TOBEKILLED, and the program can end without it.
        """
        if self.running:
            self.running = False
            self._stopping = Deferred.fromCoroutine(self._stop(drain))
            self._stopping.addErrback(
                lambda failure: _log.failure("stopping the task manager failed", failure)
            )
        assert self._stopping is not None
        mine: Deferred[None] = AwaitableDeferred()

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
        if self._store is not None:
            await self._store.close()
        if self._owns_pool:
            await self._pool.stop()

    def _give_up(self) -> None:
        for task in sorted(self._live, key=lambda task: task.no):
            _log.warn("{task} does not end: it is left to itself", task=task)
            task.give_up(PoolStopped("the task manager has been stopped"))

    def _tasks_ended(self) -> None:
        """For subclasses: called by `stop` when no task is waited for any more."""


def _pool_for(pool: IPool | str | None, max_running: int, reactor: Any) -> Any:
    """Return the pool for process commands. ValueError: it cannot run them."""
    if pool is None:  # as plac does it, a process a task: they may run for hours
        pool = f"processes:min=0:max={max_running}"
    found: Any = pool_from_string(pool, reactor) if isinstance(pool, str) else pool
    if isinstance(pool, str) and isinstance(found, PoolService):
        found.shared = False  # run_async is not to take it
    check_pool(found)
    return found
