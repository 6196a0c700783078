"""
Tasks that run in a thread each.

Each task has a daemon thread of its own. Tasks run for hours, so they must not use up the
reactor's pool, which others need (the resolver, say); and a thread that does not end must not keep
the program from ending, as a pool's threads would. The thread waits for a Deferred that the
command yields; its callbacks run in the reactor's thread. The output goes through a `Mailbox`: a
thread that puts out more than the reactor can take waits for it. All threads of a manager wake the
reactor as one (`Errands`): to be woken costs more than the rest of a short task.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.interfaces import IReactorFromThreads

from txremote.peer.variables import own_context
from txremote.tasks.capture import LineWriter, Redirection, redirect_prints, shortened, sink
from txremote.tasks.states import ABORTED, FINISHED, RUNNING, TOBEKILLED
from txremote.tasks.stepping import (
    AwaitDeferred,
    Call,
    Killed,
    Progress,
    TaskOutcome,
    outcome_of,
    run_steps,
    steps,
)
from txremote.tasks.task import Submission, Task, text_of, unwrap

#: The output of a thread that the reactor has not taken yet, at most: lines and other
#: items, and characters.
MOST_IN_MAILBOX = 1000
MOST_CHARACTERS = 1_000_000


class _Waiting:
    """A Deferred that a thread waits for."""

    def __init__(self, wait: AwaitDeferred, noticed: bool) -> None:
        self.wait = wait
        self.noticed = noticed  # whether the command knows already that it shall end
        self.over = threading.Event()
        self.result: object = None

    def wake(self, result: object) -> None:
        self.result = result
        self.over.set()


# What a thread sends to the reactor: lines and progress, a wait, and at last its outcome.
Mail: TypeAlias = str | Progress | _Waiting | TaskOutcome


class Errands:
    """Calls in the reactor's thread that threads ask for: one wake-up does for many. Any thread."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_woken = False

    def add(self, function: Callable[[], object]) -> None:
        """Call a function in the reactor's thread."""
        # before the flag is read, which `_run` clears before it looks
        self._waiting.append(function)
        if not self._is_woken:
            self._is_woken = True
            self._reactor.callFromThread(self._run)

    def _run(self) -> None:
        self._is_woken = False
        waiting = self._waiting
        try:
            for _ in range(len(waiting)):  # those that come meanwhile have the next turn
                waiting.popleft()()
        finally:
            if waiting and not self._is_woken:
                self._is_woken = True
                self._reactor.callFromThread(self._run)


class Mailbox:
    """The items that a thread sends to the reactor, which gets them as lists, in order."""

    def __init__(self, errands: Errands, received: Callable[[list[Mail]], object]) -> None:
        self._errands = errands
        self._received = received
        self._items: list[Mail] = []
        self._size = 0  # how many characters they have
        self._changed = threading.Condition()
        self._closed = False

    def post(self, item: Mail, last: bool = False) -> bool:
        """
        Send an item, of the task; wait while there is too much. Tell whether it is taken: the last
        one is always.
        """
        with self._changed:
            while self._is_full and not self._closed:
                self._changed.wait()
            if self._closed and not last:
                return False
            self._items.append(item)
            if type(item) is str:
                self._size += len(item)
            is_first = len(self._items) == 1
        if is_first:
            self._errands.add(self._collect)
        return True

    @property
    def _is_full(self) -> bool:
        return len(self._items) >= MOST_IN_MAILBOX or self._size >= MOST_CHARACTERS

    def _collect(self) -> None:
        with self._changed:
            items, self._items = self._items, []
            self._size = 0
            self._changed.notify_all()
        self._received(items)

    def close(self) -> None:
        """Take no more items, and wake the thread if it waits here."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class ThreadedTask(Task):
    """A task whose command runs in a thread of its own. See `Task`."""

    def __init__(self, submission: Submission, errands: Errands) -> None:
        super().__init__(submission)
        self._mailbox = Mailbox(errands, self._receive)
        self._redirection: Redirection | None = None
        self._waiting_for: _Waiting | None = None
        self._give_up_waiting: Callable[[], None] | None = None
        self._noticed = False

    def begin(self) -> None:
        """Start the thread."""
        context = own_context()
        thread = threading.Thread(
            target=context.run,
            args=(self._run, self._call),
            name=f"txremote task {self.no}",
            daemon=True,
        )
        self._call = None
        self._redirection = redirect_prints()
        self._move(RUNNING)
        try:
            thread.start()
        except RuntimeError as problem:  # the system has no more threads
            self._finish(TaskOutcome(ABORTED, None, problem, f"{problem}\n"))

    def give_up(self, reason: Exception) -> None:
        """Leave the thread to itself."""
        self._mailbox.close()
        super().give_up(reason)

    # -- in the thread

    def _run(self, call: Call) -> None:
        writer = LineWriter(self._mailbox.post, in_thread=True)
        writer.active = True
        sink.set(writer)

        def show(value: object) -> None:
            if isinstance(value, Progress):
                self._mailbox.post(value)
            elif value is not None:
                writer.finish()
                self._mailbox.post(shortened(text_of(value)))

        try:
            if self._interrupted():
                raise Killed
            result = run_steps(steps(call, show), self._block, self._interrupted)
            outcome = TaskOutcome(FINISHED, result)
        except BaseException as error:  # of a command, which may raise anything
            outcome = outcome_of(error, self.status == TOBEKILLED)
        writer.finish()
        writer.active = False
        self._mailbox.post(outcome, last=True)

    def _interrupted(self) -> bool:
        if self.status == TOBEKILLED and not self._noticed:
            self._noticed = True
            return True
        return False

    def _block(self, wait: AwaitDeferred) -> object:
        waiting = _Waiting(wait, self._noticed)
        if not self._mailbox.post(waiting):
            raise Killed  # it is left to itself, and nobody would wake it
        waiting.over.wait()
        return unwrap(waiting.result) if wait.consume else None

    # -- in the reactor

    def _receive(self, items: list[Mail]) -> None:
        lines: list[str] = []
        for item in items:
            if isinstance(item, str):
                lines.append(item)
                continue
            self._put_out(lines)
            lines = []
            if isinstance(item, Progress):
                self._show(item)
            elif isinstance(item, _Waiting):
                self._wait(item)
            else:
                self._finish(item)
                return
        if not self.done:  # else a thread of the command's own has just put out something
            self._put_out(lines)

    def _wait(self, waiting: _Waiting) -> None:
        self._waiting_for = waiting

        def wake(result: object) -> None:
            self._waiting_for = self._give_up_waiting = None
            waiting.wake(result)

        give_up = self._wait_for(waiting.wait, wake)
        if self._waiting_for is waiting:
            self._give_up_waiting = give_up
            if self.status == TOBEKILLED and not waiting.noticed:
                self._interrupt()

    def _interrupt(self) -> None:
        if self._give_up_waiting is not None and self._waiting_for is not None:
            self._give_up_waiting()
            waiting, self._waiting_for, self._give_up_waiting = self._waiting_for, None, None
            waiting.wake(None)

    def _finish(self, outcome: TaskOutcome) -> None:
        if self._redirection is not None:
            self._redirection.release()
            self._redirection = None
        self._end(outcome)
