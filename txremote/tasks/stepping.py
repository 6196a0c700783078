"""
A command, step by step, whatever it is made of.

`course` turns the call of a command into one generator that anybody can step: a
thread, the reactor, the main loop of a child process. The command may be

* a function: its result is a line, or some lines if it can be iterated (plac);
* a generator: what it yields are lines (plac);
* a coroutine, which may await Deferreds: its result is a line;
* an asynchronous generator: what it yields are lines.

A yielded None is a place to stop and no more; a `Progress` is a figure; a
Deferred is waited for and gives the ``yield`` its result, as in
`twisted.internet.defer.inlineCallbacks`.

A course yields None where it can be stopped, or a `Wait`. It is resumed with the
Deferred's result (``send``), its exception (``throw``), or with `Killed`. Then a
generator is closed, as plac does it: ``GeneratorExit`` where it stands; and a
coroutine gets ``CancelledError`` where it stands, as Twisted does it, so that
its ``finally`` may await something. Either way ``finally`` is run by whoever
steps the course, before the course ends.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from twisted.internet.defer import CancelledError, Deferred


@dataclass(frozen=True)
class Progress:
    """
    How far a command has come. A command yields it.

    Attributes:
        done: How much is done.
        total: How much there is to do, or None where nobody knows.
        text: What is being done.
    """

    done: float
    total: float | None = None
    text: str = ""

    @property
    def fraction(self) -> float | None:
        """What part is done, from 0.0 to 1.0, or None where nobody knows."""
        if not self.total:
            return None
        return min(1.0, max(0.0, self.done / self.total))

    def __str__(self) -> str:
        figure = f"{self.done:g}" if self.total is None else f"{self.done:g}/{self.total:g}"
        return f"{figure} {self.text}".rstrip()


@dataclass(frozen=True)
class Call:
    """A command and what it is called with."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> Any:
        return self.function(*self.args, **self.kwargs)


@dataclass(frozen=True)
class Wait:
    """
    A Deferred that a course waits for.

    Attributes:
        deferred: The Deferred.
        consume: Whether the course is resumed with its result. One that is awaited
            gives it out by itself.
    """

    deferred: Deferred[Any]
    consume: bool


class LeaveSession(Exception):
    """Raised by a command: who gave it wants to leave. plac's ``Interpreter.Exit``."""


class Killed(BaseException):
    """Thrown into a course that shall end."""


Course = Generator[Wait | None, Any, Any]
Show = Callable[[Any], object]


def course(call: Call, show: Show) -> Course:
    """
    Run a command, a step at a time.

    Args:
        call: The command. It is called at the first step.
        show: Called with each value that is put out.

    Returns:
        A generator as the module describes it; its value is the command's
        result: what it returned, or what it yielded last (plac).
    """
    value = call()
    if isinstance(value, Deferred):
        value = yield Wait(value, True)
    elif inspect.isasyncgen(value):
        return (yield from _step(_lines_of(value), show))
    elif inspect.iscoroutine(value):
        value = yield from _step(value, show)
    elif inspect.isgenerator(value):
        return (yield from _step(value, show))
    return (yield from _put_out(value, show))


def _put_out(value: Any, show: Show) -> Course:
    """
    Put out what a command returned, as plac does: one by one if it can be
    iterated and is neither text nor a class.
    """
    iterator: Iterator[Any] | None = None
    if hasattr(type(value), "__iter__") and not isinstance(value, (str, bytes, type)):
        try:
            iterator = iter(value)
        except TypeError:  # a remote reference, say
            pass
    if iterator is None:
        show(value)
        return value
    last = None
    for item in iterator:
        show(item)
        last = _result(item, last)
        yield None
    return last


def _step(inner: Any, show: Show) -> Course:
    """Step a generator or a coroutine."""
    awaits = inspect.iscoroutine(inner)
    resume, argument = inner.send, None
    last = None
    try:
        while True:
            try:
                value = resume(argument)
            except StopIteration as end:
                return last if end.value is None else end.value
            resume, argument = inner.send, None
            wait = _wait_of(value, awaits)
            if wait is None:
                value = value.value if awaits else value
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


def _wait_of(value: Any, awaits: bool) -> Wait | None:
    if isinstance(value, Deferred):
        return Wait(value, consume=not awaits)
    if awaits and not isinstance(value, _Line):
        raise TypeError(f"a command can await Deferreds and coroutines, not {value!r}")
    return None


def _result(value: Any, last: Any) -> Any:
    return last if value is None or isinstance(value, Progress) else value


class _Line:
    """What a course gets from an asynchronous generator: a value, and no Deferred."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, None]:
        yield self


async def _lines_of(lines: AsyncGenerator[Any, Any]) -> None:
    try:
        async for value in lines:
            if isinstance(value, Deferred):
                raise TypeError("an asynchronous command awaits a Deferred, and does not yield it")
            await _Line(value)
    finally:
        await lines.aclose()


@dataclass(frozen=True)
class Ending:
    """
    How a course ended.

    Attributes:
        status: FINISHED, KILLED or ABORTED.
        result: What the command's result is.
        error: What it raised, if it was aborted.
        traceback: The traceback of that, as text.
        wants_exit: Whether it raised `LeaveSession`, or plac's ``Interpreter.Exit``.
    """

    status: str
    result: Any = None
    error: Exception | None = None
    traceback: str = ""
    wants_exit: bool = False


def ending_of(error: BaseException, to_be_killed: bool) -> Ending:
    """
    Tell how a course ended that raised something.

    Args:
        error: What it raised; StopIteration is a result.
        to_be_killed: Whether it was asked to end.
    """
    if isinstance(error, StopIteration):
        return Ending("FINISHED", error.value)
    # plac: these are soft terminations, also if a command raises them by itself
    if isinstance(error, (Killed, GeneratorExit, KeyboardInterrupt)):
        return Ending("KILLED")
    if to_be_killed and isinstance(error, CancelledError):
        return Ending("KILLED")
    if _is_exit(error):
        return Ending("FINISHED", wants_exit=True)
    text = traceback_of(error)
    if not isinstance(error, Exception):  # sys.exit() in a command is no end of the program
        plain = RuntimeError(f"the command raised {error!r}")
        plain.__cause__ = error
        error = plain
    if error.__traceback__ is not None:
        traceback.clear_frames(error.__traceback__)  # what the command held goes
    return Ending("ABORTED", None, error, text)


def _is_exit(error: BaseException) -> bool:
    # plac's by name: this room does not know plac
    return isinstance(error, LeaveSession) or any(
        kind.__qualname__ == "Interpreter.Exit" and kind.__module__ == "plac_ext"
        for kind in type(error).__mro__
    )


def traceback_of(error: BaseException) -> str:
    """Return an exception's traceback as text, without the frames of this module."""
    found: TracebackType | None = error.__traceback__
    while found is not None and found.tb_frame.f_globals.get("__package__") == __package__:
        found = found.tb_next
    return "".join(traceback.format_exception(type(error), error, found))


def drive(course: Course, wait: Callable[[Wait], Any], interrupted: Callable[[], bool]) -> Any:
    """
    Run a course to its end in a thread that may block.

    Args:
        course: The course.
        wait: Waits for a Deferred, and returns its result or raises.
        interrupted: Asked at each place to stop whether the course shall end;
            says so once.

    Returns:
        The result.

    Raises:
        BaseException: what the course raised.
    """
    resume: Callable[[Any], Wait | None] = course.send
    argument: Any = None
    try:
        while True:
            wanted = resume(argument)
            resume, argument = course.send, None
            try:
                if wanted is not None:
                    argument = wait(wanted)
            except Exception as problem:
                resume, argument = course.throw, problem
            if interrupted():
                resume, argument = course.throw, Killed()
    except StopIteration as end:
        return end.value
    finally:
        course.close()
