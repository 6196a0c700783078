"""
A command as a generator of steps, whatever it is made of.

`steps` turns the call of a command into one generator that anybody can step: a thread, the
reactor, the main loop of a child process. The command may be

* a function: its result is a line, or some lines if it can be iterated (plac);
* a generator: it yields lines (plac);
* a coroutine, which may await Deferreds: its result is a line;
* an asynchronous generator: it yields lines.

A yielded None is a place to stop and no more; a `Progress` is a figure; a Deferred is waited for
and gives the ``yield`` its result, as in `twisted.internet.defer.inlineCallbacks`.

The steps yield None where they can be stopped, or an `AwaitDeferred`. They are resumed with the
Deferred's result (``send``), its exception (``throw``), or with `Killed`. Then a generator is
closed, as plac does it, and a coroutine gets ``CancelledError`` where it stands, as Twisted does
it, so that its ``finally`` may await something.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, NamedTuple, TypeAlias

from twisted.internet.defer import CancelledError, Deferred

from txremote.tasks.states import ABORTED, FINISHED, KILLED

#: A `Progress` by value: done, total and text.
Figures: TypeAlias = tuple[float, float | None, str]


@dataclass(frozen=True)
class Progress:
    """
    How far a command has come: a command yields it.

    Attributes:
        done: How much is done.
        total: How much there is to do, or None where that is unknown.
        text: A few words on what is being done.

    Raises:
        ValueError: a figure is no finite number, or the text no str: others are to read them.
    """

    done: float
    total: float | None = None
    text: str = ""

    def __post_init__(self) -> None:
        try:
            good = isfinite(self.done) and (self.total is None or isfinite(self.total))
        except (TypeError, OverflowError):  # no number, and an int that is too large for a float
            good = False
        if not (good and isinstance(self.text, str)):
            raise ValueError(
                "Progress(done, total, text) takes two finite numbers and a str; "
                "total is None where it is unknown"
            )

    @property
    def figures(self) -> Figures:
        """All of it, to be sent by value."""
        return self.done, self.total, self.text

    @property
    def fraction(self) -> float | None:
        """The part that is done, from 0.0 to 1.0, or None where the total is unknown."""
        if not self.total:
            return None
        return min(1.0, max(0.0, self.done / self.total))

    def __str__(self) -> str:
        figure = f"{self.done:g}" if self.total is None else f"{self.done:g}/{self.total:g}"
        return f"{figure} {self.text}".rstrip()


class Call(NamedTuple):
    """A command and its arguments."""

    function: Callable[..., object]
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = {}

    def __call__(self) -> object:
        return self.function(*self.args, **self.kwargs)


@dataclass(frozen=True)
class AwaitDeferred:
    """A Deferred that the steps wait for. Its result resumes them if ``consume`` is true."""

    deferred: Deferred[Any]
    consume: bool


class LeaveSession(Exception):
    """Raised by a command to end the session that gave it. plac's ``Interpreter.Exit``."""


class Killed(BaseException):
    """Thrown into steps that shall end."""


# The values are the command's: sent, shown and returned, and never looked into.
Steps: TypeAlias = Generator[AwaitDeferred | None, object, object]
Show: TypeAlias = Callable[[object], object]


def steps(call: Call, show: Show) -> Steps:
    """
    Run a command, a step at a time; ``show`` is called with each value that is put out.

    The generator's value is the command's result: its return value, or the last one yielded
    (plac).
    """
    value: Any = call()
    if isinstance(value, GeneratorType):
        return (yield from _step(value, show, awaits=False))
    if isinstance(value, AsyncGeneratorType):
        return (yield from _step(_lines_of(value), show, awaits=True))
    if isinstance(value, CoroutineType):
        value = yield from _step(value, show, awaits=True)
    elif isinstance(value, Deferred):
        value = yield AwaitDeferred(value, True)
    return (yield from _put_out(value, show))


def _put_out(value: Any, show: Show) -> Steps:
    """Put out a result, as plac does: one by one if it can be iterated, but no text or class."""
    iterator: Iterator[object] | None = None
    if hasattr(type(value), "__iter__") and not isinstance(value, (str, bytes, type)):
        try:
            iterator = iter(value)
        except TypeError:  # a remote reference, say
            pass
    if iterator is None:
        show(value)
        return value
    last: object = None
    for item in iterator:
        show(item)
        last = _result(item, last)
        yield None
    return last


def _step(
    inner: Generator[object, Any, object] | Coroutine[object, Any, object],
    show: Show,
    awaits: bool,
) -> Steps:
    """Step a generator, or a coroutine, which awaits."""
    resume: Callable[[Any], object] = inner.send
    argument: object = None
    last: object = None
    try:
        while True:
            try:
                value = resume(argument)
            except StopIteration as end:
                return last if end.value is None else end.value
            resume, argument = inner.send, None
            if type(value) is str and not awaits:  # most often: to look for a Deferred takes longer
                wait = None
                show(value)
                last = value
            elif (wait := _wait_of(value, awaits)) is None:
                value = value.value if isinstance(value, _Line) else value
                show(value)
                last = _result(value, last)
            try:
                argument = yield wait
            except Killed:
                if not awaits:
                    raise
                resume, argument = inner.throw, CancelledError()
            except Exception as problem:
                resume, argument = inner.throw, problem
    finally:
        inner.close()


def _wait_of(value: object, awaits: bool) -> AwaitDeferred | None:
    if isinstance(value, Deferred):
        return AwaitDeferred(value, consume=not awaits)
    if awaits and not isinstance(value, _Line):
        raise TypeError(f"a command can await Deferreds and coroutines, not {value!r}")
    return None


def _result(value: object, last: object) -> object:
    return last if value is None or isinstance(value, Progress) else value


class _Line:
    """A value that an asynchronous generator yields: awaited, so that the steps see it."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[_Line, None, None]:
        yield self


async def _lines_of(lines: AsyncGenerator[object, Any]) -> None:
    try:
        async for value in lines:
            if isinstance(value, Deferred):
                raise TypeError("an asynchronous command awaits a Deferred, and does not yield it")
            await _Line(value)
    finally:
        await lines.aclose()


class TaskOutcome(NamedTuple):
    """How the steps ended: FINISHED with a result, ABORTED with an error, or KILLED."""

    status: str
    result: object = None
    error: Exception | None = None
    traceback: str = ""
    wants_exit: bool = False


def outcome_of(error: BaseException, to_be_killed: bool) -> TaskOutcome:
    """Return the outcome of steps that raised something; a StopIteration is a result."""
    if isinstance(error, StopIteration):
        return TaskOutcome(FINISHED, error.value)
    # plac: these are soft terminations, also if a command raises them by itself
    if isinstance(error, (Killed, GeneratorExit, KeyboardInterrupt)):
        return TaskOutcome(KILLED)
    if to_be_killed and isinstance(error, CancelledError):
        return TaskOutcome(KILLED)
    if _is_exit(error):
        return TaskOutcome(FINISHED, wants_exit=True)
    text = traceback_of(error)
    if not isinstance(error, Exception):  # sys.exit() in a command is no end of the program
        plain = RuntimeError(f"the command raised {error!r}")
        plain.__cause__ = error
        error = plain
    if error.__traceback__ is not None:
        traceback.clear_frames(error.__traceback__)  # let go of the command's objects
    return TaskOutcome(ABORTED, None, error, text)


def _is_exit(error: BaseException) -> bool:
    # plac's by name: this room does not know plac
    return isinstance(error, LeaveSession) or any(
        kind.__qualname__ == "Interpreter.Exit" and kind.__module__ == "plac_ext"
        for kind in type(error).__mro__
    )


def traceback_of(error: BaseException) -> str:
    """Return an exception's traceback as text, without the frames of this room."""
    found = error.__traceback__
    while found is not None and found.tb_frame.f_globals.get("__package__") == __package__:
        found = found.tb_next
    return "".join(traceback.format_exception(type(error), error, found))


def run_steps(
    running: Steps, wait: Callable[[AwaitDeferred], object], interrupted: Callable[[], bool]
) -> object:
    """Run steps in a thread that may block; return the result. `interrupted` says when to end."""
    resume: Callable[[Any], AwaitDeferred | None] = running.send
    argument: object = None
    try:
        while True:
            wanted = resume(argument)
            resume, argument = running.send, None
            try:
                if wanted is not None:
                    argument = wait(wanted)
            except Exception as problem:
                resume, argument = running.throw, problem
            if interrupted():
                resume, argument = running.throw, Killed()
    except StopIteration as end:
        return end.value
    finally:
        running.close()
