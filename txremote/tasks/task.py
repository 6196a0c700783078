"""
`Task`: a command that runs, or ran: its state, its output, its end.

The states are plac's, and `TRANSITIONS` is all that may happen between them.
What runs the command, and where, is a subclass's: `txremote.tasks.kinds` and
`txremote.tasks.mptask`. All here is for the reactor's thread; a subclass brings
there what comes from a thread or a process.

The names that programs written for plac read (``outlist``, ``result``, ``exc``,
``tb``, ``no``, ``arglist``, ``str``) mean what they mean there, except that
nothing blocks: a result that is not there yet raises `WouldBlockReactor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from txremote.errors import WouldBlockReactor
from txremote.refs.clock import steady
from txremote.refs.sharing import follow
from txremote.tasks.audience import Audience, Listener
from txremote.tasks.capture import shortened
from txremote.tasks.ring import OutputRing
from txremote.tasks.stepping import Call, Ending, Progress, Wait

SUBMITTED: Final = "SUBMITTED"
RUNNING: Final = "RUNNING"
TOBEKILLED: Final = "TOBEKILLED"
KILLED: Final = "KILLED"
FINISHED: Final = "FINISHED"
ABORTED: Final = "ABORTED"

#: From each state, those that may come next. A task that is to be killed may
#: still end by itself, well or badly, before it notices.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    SUBMITTED: frozenset({RUNNING, KILLED, ABORTED}),
    RUNNING: frozenset({TOBEKILLED, KILLED, FINISHED, ABORTED}),
    TOBEKILLED: frozenset({KILLED, FINISHED, ABORTED}),
    KILLED: frozenset(),
    FINISHED: frozenset(),
    ABORTED: frozenset(),
}

#: plac's six states, in its order.
STATES: Final = tuple(TRANSITIONS)

#: Those that a task does not leave.
FINAL: Final = frozenset(state for state, following in TRANSITIONS.items() if not following)


def text_of(value: Any) -> str:
    """Return the line that a value is: plac's, so bytes are UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class Lines(list[str]):
    """
    Some lines that a command puts out in one step. For those that are built in and
    run in the reactor: who follows a talkative task could not keep up with a step
    for each line.
    """


class PlacNames:
    """What programs that were written for plac ask a task for, under plac's names."""

    exc: Exception | None
    traceback: str
    output: OutputRing

    @property
    def etype(self) -> type[Exception] | None:
        """The class of what it raised, or None."""
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


class Task(PlacNames):
    """
    A command that runs, or ran. Made by a `TaskManager`.

    Args:
        no: Its number.
        arglist: The words of the command line.
        call: What the words mean.
        reactor: The reactor, for its clock and to come back from elsewhere.
        ring: Where its output is kept.

    Attributes:
        foreground: Whether who typed the command waits for its end.
        stops_on_line: Whether an empty line ends it, that is typed meanwhile.
        status: One of `STATES`.
        submitted: When it was submitted, in the clock's seconds.
        started: When it began to run, or None.
        ended: When it ended, or None.
        output: The `OutputRing` with its last lines.
        progress: The last `Progress` it told, or None.
        exc: What it raised, or None.
        traceback: The traceback of that, as text, or "".
        wants_exit: Whether it raised plac's ``Interpreter.Exit``.
        audience: Who listens to it.
    """

    foreground = False
    stops_on_line = False

    def __init__(
        self, no: int, arglist: Sequence[str], call: Call, reactor: Any, ring: OutputRing
    ) -> None:
        self.no = no
        self.arglist = list(arglist)
        self.status = SUBMITTED
        self._reactor = reactor
        self._clock = steady(reactor)
        self.submitted: float = self._clock.seconds()
        self.started: float | None = None
        self.ended: float | None = None
        self.output = ring
        self.progress: Progress | None = None
        self.exc: Exception | None = None
        self.traceback = ""
        self.wants_exit = False
        self.audience = Audience()
        self._call: Call | None = call
        self._result: Any = None
        self._waiting: list[Deferred[Task]] = []

    def __repr__(self) -> str:
        words = " ".join(self.arglist)
        return f"<{type(self).__name__} {self.no} [{words}] {self.status}>"

    # -- what there is to know

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    @property
    def duration(self) -> float | None:
        """How long it has run, or ran, in seconds; None before it has begun."""
        if self.started is None:
            return None
        return (self._clock.seconds() if self.ended is None else self.ended) - self.started

    @property
    def result(self) -> Any:
        """
        What the command returned, or yielded last (plac); None if it was killed.

        Raises:
            Exception: what the command raised, if it was aborted.
            WouldBlockReactor: it has not ended.
        """
        if not self.done:
            raise WouldBlockReactor(f"{self!r} has not ended: wait for task.when_done()")
        if self.exc is not None:
            raise self.exc
        return self._result

    @property
    def error(self) -> str:
        """
        What it raised as a line, ``ValueError: message``, or "". It is "" as well
        where the output says it better: of a wrong command line.
        """
        if self.exc is None or getattr(self.exc, "is_shown", False):
            return ""
        return f"{type(self.exc).__name__}: {self.exc}"

    # -- what can be asked

    def listen(
        self,
        output: Listener | None = None,
        progress: Listener | None = None,
        state: Listener | None = None,
    ) -> Callable[[], None]:
        """
        Hear what happens from now on. A listener that raises hears no more.

        Args:
            output: Called with the task and a list of new lines.
            progress: Called with the task and a `Progress`.
            state: Called with the task and its new state.

        Returns:
            What ends it.
        """
        return self.audience.listen(output, progress, state)

    def when_done(self) -> Deferred[Task]:
        """
        Return a new Deferred that fires with this task when it has ended.

        It never fails. It fires as well when the task's manager stops and cannot
        end it: then the state says that it goes on.
        """
        if self.done:
            return succeed(self)
        waiting: Deferred[Task] = Deferred(self._forget)
        self._waiting.append(waiting)
        return waiting

    def _forget(self, waiting: Deferred[Task]) -> None:
        self._waiting = [other for other in self._waiting if other is not waiting]

    def kill(self) -> bool:
        """
        Have it end.

        Returns:
            Whether there was anything left to end. It is KILLED at once if it
            has not begun, and TOBEKILLED until it has noticed if it runs.
        """
        if self.done or self.status == TOBEKILLED:
            return not self.done
        if self.status == SUBMITTED:
            self._withdraw()
            self._end(Ending(KILLED))
        else:
            self._move(TOBEKILLED)
            self._interrupt()
        return True

    # -- for its keeper

    def begin(self) -> None:
        """Start to run the command, wherever that is done."""
        raise NotImplementedError

    def give_up(self, reason: Exception) -> None:
        """
        End what has not begun, and tell who waits for what cannot be ended.

        Args:
            reason: Why it does not begin.
        """
        if self.status == SUBMITTED:
            self._end(Ending(ABORTED, None, reason))
        else:
            self._tell_waiting()

    # -- for subclasses

    def _withdraw(self) -> None:
        """See to it that it does not begin."""

    def _interrupt(self) -> None:
        """Have the command end: the state is TOBEKILLED."""

    def _move(self, status: Any) -> None:
        """Enter a state, and say so."""
        if status not in TRANSITIONS[self.status]:
            raise RuntimeError(f"{self!r} cannot become {status}")
        self.status = status
        if status == RUNNING:
            self.started = self._clock.seconds()
        elif status in FINAL:
            self.ended = self._clock.seconds()
        self.audience.state.tell(self, status)

    def _put_out(self, lines: Iterable[Any]) -> None:
        """Add lines of output, and say so. One that is very long is cut."""
        new = [shortened(line) for line in lines]
        for line in new:
            self.output.append(line)
        if new:
            self.audience.output.tell(self, new)

    def _show(self, value: Any) -> None:
        """Take in what the command yields."""
        if isinstance(value, Progress):
            self.progress = value
            self.audience.progress.tell(self, value)
        elif isinstance(value, Lines):
            self._put_out(value)
        elif value is not None:
            self._put_out([text_of(value)])

    def _wait_for(self, wait: Wait, wake: Callable[[Any], object]) -> Callable[[], None]:
        """
        Wait for a Deferred of the command's.

        Args:
            wait: The Deferred.
            wake: Called with its result or Failure, once, unless it is given up.

        Returns:
            What gives it up: the Deferred is cancelled.
        """
        awake = [False]

        waiting = follow(wait.deferred)

        def fired(result: Any) -> None:
            if not awake[0]:  # else nobody wants to know any more, not even of errors
                awake[0] = True
                wake(result)

        def give_up() -> None:
            if not awake[0]:
                awake[0] = True
                waiting.cancel()

        waiting.addBoth(fired)
        return give_up

    def _end(self, ending: Ending) -> None:
        """Take in the command's end."""
        self._call = None  # a task that is remembered does not hold its container
        self._result = ending.result
        self.exc = ending.error
        self.traceback = ending.traceback
        self.wants_exit = ending.wants_exit
        self._move(ending.status)
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:  # else one before it has cancelled it
                each.callback(self)


def unwrap(result: Any) -> Any:
    """Return what a Deferred gave, or raise what it failed with."""
    if isinstance(result, Failure):
        result.raiseException()
    return result
