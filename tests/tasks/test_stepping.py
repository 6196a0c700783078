"""
Commands step by step: whatever they are made of, they are stepped alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from txremote.tasks.stepping import (
    AwaitDeferred,
    Call,
    Killed,
    LeaveSession,
    Progress,
    outcome_of,
    run_steps,
    steps,
    traceback_of,
)

SWALLOWED: list[str] = []


class Run:
    """
    A command that is run to its end at once.

    Args:
        function: The command.
        kill_at: At which place to stop it is killed.
    """

    def __init__(self, function: Callable[..., Any], *args: Any, kill_at: int | None = None):
        self.shown: list[Any] = []
        self.places = 0
        self._kill_at = kill_at
        self.error: BaseException | None = None
        self.result: Any = None
        try:
            self.result = run_steps(
                steps(Call(function, args), self.shown.append), self._wait, self._interrupted
            )
        except BaseException as error:
            self.error = error

    def _interrupted(self) -> bool:
        self.places += 1
        return self.places == self._kill_at

    def _wait(self, wait: AwaitDeferred) -> Any:
        found: list[Any] = []

        def keep(result: Any) -> Any:
            found.append(result)
            return None if wait.consume else result

        wait.deferred.addBoth(keep)
        if not wait.consume:
            return None
        if isinstance(found[0], Failure):
            found[0].raiseException()
        return found[0]


# -- what they are made of


def a_function() -> str:
    return "a line"


def a_list() -> list[int]:
    return [1, 2, 3]


def a_generator() -> Iterator[Any]:
    yield "one"
    yield
    yield 2
    yield Progress(1, 2)


def with_a_return() -> Iterator[Any]:
    yield "one"
    return "the result"


async def a_coroutine() -> str:
    return await succeed("awaited")


async def lines() -> AsyncIterator[Any]:
    yield "one"
    yield await succeed("two")
    yield


def a_deferred() -> Deferred[str]:
    return succeed("later")


@pytest.mark.parametrize(
    ("command", "shown", "result"),
    [
        (a_function, ["a line"], "a line"),
        (a_list, [1, 2, 3], 3),
        (lambda: b"bytes", [b"bytes"], b"bytes"),
        (lambda: str, [str], str),
        (lambda: None, [None], None),
        (lambda: {"a": 1}, ["a"], "a"),
        (list, [], None),
        (a_generator, ["one", None, 2, Progress(1, 2)], 2),
        (with_a_return, ["one"], "the result"),
        (a_coroutine, ["awaited"], "awaited"),
        (lines, ["one", "two", None], "two"),
        (a_deferred, ["later"], "later"),
    ],
)
def test_what_a_command_gives(command: Any, shown: list[Any], result: Any) -> None:
    """Its lines as plac has them, and as its result what it returned or yielded last."""
    run = Run(command)
    assert run.error is None
    assert (run.shown, run.result) == (shown, result)


def test_what_only_looks_as_if_it_could_be_iterated() -> None:
    """A reference whose loop raises TypeError is one line."""

    class Reference:
        def __iter__(self) -> Iterator[Any]:
            raise TypeError("use async for")

    reference = Reference()
    assert Run(lambda: reference).shown == [reference]


def test_arguments_reach_the_command() -> None:
    """It is called with what the line says."""
    call = Call(lambda a, b=0: a + b, (1,), {"b": 2})
    assert run_steps(steps(call, lambda _value: None), lambda _wait: None, lambda: False) == 3


# -- Deferreds


def test_a_yielded_deferred_is_waited_for() -> None:
    """Its result is the value of the yield, and no line."""

    def command() -> Iterator[Any]:
        got = yield succeed(5)
        yield f"got {got}"

    assert Run(command).shown == ["got 5"]


def test_a_yielded_deferred_that_fails_raises_in_the_command() -> None:
    """The command may catch it and go on."""

    def command() -> Iterator[Any]:
        try:
            yield fail(KeyError("x"))
        except KeyError as problem:
            yield f"caught {problem}"

    run = Run(command)
    assert (run.shown, run.error) == (["caught 'x'"], None)


def test_an_awaited_deferred_that_fails_raises_in_the_command() -> None:
    """As in any coroutine of Twisted's."""

    async def command() -> str:
        try:
            await fail(KeyError("x"))
        except KeyError as problem:
            return f"caught {problem}"
        return "not reached"

    assert Run(command).shown == ["caught 'x'"]


def test_what_cannot_be_awaited_is_named() -> None:
    """A coroutine that waits for a thing of asyncio's hears what can be waited for."""

    async def command() -> None:
        loop = asyncio.new_event_loop()
        try:
            await loop.create_future()
        finally:
            loop.close()

    run = Run(command)
    assert isinstance(run.error, TypeError)
    assert "can await Deferreds" in str(run.error)


def test_an_asynchronous_generator_does_not_yield_deferreds() -> None:
    """It can await them, and that is said."""

    async def command() -> AsyncIterator[Any]:
        yield succeed(1)

    assert "awaits a Deferred" in str(Run(command).error)


# -- being killed


def test_a_killed_generator_is_closed() -> None:
    """GeneratorExit where it stands, as plac does it; its finally runs, at once."""
    seen: list[str] = []

    def command() -> Iterator[Any]:
        try:
            yield "one"
            yield "two"
            yield "three"
        except GeneratorExit:
            seen.append("exit")
            raise
        finally:
            seen.append("finally")

    run = Run(command, kill_at=2)
    assert isinstance(run.error, Killed)
    assert run.shown == ["one", "two"]
    assert seen == ["exit", "finally"]


def test_a_killed_coroutine_is_cancelled() -> None:
    """CancelledError where it awaits, as Twisted does it; its clean-up may await, too."""
    seen: list[str] = []

    async def command() -> None:
        try:
            await succeed(1)
            await Deferred()
        except CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append(await succeed("cleaned up"))

    run = Run(command, kill_at=2)
    assert isinstance(run.error, CancelledError)
    assert seen == ["cancelled", "cleaned up"]


def test_a_killed_asynchronous_generator_is_closed() -> None:
    """Its finally may await as well."""
    seen: list[str] = []

    async def command() -> AsyncIterator[Any]:
        try:
            while True:
                yield "again"
        finally:
            seen.append(await succeed("cleaned up"))

    run = Run(command, kill_at=2)
    assert isinstance(run.error, CancelledError)
    assert run.shown == ["again", "again"]
    assert seen == ["cleaned up"]


def test_a_killed_list_stops() -> None:
    """There is a place to stop behind each of a result's lines."""
    run = Run(a_list, kill_at=2)
    assert isinstance(run.error, Killed)
    assert run.shown == [1, 2]


def test_a_generator_that_goes_on_after_its_exit() -> None:
    """It is an error of the command's, which Python names."""

    def command() -> Iterator[Any]:
        try:
            yield "one"
        except GeneratorExit:
            yield "two"

    run = Run(command, kill_at=1)
    assert "generator ignored GeneratorExit" in str(run.error)


def test_an_exception_from_outside_runs_finally_as_well() -> None:
    """TERM in a child process: it comes anywhere, and the generator is closed all the same."""
    seen: list[str] = []

    class Terminated(BaseException):
        pass

    def command() -> Iterator[Any]:
        try:
            yield "one"
            yield "two"
        finally:
            seen.append("finally")

    def interrupted() -> bool:
        raise Terminated

    with pytest.raises(Terminated):
        run_steps(steps(Call(command), seen.append), lambda _wait: None, interrupted)
    assert seen == ["one", "finally"]


# -- endings


def raised(error: BaseException) -> BaseException:
    """Return an exception with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


class Exit(Exception):
    """plac's Interpreter.Exit looks like this."""


Exit.__module__, Exit.__qualname__ = "plac_ext", "Interpreter.Exit"


@pytest.mark.parametrize(
    ("error", "killed", "status", "wants_exit"),
    [
        (StopIteration(3), False, "FINISHED", False),
        (Killed(), True, "KILLED", False),
        (GeneratorExit(), False, "KILLED", False),
        (KeyboardInterrupt(), False, "KILLED", False),
        (CancelledError(), True, "KILLED", False),
        (CancelledError(), False, "ABORTED", False),
        (ValueError("x"), True, "ABORTED", False),
        (LeaveSession(), False, "FINISHED", True),
        (Exit(), False, "FINISHED", True),
        (SystemExit(2), False, "ABORTED", False),
    ],
)
def test_how_a_command_ends(
    error: BaseException, killed: bool, status: str, wants_exit: bool
) -> None:
    """plac's soft terminations are kills, its Exit is a wish to leave, the rest is an error."""
    ending = outcome_of(raised(error), killed)
    assert (ending.status, ending.wants_exit) == (status, wants_exit)
    assert (ending.error is not None) is (status == "ABORTED")


def test_an_exit_of_the_program_is_no_end_of_ours() -> None:
    """sys.exit() in a command is an ordinary error of its task."""
    ending = outcome_of(raised(SystemExit("bye")), False)
    assert isinstance(ending.error, RuntimeError)
    assert "SystemExit('bye')" in str(ending.error)


def test_a_traceback_begins_in_the_command() -> None:
    """The frames that step it are left out."""

    def command() -> Iterator[Any]:
        yield 1 / 0

    run = Run(command)
    assert run.error is not None and run.error.__traceback__ is not None
    run.error.__traceback__ = run.error.__traceback__.tb_next  # this file's own
    text = traceback_of(run.error)
    assert "ZeroDivisionError: division by zero" in text
    assert "in command" in text
    assert text.count("  File ") == 1


def test_what_an_aborted_command_held_is_let_go() -> None:
    """Its error is kept, the locals of its frames are not."""

    def command() -> None:
        SWALLOWED.append("x")
        kept = object()
        raise ValueError(id(kept))

    run = Run(command)
    assert run.error is not None
    outcome_of(run.error, False)
    frames = []
    found = run.error.__traceback__
    while found is not None:
        frames.append(found.tb_frame)
        found = found.tb_next
    assert "kept" not in frames[-1].f_locals


def test_progress() -> None:
    """A figure as a text, and as a part of the whole."""
    assert str(Progress(3, 10, "rows")) == "3/10 rows"
    assert str(Progress(3)) == "3"
    assert Progress(3, 10).fraction == 0.3
    assert Progress(30, 10).fraction == 1.0
    assert Progress(3).fraction is None
    assert Progress(3, 0).fraction is None


@pytest.mark.parametrize(
    "wrong",
    [("3",), (None,), (float("nan"),), (10**400,), (1, float("inf")), (1, "2"), (1, 2, None)],
)
def test_a_progress_that_nobody_could_read_is_refused_to_its_command(
    wrong: tuple[Any, ...],
) -> None:
    """Lists, pages and metrics tell it to others."""
    with pytest.raises(ValueError, match="takes two finite numbers and a str"):
        Progress(*wrong)
