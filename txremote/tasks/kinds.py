"""
Tasks that run in this process: in turns of the reactor, or in a thread each.

*In turns*: a `twisted.internet.task.Cooperator` steps the commands of all tasks
of a manager one after the other, a step each, and lets the reactor have its own
turn every 10 ms. A command that waits for a Deferred takes no part meanwhile.

*In a thread*: each task has a daemon thread of its own. Tasks run for hours, so
they must not use up the reactor's pool, which others need (the resolver, say);
how many run at once is the manager's cap; and a thread that does not end must
not keep the program from ending, as a pool's threads would. A Deferred that the
command yields is waited for by its thread; its callbacks run in the reactor's.

Whatever a thread has to say goes through a `Mailbox`, in order: a thread that
puts out more than the reactor can take in waits for it, and many lines are
brought over in one turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator
from twisted.python.failure import Failure

from txremote.peer.variables import own_context
from txremote.tasks.capture import LineWriter, Redirection, redirect_prints, shortened, sink
from txremote.tasks.stepping import (
    Course,
    Ending,
    Killed,
    Progress,
    Wait,
    course,
    drive,
    ending_of,
)
from txremote.tasks.task import RUNNING, TOBEKILLED, Task, text_of, unwrap

#: How much a thread may have put out that the reactor has not taken in: so many things,
#: and so many characters.
MOST_IN_MAILBOX = 1000
MOST_CHARACTERS = 1_000_000

#: In how many seconds the reactor's next turn is: as good as none, but later, so
#: that a clock which is advanced by hand gets out of it (Twisted's cooperator).
NEXT_TURN = 1e-8


class AsynTask(Task):
    """
    A task whose command runs in turns of the reactor.

    Args:
        cooperator: Gives the turns.
        **rest: See `Task`.
    """

    def __init__(self, *args: Any, cooperator: Cooperator) -> None:
        super().__init__(*args)
        self._cooperator = cooperator
        self._course: Course | None = None
        self._context: Context | None = None
        self._redirection: Redirection | None = None
        self._writer = LineWriter(lambda line: self._put_out([line]))
        self._resume: Callable[[Any], Any] | None = None
        self._argument: Any = None
        self._pause: Deferred[None] | None = None
        self._give_up_waiting: Callable[[], None] | None = None
        self._is_interrupted = False

    def begin(self) -> None:
        """Take part in the turns."""
        self._cooperator.cooperate(self._turns())

    def _turns(self) -> Iterator[Deferred[None] | None]:
        while self._take_turn():
            yield self._pause

    def _take_turn(self) -> bool:
        """
        Take one step.

        Returns:
            Whether there is another.
        """
        if self.done:
            return False
        if self._course is None:
            self._set_out()
            if self.status != RUNNING:  # a listener has killed it just now
                self._finish(Killed())
                return False
        assert self._course is not None and self._context is not None
        if self.status == TOBEKILLED and not self._is_interrupted:
            self._is_interrupted = True
            self._resume, self._argument = self._course.throw, Killed()
        resume, argument = self._resume or self._course.send, self._argument
        self._resume = self._argument = None
        wait = raised = None
        self._writer.active = True
        try:
            wait = self._context.run(resume, argument)
        except BaseException as error:  # of a command, which may raise anything
            raised = error
        self._writer.active = False
        # not while it is handled: it would be the context of what listeners raise
        if raised is not None:
            self._finish(raised)
        elif wait is not None:
            self._sleep(wait)
        return raised is None

    def _set_out(self) -> None:
        assert self._call is not None
        self._course = course(self._call, self._show_in_order)
        self._call = None
        self._context = own_context()
        self._context.run(sink.set, self._writer)
        self._redirection = redirect_prints()
        self._move(RUNNING)

    def _show_in_order(self, value: Any) -> None:
        if value is not None and not isinstance(value, Progress):
            self._writer.finish()  # what was printed before it, on a line begun
        self._show(value)

    def _sleep(self, wait: Wait) -> None:
        assert self._course is not None
        pause: Deferred[None] = Deferred()
        self._pause = pause
        steps = self._course

        def wake(result: Any) -> None:
            if isinstance(result, Failure) and wait.consume:
                self._resume, self._argument = steps.throw, result.value
            else:
                self._argument = None if isinstance(result, Failure) else result
            self._wake_up()

        give_up = self._wait_for(wait, wake)
        if self._pause is not None:
            self._give_up_waiting = give_up
            if self.status == TOBEKILLED and not self._is_interrupted:
                self._interrupt()  # it was killed in the step before this

    def _wake_up(self) -> None:
        pause, self._pause, self._give_up_waiting = self._pause, None, None
        if pause is not None:
            pause.callback(None)

    def _interrupt(self) -> None:
        if self._give_up_waiting is not None:
            self._give_up_waiting()
            self._wake_up()

    def _finish(self, error: BaseException) -> None:
        self._writer.finish()
        if self._redirection is not None:
            self._redirection.release()
        self._course = self._context = self._redirection = None
        self._end(ending_of(error, self.status == TOBEKILLED))


class SynTask(AsynTask):
    """A task that is waited for: it takes its first step at once."""

    foreground = True

    def begin(self) -> None:
        """Take the first step, and part in the turns if there are more."""
        if self._take_turn():
            self._cooperator.cooperate(self._rest())

    def _rest(self) -> Iterator[Deferred[None] | None]:
        yield self._pause
        yield from self._turns()


class Mailbox:
    """
    What a thread has to tell the reactor, in order.

    Args:
        reactor: The reactor.
        received: Called in its thread with a list of what was posted.
    """

    def __init__(self, reactor: Any, received: Callable[[list[Any]], None]) -> None:
        self._reactor = reactor
        self._received = received
        self._items: list[Any] = []
        self._size = 0  # how many characters they have
        self._changed = threading.Condition()
        self._deaf = False

    def post(self, item: Any, last: bool = False) -> None:
        """
        Tell something. Waits while there is too much. The task's thread, or one
        of those that it has started.

        Args:
            item: What to tell.
            last: Whether it is told even if nobody wants to hear more.
        """
        with self._changed:
            while self._is_full and not self._deaf:
                self._changed.wait()
            if self._deaf and not last:
                return
            self._items.append(item)
            if type(item) is str:
                self._size += len(item)
            if len(self._items) > 1:
                return
        self._reactor.callFromThread(self._collect)

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
        """Hear no more: a thread that posts does not wait any more."""
        with self._changed:
            self._deaf = True
            self._changed.notify_all()


class _Waiting:
    """A Deferred that a thread waits for."""

    def __init__(self, wait: Wait, noticed: bool) -> None:
        self.wait = wait
        self.noticed = noticed  # whether the command knows already that it shall end
        self.over = threading.Event()
        self.result: Any = None

    def wake(self, result: Any) -> None:
        self.result = result
        self.over.set()


class ThreadedTask(Task):
    """A task whose command runs in a thread of its own. See `Task`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._mailbox = Mailbox(self._reactor, self._receive)
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
            self._finish(Ending("ABORTED", None, problem, f"{problem}\n"))

    def give_up(self, reason: Exception) -> None:
        """Leave the thread to itself."""
        self._mailbox.close()
        super().give_up(reason)

    # -- in the thread

    def _run(self, call: Any) -> None:
        writer = LineWriter(self._mailbox.post, in_thread=True)
        writer.active = True
        sink.set(writer)

        def show(value: Any) -> None:
            if isinstance(value, Progress):
                self._mailbox.post(value)
            elif value is not None:
                writer.finish()
                self._mailbox.post(shortened(text_of(value)))

        try:
            if self._interrupted():
                raise Killed
            ending = Ending("FINISHED", drive(course(call, show), self._block, self._interrupted))
        except BaseException as error:  # of a command, which may raise anything
            ending = ending_of(error, self.status == TOBEKILLED)
        writer.finish()
        writer.active = False
        self._mailbox.post(ending, last=True)

    def _interrupted(self) -> bool:
        if self.status == TOBEKILLED and not self._noticed:
            self._noticed = True
            return True
        return False

    def _block(self, wait: Wait) -> Any:
        waiting = _Waiting(wait, self._noticed)
        self._mailbox.post(waiting)
        waiting.over.wait()
        return unwrap(waiting.result) if wait.consume else None

    # -- in the reactor

    def _receive(self, items: list[Any]) -> None:
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
        self._put_out(lines)

    def _wait(self, waiting: _Waiting) -> None:
        self._waiting_for = waiting

        def wake(result: Any) -> None:
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

    def _finish(self, ending: Ending) -> None:
        if self._redirection is not None:
            self._redirection.release()
            self._redirection = None
        self._end(ending)
