"""
Tasks that run in turns of the reactor.

`Turns` steps the commands of all tasks of a manager one after the other, and lets the reactor have
its own turn every 10 ms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import Context
from time import monotonic

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from txremote.peer.variables import own_context
from txremote.tasks.capture import ContextPrints
from txremote.tasks.states import FINISHED, RUNNING, TOBEKILLED
from txremote.tasks.stepping import (
    AwaitDeferred,
    Killed,
    Progress,
    Steps,
    TaskOutcome,
    outcome_of,
    steps,
)
from txremote.tasks.task import Submission, Task

#: In how many seconds the reactor's next turn is: as good as none, but later, so
#: that a clock which is advanced by hand gets out of it (Twisted's cooperator).
NEXT_TURN = 1e-8

#: Seconds that tasks are stepped for before the reactor has its turn.
TURN = 0.01


class Turns:
    """
    Steps tasks in turn, one step each, and lets the reactor have its own turns between.

    Args:
        clock: The reactor's.
        seconds: How long tasks are stepped before the reactor has its turn.
    """

    def __init__(self, clock: IReactorTime, seconds: float = TURN) -> None:
        self._clock = clock
        self._seconds = seconds
        self._steps: deque[Callable[[], bool]] = deque()
        self._is_due = False

    def add(self, step: Callable[[], bool]) -> None:
        """Call a function from the next turn on, until it returns False."""
        self._steps.append(step)
        if not self._is_due:
            self._is_due = True
            self._clock.callLater(NEXT_TURN, self._take)

    def _take(self) -> None:
        steps, until = self._steps, monotonic() + self._seconds
        try:
            while steps:
                step = steps.popleft()
                if step():
                    steps.append(step)
                if monotonic() >= until:
                    return
        finally:
            self._is_due = bool(steps)
            if steps:
                self._clock.callLater(NEXT_TURN, self._take)


class AsynTask(Task):
    """A task whose command runs in turns of the reactor."""

    def __init__(self, submission: Submission, turns: Turns) -> None:
        super().__init__(submission)
        self._turns = turns
        self._steps: Steps | None = None
        self._context: Context | None = None
        self._prints: ContextPrints | None = None
        self._error: BaseException | None = None  # to be thrown at the next step
        self._value: object = None  # else to be sent
        self._is_asleep = False
        self._is_held = self._is_due = False  # due: it was to take a step while it was held
        self._give_up_waiting: Callable[[], None] | None = None
        self._is_interrupted = False

    def begin(self) -> None:
        """Take part in the turns."""
        self._turns.add(self._take_turn)

    def hold(self) -> None:
        """Take no step until `go_on`, unless it is killed."""
        self._is_held = True

    def go_on(self) -> None:
        """Take steps again."""
        self._is_held = False
        if self._is_due:
            self._is_due = False
            self._turns.add(self._take_turn)

    def _take_turn(self) -> bool:
        """Take one step; return whether there is another that need not wait."""
        if self.done:
            return False
        if self._is_held:
            self._is_due = True
            return False
        if self._steps is None:
            self._start()
            if self.status != RUNNING:  # a listener has killed it just now
                self._finish(Killed())
                return False
        running, context, prints = self._steps, self._context, self._prints
        assert running is not None and context is not None and prints is not None
        if self.status == TOBEKILLED and not self._is_interrupted:
            self._is_interrupted = True
            self._error = Killed()
        error, self._error = self._error, None
        value, self._value = self._value, None
        wait = raised = None
        prints.active = True
        try:
            if error is None:
                wait = context.run(running.send, value)
            else:
                wait = context.run(running.throw, error)
        except BaseException as problem:  # of a command, which may raise anything
            raised = problem
        prints.active = False
        # not while it is handled: it would be the context of what listeners raise
        if raised is not None:
            self._finish(raised)
        elif wait is not None:
            self._sleep(wait)
        return raised is None and wait is None

    def _start(self) -> None:
        assert self._call is not None
        self._steps = steps(self._call, self._show_in_order)
        self._call = None
        self._context = own_context()
        self._prints = ContextPrints(self._put_out_line, self._context)
        self._move(RUNNING)

    def _put_out_line(self, line: str) -> None:
        self._put_out([line])

    def _show_in_order(self, value: object) -> None:
        assert self._prints is not None
        if self._prints.begun and value is not None and not isinstance(value, Progress):
            self._prints.finish()  # the line that was begun stands before this one
        self._show(value)

    def _sleep(self, wait: AwaitDeferred) -> None:
        self._is_asleep = True

        def wake(result: object) -> None:
            if not isinstance(result, Failure):
                self._value = result
            elif wait.consume:
                self._error = result.value
            self._wake_up()

        give_up = self._wait_for(wait, wake)
        if self._is_asleep:
            self._give_up_waiting = give_up
            if self.status == TOBEKILLED and not self._is_interrupted:
                self._interrupt()  # it was killed in the step before this

    def _wake_up(self) -> None:
        self._is_asleep, self._give_up_waiting = False, None
        self._turns.add(self._take_turn)

    def _interrupt(self) -> None:
        self.go_on()
        if self._give_up_waiting is not None:
            self._give_up_waiting()
            self._wake_up()

    def _finish(self, error: BaseException) -> None:
        assert self._prints is not None
        self._prints.close()
        self._steps = self._context = self._prints = None
        if type(error) is StopIteration:
            self._end(TaskOutcome(FINISHED, error.value))
        else:
            self._end(outcome_of(error, self.status == TOBEKILLED))


class SynTask(AsynTask):
    """A task that is waited for: it takes its first step at once."""

    foreground = True

    def begin(self) -> None:
        """Take the first step, and part in the turns if there are more."""
        if self._take_turn():
            self._turns.add(self._take_turn)
