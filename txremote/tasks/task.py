"""
`Task`: a command that runs, or ran: its state, its output, its end.

Subclasses run the command: in `txremote.tasks.turns`, `txremote.tasks.threaded` and
`txremote.tasks.mptask`. All here is for the reactor's thread. The names that programs written for
plac read mean what they mean there, except that nothing blocks: a result that is not there yet
raises `WouldBlockReactor`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure

from txremote.errors import WouldBlockReactor, WrongValue
from txremote.refs.awaiting import AwaitableDeferred, succeeded
from txremote.refs.sharing import follow
from txremote.tasks.capture import MOST_AT_ONCE, shortened
from txremote.tasks.listeners import Listener, TaskListeners
from txremote.tasks.pace import Pace
from txremote.tasks.ring import OutputRing
from txremote.tasks.states import (
    ABORTED,
    FINAL,
    KILLED,
    RUNNING,
    SUBMITTED,
    TOBEKILLED,
    TRANSITIONS,
)
from txremote.tasks.stepping import AwaitDeferred, Call, Progress, TaskOutcome
from txremote.values.planning import call_plan
from txremote.wire.naming import sentence

# The listeners to a task that nobody has listened to: most have none, and to make some takes time.
_NOBODY = TaskListeners()


def text_of(value: object) -> str:
    """Return a value as a line, as plac has it: bytes are UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class Lines(list[str]):
    """
    Lines that a built-in command puts out in one step: one a step would be too slow.

    They may be put out by many tasks. So nobody changes them, and their text is made once.
    """

    _text: str | None = None

    @property
    def text(self) -> str:
        """All of them, with their ends."""
        if self._text is None:
            self._text = "\n".join(self) + "\n"
        return self._text


class Submission(NamedTuple):
    """A command line to be run. `on_end` is called before the task's own listeners are."""

    no: int
    arglist: Sequence[str]
    call: Call
    reactor: IReactorFromThreads
    clock: IReactorTime
    ring: OutputRing
    listeners: TaskListeners
    on_end: Callable[[Task], object]
    owner: str = ""


class PlacNames:
    """The attributes that programs written for plac read, under plac's names."""

    exc: Exception | None
    traceback: str
    output: OutputRing

    @property
    def etype(self) -> type[Exception] | None:
        """The class of the exception it raised, or None."""
        return None if self.exc is None else type(self.exc)

    @property
    def tb(self) -> str:
        """The traceback as text."""
        return self.traceback

    @property
    def outlist(self) -> list[str]:
        """The lines of output that are kept."""
        return self.output.lines()

    def run(self) -> None:
        """Do nothing: it has been started."""

    @property
    def str(self) -> str:
        """The output that is kept as one text."""
        return self.output.text()


class Task(PlacNames, Pace):
    """
    A command that runs, or ran. Made by a `TaskManager`.

    Args:
        submission: The command.

    Attributes:
        no: Its number.
        arglist: The words of the command line.
        owner: The user or the address that has submitted it, or "".
        foreground: Whether its user waits for its end.
        stops_on_line: Whether an empty line that is typed meanwhile ends it.
        waits_for_screen: Whether it is held while its user's screen is full.
        status: Its state, one of `STATES`.
        done: Whether it has ended.
        clock: The clock of its times, in seconds.
        submitted: When it was submitted, in the clock's seconds.
        started: When it began to run, or None.
        ended: When it ended, or None.
        output: The `OutputRing` with its last lines.
        progress: The last `Progress` it yielded, or None.
        exc: The exception it raised, or None.
        traceback: The traceback of that, as text, or "".
        wants_exit: Whether it raised plac's ``Interpreter.Exit``.
    """

    foreground = False
    stops_on_line = False
    waits_for_screen = False

    def __init__(self, submission: Submission) -> None:
        self.no = submission.no
        self.arglist = list(submission.arglist)
        self.owner = submission.owner
        self.output = submission.ring
        self._call: Call | None = submission.call
        self._function = _plain(submission.call.function)
        self.clock = submission.clock
        self._all_listeners = submission.listeners
        self._on_end = submission.on_end
        self.status: str = SUBMITTED
        self.done = False
        self.submitted: float = self.clock.seconds()
        self.exc: Exception | None = None
        self.traceback = ""
        self.wants_exit = False
        self._listeners = _NOBODY
        self._result: object = None
        self._at_end: list[Callable[[Task], object]] = []
        self._waiting: list[Deferred[Task]] = []

    def __repr__(self) -> str:
        words = " ".join(self.arglist)
        return f"<{type(self).__name__} {self.no} [{words}] {self.status}>"

    @property
    def duration(self) -> float | None:
        """How long it has run, or ran, in seconds; None before it has begun."""
        if self.started is None:
            return None
        return (self.clock.seconds() if self.ended is None else self.ended) - self.started

    @property
    def result(self) -> Any:
        """
        The command's return value, or the last one it yielded (plac); None if it was killed.

        Raises:
            Exception: the command's, if it was aborted.
            WouldBlockReactor: it has not ended.
        """
        if not self.done:
            raise WouldBlockReactor(f"{self!r} has not ended: wait for task.when_done()")
        if self.exc is not None:
            raise self.exc
        return self._result

    def declares_result(self) -> bool:
        """Return whether the result is the value that the command's annotation says it gives."""
        plan = None if self._function is None or not self.done else call_plan(self._function)
        if plan is None or plan.result is None:
            return False
        try:
            plan.check_result(self._result)
        except WrongValue:  # of a command that returns a list it is the list's last item (plac)
            return False
        return True

    @property
    def error(self) -> str:
        """
        The exception it raised as a line, ``ValueError: message``, or "".

        Also "" where the output says it better: of a wrong command line.
        """
        if self.exc is None or getattr(self.exc, "is_shown", False):
            return ""
        return sentence(self.exc)

    def listen(
        self,
        output: Listener[list[str]] | None = None,
        progress: Listener[Progress] | None = None,
        state: Listener[str] | None = None,
    ) -> Callable[[], None]:
        """
        Add listeners to the news of this task. A listener that raises is dropped.

        Args:
            output: Called with the task and a list of new lines.
            progress: Called with the task and a `Progress`.
            state: Called with the task and its new state.

        Returns:
            A function that removes them.
        """
        if self._listeners is _NOBODY:
            self._listeners = TaskListeners()
        return self._listeners.add(output=output, progress=progress, state=state)

    def when_done(self) -> Deferred[Task]:
        """
        Return a new Deferred that fires with this task when it has ended.

        It never fails. It also fires when the task's manager stops and cannot end the
        task: then the state says that it goes on.
        """
        if self.done:
            return succeeded(self)
        waiting: Deferred[Task] = AwaitableDeferred(self._stop_waiting)
        self._waiting.append(waiting)
        return waiting

    def at_end(self, function: Callable[[Task], object]) -> None:
        """
        Call a function that cannot fail when `when_done` would fire, and before it does.

        For this library's own parts: a Deferred for each would be a fifth of a short task.
        """
        if self.done:
            function(self)
        else:
            self._at_end.append(function)

    def _stop_waiting(self, waiting: Deferred[Task]) -> None:
        self._waiting = [other for other in self._waiting if other is not waiting]

    def kill(self) -> bool:
        """
        End it: at once if it has not begun, else when the command notices.

        Returns:
            Whether there was anything left to end. It is KILLED if it had not begun,
            and TOBEKILLED until the command has noticed.
        """
        if self.done or self.status == TOBEKILLED:
            return not self.done
        if self.status == SUBMITTED:
            self._withdraw()
            self._end(TaskOutcome(KILLED))
        else:
            self._move(TOBEKILLED)
            self._interrupt()
        return True

    def hold(self) -> None:
        """Have it take no step until `go_on`, or until it is killed, if it takes turns."""

    def go_on(self) -> None:
        """Let it take steps again."""

    # -- for its keeper

    def begin(self) -> None:
        """Start to run the command."""
        raise NotImplementedError

    def give_up(self, reason: Exception) -> None:
        """End it if it has not begun; else fire `when_done` although it cannot be ended."""
        if self.status == SUBMITTED:
            self._end(TaskOutcome(ABORTED, None, reason))
        else:
            self._fire_waiting()

    # -- for subclasses

    def _withdraw(self) -> None:
        """Keep it from beginning."""

    def _interrupt(self) -> None:
        """End the command: the state is TOBEKILLED."""

    def _move(self, status: str) -> None:
        """Enter a state, and notify the listeners."""
        if status not in TRANSITIONS[self.status]:
            raise RuntimeError(f"{self!r} cannot become {status}")
        self.status = status
        if status == RUNNING:
            self.started = self.clock.seconds()
        elif status in FINAL:
            self.done = True
            self.ended = self.clock.seconds()
        if self._all_listeners.state:
            self._all_listeners.state.notify(self, status)
        if self.done:
            self._on_end(self)
        if self._listeners.state:
            self._listeners.state.notify(self, status)

    def _put_out(self, lines: list[str]) -> None:
        """Add lines of output, and notify the listeners. A line that is very long is cut."""
        if len(lines) == 1:  # most often, and a task may put out thousands in a second
            (line,) = lines
            if len(line) > MOST_AT_ONCE:
                line = shortened(line)
                lines = [line]
            self.output.append(line)
        elif lines:
            if max(map(len, lines)) > MOST_AT_ONCE:
                lines = [shortened(line) for line in lines]
            self.output.extend(lines)
        else:
            return
        if self._all_listeners.output:
            self._all_listeners.output.notify(self, lines)
        if self._listeners.output:
            self._listeners.output.notify(self, lines)

    def _show(self, value: object) -> None:
        """Put out a value that the command yields."""
        if type(value) is str:  # most often
            self._put_out([value])
        elif isinstance(value, Progress):
            self._count(value)
            for listeners in (self._all_listeners, self._listeners):
                if listeners.progress:
                    listeners.progress.notify(self, value)
        elif isinstance(value, Lines):
            self._put_out(value)
        elif value is not None:
            self._put_out([text_of(value)])

    def _wait_for(
        self, wait: AwaitDeferred, wake: Callable[[object], object]
    ) -> Callable[[], None]:
        """
        Wait for a Deferred of the command's, and call ``wake`` with its result or Failure, once.

        Returns a function that gives it up: it cancels the Deferred, and ``wake`` is not called.
        """
        waiting = follow(wait.deferred)
        is_over = False

        def fired(result: object) -> None:
            nonlocal is_over
            if not is_over:  # else it was given up, and not even an error is of interest
                is_over = True
                wake(result)

        def give_up() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                waiting.cancel()

        waiting.addBoth(fired)
        return give_up

    def _end(self, outcome: TaskOutcome) -> None:
        """Enter the state that the command has ended with, and keep its result."""
        self._call = None  # a task that is remembered does not hold its container
        self._result = outcome.result
        self.exc = outcome.error
        self.traceback = outcome.traceback
        self.wants_exit = outcome.wants_exit
        self._move(outcome.status)
        self._fire_waiting()

    def _fire_waiting(self) -> None:
        functions, self._at_end = self._at_end, []
        for function in functions:
            function(self)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:  # else one before it has cancelled it
                each.callback(self)


def _plain(function: object) -> FunctionType | None:
    """Return a command as a function that holds no container, for its annotations; or None."""
    if type(function) is MethodType:
        function = function.__func__
    return function if isinstance(function, FunctionType) and not function.__closure__ else None


def unwrap(result: object) -> object:
    """Return a Deferred's result, or raise its Failure."""
    if isinstance(result, Failure):
        result.raiseException()
    return result
