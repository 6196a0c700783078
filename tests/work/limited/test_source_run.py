"""
A run of a limited source whose process says what it likes: it costs that run, and nothing else.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor, task
from twisted.internet.defer import Deferred

from tests.work.child_processes import children, until
from txremote.errors import LimitExceeded, WorkerDied
from txremote.work.limited import source_run
from txremote.work.limited.messages import (
    CALL,
    DONE,
    FAILED,
    LIMIT,
    PRINTED,
    READY,
    frame,
    pack,
)
from txremote.work.limited.sandbox import Command, interpreter
from txremote.work.limited.source import LimitedResult, LimitedSource, SourceLimits
from txremote.work.limited.source_run import START, SourceRun


def pack_of(*args: object) -> tuple[object, object]:
    """Return the arguments of a call, packed."""
    return pack(args, "it"), pack({}, "it")


NO_ARGS = pack_of()
UP = frame(READY)


class Run:
    """A run whose process writes some bytes, and then does something."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, data: bytes, then: str = "time.sleep(60)"
    ) -> None:
        program = f"import os, signal, sys, time\nos.write(1, {data!r})\n{then}"
        words = (interpreter(), "-I", "-S", "-c", program)
        monkeypatch.setattr(source_run, "command", lambda *_args: Command(words[0], words, False))
        self.called: list[object] = []
        self.ended: Deferred[SourceRun] = Deferred()
        limits = SourceLimits(timeout=30, output=10, calls=2, message=1000)
        live = {"f": self.called.append, "wait": Deferred}
        source = LimitedSource("", pack({}, "it"), live, limits, "none", Deferred())
        self.run = SourceRun(reactor, source, self.ended.callback)  # type: ignore[arg-type]

    async def outcome(self) -> Any:
        """Wait for its end, after which there is no process."""
        run = await self.ended
        return run.outcome


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\0\0\0\1\xff", "sent what it may not: unknown tag"),
        (frame(DONE, 1), "comes at a wrong time"),
        (UP + UP, "comes at a wrong time"),
        (UP + frame("getattr", "f", "x"), "a message that is none"),
        (UP + frame(PRINTED, 1), "whose parts make no sense"),
        (UP + frame(PRINTED, ""), "text that is none"),
        (UP + frame(PRINTED), "whose parts make no sense"),
        (UP + frame(FAILED, "a", "b", "c"), "whose parts make no sense"),
        (UP + frame(LIMIT, "timeout"), "a limit that is none"),
        (UP + frame(DONE, (7, 7)), "makes no sense"),
        (UP + frame(CALL, "g", *NO_ARGS), "a call that is none"),
        (UP + frame(CALL, ("f",), *NO_ARGS), "whose parts make no sense"),
        (UP + frame(CALL, "wait", *NO_ARGS) * 2, "a call that is none"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_it_may_not_say_ends_it(
    monkeypatch: pytest.MonkeyPatch, data: bytes, text: str
) -> None:
    """At once, in one error, and nothing of ours is called."""
    before = children()
    run = Run(monkeypatch, data)
    outcome = await run.outcome()
    assert isinstance(outcome, WorkerDied) and text in str(outcome)
    assert run.called == []
    await until(lambda: children() <= before)


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (UP + (1001).to_bytes(4, "big"), "message"),
        (UP + frame(PRINTED, "x" * 6) * 2, "output"),
        (UP + frame(CALL, "f", *pack_of(1)) * 3, "calls"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_limits_are_held_by_the_program_itself(
    monkeypatch: pytest.MonkeyPatch, data: bytes, limit: str
) -> None:
    """Whatever the process thinks of them."""
    run = Run(monkeypatch, data)
    outcome = await run.outcome()
    assert isinstance(outcome, LimitExceeded) and outcome.limit == limit
    assert run.called == ([1, 1] if limit == "calls" else [])
    assert outcome.printed == ("x" * 10 if limit == "output" else "")


@pytest.mark.parametrize(
    ("data", "then", "text"),
    [
        (b"", "sys.exit('no such thing')", "ended with exit status 1 (no such thing)"),
        (UP, "os.kill(os.getpid(), signal.SIGSEGV)", "signal 11 (SIGSEGV)"),
        (UP, "os._exit(0)", "exit status 0"),
        (UP, "os.kill(os.getpid(), signal.SIGXCPU)", "took longer than 30 s"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_another_end_of_the_process_is_told(
    monkeypatch: pytest.MonkeyPatch, data: bytes, then: str, text: str
) -> None:
    """No run is left without one."""
    outcome = await Run(monkeypatch, data, then).outcome()
    assert text in str(outcome)


@pytest_twisted.ensureDeferred
async def test_one_that_does_not_listen_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer to a closed pipe goes nowhere."""
    then = (
        f"os.close(0)\ntime.sleep(0.2)\nos.write(1, {frame(CALL, 'f', *pack_of(1))!r})\n"
        f"time.sleep(0.2)\nos.write(1, {frame(DONE, 1)!r})\ntime.sleep(60)"
    )
    run = Run(monkeypatch, UP, then)
    assert await run.outcome() == LimitedResult(1, "")
    assert run.called == [1]


@pytest_twisted.ensureDeferred
async def test_a_result_ends_it_though_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it says after that is not heard."""
    run = Run(monkeypatch, UP + frame(DONE, pack([1], "it")) + frame(CALL, "f", *NO_ARGS))
    assert await run.outcome() == LimitedResult([1], "")
    assert run.called == []


@pytest_twisted.ensureDeferred
async def test_silence_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it has come up, and after, by a clock of the test's."""
    for data, seconds, kind in ((b"", START, WorkerDied), (UP, 30, LimitExceeded)):
        clock = task.Clock()
        monkeypatch.setattr(source_run, "steady", lambda _reactor, _clock=clock: _clock)
        run = Run(monkeypatch, data)
        if data:
            await until(lambda _run=run: _run.run._ready)
        clock.advance(seconds - 0.1)
        assert run.run.outcome is None
        clock.advance(0.2)
        assert isinstance(await run.outcome(), kind)
