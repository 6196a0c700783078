"""
The child's side of a process command, run here: what it tells its parent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from txremote.tasks.commandjob import run_command
from txremote.tasks.stepping import Call, LeaveSession, Progress


class Sink:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def began(self) -> None:
        self.told.append("began")

    def line(self, text: str) -> None:
        self.told.append(text)

    def progressed(self, *figures: Any) -> None:
        self.told.append(figures)

    def failed(self, traceback: str) -> None:
        self.told.append(("failed", traceback))

    def ended(self) -> None:
        self.told.append("ended")


class Terminated(BaseException):
    """The exception that TERM raises."""


def run(function: Callable[..., Any], *args: Any) -> tuple[list[Any], Any]:
    """Run a command; return what the sink was told, and the job's result."""
    sink = Sink()
    result = run_command(Call(function, args), sink)
    return sink.told, result


def test_everything_is_told_in_order() -> None:
    """The beginning, lines yielded and printed, figures, the end; the result is the job's."""

    def command(name: str) -> Iterator[Any]:
        print("printed")
        yield f"Imported {name}"
        yield Progress(1, 2, "half")
        yield
        print("begun", end="")
        yield 2

    told, result = run(command, "f1")
    assert told == [
        *("began", "printed", "Imported f1", (1, 2, "half"), "begun", "2"),
        "ended",
    ]
    assert result == ("FINISHED", 2, False)


def test_standard_output_is_as_it_was() -> None:
    """When the command has ended."""
    before = sys.stdout
    run(lambda: print("x"))
    assert sys.stdout is before


def test_a_crash_is_raised_and_its_traceback_told() -> None:
    """The traceback begins in the command."""

    def command() -> Iterator[Any]:
        yield "one"
        raise ValueError("a bug")

    sink = Sink()
    with pytest.raises(ValueError, match="a bug"):
        run_command(Call(command), sink)
    _began, _one, (failed, traceback), ended = sink.told
    assert (failed, ended) == ("failed", "ended")
    assert "in command" in traceback
    assert traceback.count("  File ") == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (GeneratorExit, ("KILLED", None, False)),
        (KeyboardInterrupt, ("KILLED", None, False)),
        (LeaveSession, ("FINISHED", None, True)),
    ],
)
def test_soft_ends_are_no_errors(error: type[BaseException], outcome: Any) -> None:
    """plac's soft terminations, and the wish to leave."""

    def command() -> None:
        raise error

    assert run(command) == (["began", "ended"], outcome)


def test_an_exit_of_the_program_is_an_error_of_the_command() -> None:
    """A worker process is not ended by a command's sys.exit()."""
    with pytest.raises(RuntimeError, match=r"SystemExit\(3\)"):
        run(sys.exit, 3)


def test_term_runs_finally_and_ends_the_process() -> None:
    """The prints of finally arrive; the command is not said to have ended by itself."""

    def command() -> Iterator[Any]:
        try:
            yield "one"
            raise Terminated
        finally:
            print("closing the file")

    sink = Sink()
    with pytest.raises(Terminated):
        run_command(Call(command), sink)
    assert sink.told == ["began", "one", "closing the file"]


def test_a_deferred_that_has_a_result_is_no_wait() -> None:
    """Such as those of functions that only look asynchronous."""

    def command() -> Iterator[Any]:
        yield (yield succeed("at once"))
        try:
            yield fail(KeyError("x"))
        except KeyError:
            yield "caught"

    async def coroutine() -> str:
        return await succeed("awaited")

    assert run(command)[0] == ["began", "at once", "caught", "ended"]
    assert run(coroutine)[0] == ["began", "awaited", "ended"]


def test_a_deferred_that_has_none_cannot_be_waited_for() -> None:
    """There is no reactor in the child; the sentence says where to put the command."""

    def command() -> Iterator[Any]:
        yield Deferred()

    with pytest.raises(RuntimeError, match="Put it into thcommands or asyncommands"):
        run(command)
