"""
`TaskService`: the tasks of a console, as remote objects.

A client gets a task as a `RemoteTask`, by reference, and the attributes of that by value. All at
once, and of all tasks, they come as `TaskStatus`; to a peer that knows values that is a copy.

The news of a task are sent to those who subscribe to it (`txremote.console.task_news`).
"""

# mypy: disable-error-code="prop-decorator"

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txremote.console.server import containers_by_name
from txremote.console.task_news import OnNews, Subscription, figures_of
from txremote.console.tasks import TaskManager
from txremote.peer.context import CalledConnection, current_call
from txremote.peer.naming import address_text, peer_text
from txremote.refs.clock import steady
from txremote.service import Service, exposed
from txremote.tasks import task_log
from txremote.tasks.listing import row_of
from txremote.tasks.states import RUNNING, state_from_text
from txremote.tasks.stepping import Figures
from txremote.tasks.task import Task
from txremote.wire.consts import FEATURE_VALUES
from txremote.wire.values import AsValue
from txremote.work.loops import loop_here

#: How many subscriptions one connection may have at a time.
MAX_SUBSCRIPTIONS: Final = 100


def _attribute(name: str, meaning: str) -> property:
    """Return a property of `RemoteTask` that shows an attribute of its task."""
    return exposed(property(attrgetter(f"_task.{name}"), doc=meaning))


@dataclass(frozen=True)
class TaskStatus:
    """A task at one moment; the fields are the attributes of a `RemoteTask`."""

    no: int
    words: tuple[str, ...]
    status: str
    foreground: bool
    error: str
    progress: Figures | None
    times: tuple[float | None, ...]
    owner: str = ""
    duration: float | None = None
    pace: tuple[float, float | None, float | None] = (0.0, None, None)

    def _rpyc_getattr(self, name: str) -> Any:
        if name not in self.__dataclass_fields__:
            raise AttributeError(f"cannot access {name!r}: a TaskStatus has its fields alone")
        return getattr(self, name)


def _as_copy(result: object) -> object:
    """Return a result as a value, for a peer that knows values."""
    return AsValue(result) if FEATURE_VALUES in current_call().connection.features else result


class RemoteTask:
    """A task as a client has it: by reference, with attributes by value."""

    def __init__(self, task: Task, service: TaskService) -> None:
        self._task = task
        self._service = service

    def __repr__(self) -> str:
        return repr(self._task)

    no = _attribute("no", "Its number.")
    foreground = _attribute("foreground", "Whether its user waits for its end.")
    status = _attribute("status", "One of the six states.")
    error = _attribute("error", 'The exception it raised, as a line, or "".')
    owner = _attribute("owner", 'The user or the address that has submitted it, or "".')
    traceback = _attribute("traceback", 'The traceback of that exception, or "".')

    @exposed
    @property
    def words(self) -> tuple[str, ...]:
        """The words of its command line."""
        return tuple(self._task.arglist)

    @exposed
    @property
    def progress(self) -> Figures | None:
        """Its last progress, as done, total and text, or None."""
        return figures_of(self._task)

    @exposed
    @property
    def times(self) -> tuple[float | None, ...]:
        """When it was submitted, started and ended, in seconds since 1970, or None."""
        return self._task.submitted, self._task.started, self._task.ended

    @exposed
    @property
    def pace(self) -> tuple[float, float | None, float | None]:
        """For how many seconds its progress has counted, how much a second, the seconds left."""
        return _pace_of(self._task)

    @exposed
    def output(self, since: int = 0) -> tuple[str, ...]:
        """Return the lines of output that are kept, from a number on."""
        return tuple(self._task.output.lines(since))

    @exposed
    def kill(self) -> bool:
        """End it. False if it has ended already."""
        return _kill(self._task)

    @exposed
    def wait(self, timeout: float | None = None) -> Deferred[str]:
        """Wait for its end, at most some seconds; return the status it has then."""
        waiting = self._task.when_done()
        if timeout is not None:
            waiting.addTimeout(timeout, self._service.clock, lambda result, _timeout: result)
        return waiting.addBoth(lambda _task: self._task.status)

    @exposed
    def snapshot(self) -> Any:
        """Return all of this, as it is now, as a `TaskStatus`."""
        return _as_copy(_status_of(self._task))

    @exposed
    async def result(self) -> Any:
        """
        Wait for its end; return the command's result (`Task.result`), or raise its exception.

        A result that is the value of the command's annotation is copied to a peer that knows
        values.
        """
        await self._task.when_done()
        result = self._task.result
        return _as_copy(result) if self._task.declares_result() else result

    @exposed
    def subscribe(self, on_news: OnNews, since: int = 0) -> Subscription:
        """
        Call a function with the news of this task.

        Args:
            on_news: Called with the new lines (a tuple), the status, and the progress
                (a tuple of done, total and text, or None): first with all there is by
                now, last with the final status when all lines have been sent.
            since: The number of the first line to send.
        """
        return self._service.follow(self._task, on_news, since)


class TaskService(Service):
    """
    Submits commands, and shows their tasks. To be served as an instance.

    Args:
        containers: Containers of commands: classes, instances, modules...
        manager: The `TaskManager`, shared with a console for instance; its own if None.
        reactor: The reactor; None for the program's, or for the asyncio loop that runs here.

    Raises:
        ContainerError: one of the containers is none.
        ValueError: there are none.
    """

    def __init__(
        self, *containers: object, manager: TaskManager | None = None, reactor: Any = None
    ) -> None:
        if reactor is None:
            reactor = loop_here("TaskService")
        self.manager = TaskManager(reactor=reactor) if manager is None else manager
        self._containers = containers_by_name(containers)
        self.clock: IReactorTime = steady(reactor)
        self._known: WeakValueDictionary[int, RemoteTask] = WeakValueDictionary()
        self._subscriptions: WeakKeyDictionary[CalledConnection, set[Subscription]] = (
            WeakKeyDictionary()
        )

    @exposed
    def containers(self) -> tuple[str, ...]:
        """Return the names of the containers."""
        return tuple(self._containers)

    @exposed
    def submit(self, line: str | tuple[str, ...], container: str | None = None) -> RemoteTask:
        """
        Run a command; return its task, which is ABORTED if the line is wrong.

        Args:
            line: The command line, or its words.
            container: The name of its container; the first if None.

        Raises:
            LookupError: there is no such container.
            PoolStopped: the server is about to end.
        """
        names = list(self._containers)
        name = names[0] if container is None else container
        if name not in self._containers:
            raise LookupError(f"no container {name!r}: there is {', '.join(names)}")
        connection = current_call().connection
        owner = connection.user or address_text(connection.peer)
        return self._shown(self.manager.submit(self._containers[name], line, owner))

    @exposed
    def list(self, status: str | None = None) -> tuple[RemoteTask, ...]:
        """Return the tasks that are remembered, by number, or those with a status."""
        return tuple(map(self._shown, self._found(status)))

    @exposed
    def snapshots(self, status: str | None = None) -> Any:
        """Return the tasks of `list` as they are now, each as a `TaskStatus`, in a tuple."""
        return _as_copy(tuple(map(_status_of, self._found(status))))

    @exposed
    def rows(self, status: str | None = None) -> tuple[str, ...]:
        """Return a line for each task of `list`, of 80 columns at most."""
        return tuple(map(row_of, self._found(status)))

    @exposed
    def find(self, no: int = -1) -> RemoteTask:
        """Return a task by its number; -1 is the latest, -2 the one before it. Else LookupError."""
        return self._shown(self._find(no))

    @exposed
    def output(self, no: int = -1, since: int = 0) -> tuple[str, ...]:
        """Return the kept lines of a task's output, from a number on. LookupError: no such task."""
        return tuple(self._find(no).output.lines(since))

    @exposed
    def kill(self, no: int = -1) -> RemoteTask:
        """Kill a task, and return it; -1 is the latest that runs. LookupError: no such task."""
        task = self._find(no, RUNNING)
        _kill(task)
        return self._shown(task)

    @exposed
    def subscribe(self, on_news: OnNews, no: int = -1, since: int = 0) -> Subscription:
        """Call a function with the news of a task; see `RemoteTask.subscribe`, and `find`."""
        return self.follow(self._find(no), on_news, since)

    def _found(self, status: str | None) -> Iterable[Task]:
        return self.manager.tasks(None if status is None else state_from_text(status))

    def _find(self, no: int, status: str | None = None) -> Task:
        task = self.manager.find(no, status)
        if task is None:
            raise LookupError("there is no task" if no < 0 else f"there is no task {no}")
        return task

    def _shown(self, task: Task) -> RemoteTask:
        found = self._known.get(task.no)
        if found is None:
            found = self._known[task.no] = RemoteTask(task, self)
        return found

    def follow(self, task: Task, on_news: OnNews, since: int) -> Subscription:
        """Make a subscription for the connection of the call that runs."""
        if not callable(on_news):
            raise TypeError(f"subscribe takes a function, not {on_news!r}")
        connection = current_call().connection
        if connection not in self._subscriptions:
            self._subscriptions[connection] = set()
            connection.when_disconnected().addCallback(self._forget, connection)
        mine = self._subscriptions[connection]
        if len(mine) >= MAX_SUBSCRIPTIONS:
            raise RuntimeError(f"{MAX_SUBSCRIPTIONS} subscriptions: cancel() one of them first")
        subscription = Subscription(task, on_news, since, self.clock, mine.discard)
        mine.add(subscription)
        return subscription

    def _forget(self, _reason: object, connection: CalledConnection) -> None:
        for subscription in list(self._subscriptions.pop(connection, ())):
            subscription.cancel()


def _kill(task: Task) -> bool:
    """Kill a task for the caller, which is logged; tell whether there was anything to end."""
    connection = current_call().connection
    if not task.done:
        task_log.killed(task, peer_text(connection.peer, connection.user))
    return task.kill()


def _pace_of(task: Task) -> tuple[float, float | None, float | None]:
    return task.counted_for(), task.progress_rate(), task.time_left()


def _status_of(task: Task) -> TaskStatus:
    times = task.submitted, task.started, task.ended
    return TaskStatus(
        *(task.no, tuple(task.arglist), task.status, task.foreground, task.error),
        *(figures_of(task), times, task.owner, task.duration, _pace_of(task)),
    )
