"""Tests of what is done when an asyncio loop ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.aio.running import NewLoop, each_loop, run
from tests.work.doubles import logged
from txremote.aio import ending
from txremote.aio.ending import Ending


class Recorder:
    """Triggers that note their names, and wait for a moment where they are told to."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def note(self, name: str) -> None:
        self.noted.append(name)

    def later(self, name: str) -> Deferred[None]:
        slow: Deferred[None] = Deferred()
        slow.addCallback(lambda _none: self.note(name))
        asyncio.get_running_loop().call_later(0.01, slow.callback, None)
        return slow


def add(end: Ending, phase: str, function: Any, *args: Any) -> object:
    return end.add(phase, function, args, {})


@each_loop
def test_triggers_are_called_in_their_phases_and_waited_for(new_loop: NewLoop) -> None:
    recorder = Recorder()

    async def main() -> None:
        end = Ending(asyncio.get_running_loop(), lambda: recorder.note("dropped"))
        add(end, "after", recorder.note, "after")
        add(end, "during", recorder.note, "during")
        add(end, "before", recorder.later, "slow")
        add(end, "before", recorder.note, "before")
        end.remove(add(end, "before", recorder.note, "taken back"))

    run(main, new_loop)
    assert recorder.noted == ["before", "slow", "during", "after", "dropped"]


@each_loop
def test_tasks_have_ended_before(new_loop: NewLoop) -> None:
    """So the program's own cleaning up finds everything still there."""
    recorder = Recorder()

    async def clean_up() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            recorder.note("cleaned up")

    async def main() -> None:
        end = Ending(asyncio.get_running_loop(), lambda: None)
        add(end, "before", recorder.note, "before")
        recorder.task = asyncio.create_task(clean_up())  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    run(main, new_loop)
    assert recorder.noted == ["cleaned up", "before"]


@each_loop
def test_a_loop_that_is_just_closed_calls_them_too(
    new_loop: NewLoop, recwarn: pytest.WarningsRecorder
) -> None:
    recorder = Recorder()
    loop = new_loop()

    async def main() -> None:
        end = Ending(loop, lambda: recorder.note("dropped"))
        add(end, "after", recorder.note, "after")
        add(end, "before", lambda: Deferred[None]())
        add(end, "before", recorder.note, "before")
        with pytest.raises(RuntimeError):
            loop.close()  # it runs

    loop.run_until_complete(main())
    assert recorder.noted == []
    loop.close()
    loop.close()
    assert recorder.noted == ["before", "after", "dropped", "dropped"]
    assert not recwarn.list


def test_one_that_fails_or_never_ends_keeps_no_other_from_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ending, "PATIENCE", 0.02)
    recorder = Recorder()

    def fail() -> None:
        raise ValueError("broken")

    async def main() -> None:
        end = Ending(asyncio.get_running_loop(), lambda: None)
        add(end, "before", fail)
        add(end, "before", lambda: Deferred[None]())
        add(end, "after", recorder.note, "after")

    with logged() as lines:
        run(main, asyncio.new_event_loop)
    assert recorder.noted == ["after"]
    assert "broken" in lines[0]
    assert "1 did not end within 0.02 s" in lines[1]


def test_there_are_the_phases_of_a_reactor_and_no_others() -> None:
    async def main() -> None:
        end = Ending(asyncio.get_running_loop(), lambda: None)
        with pytest.raises(ValueError, match="no phase: there are before, during, after"):
            add(end, "late", print)
        with pytest.raises(ValueError, match="not in list"):
            end.remove(("before", print))

    run(main, asyncio.new_event_loop)
