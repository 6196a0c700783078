"""
Stacks of other threads, which are read while nothing is collected.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from txremote.monitor import loopwatch
from txremote.refs.stacks import nothing_collected
from txremote.work import stuck

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="frames' objects are made without collecting"
)


class Garbage:
    """Is collected by the collector alone, and notes it."""

    def __init__(self, collected: list[str]) -> None:
        self._itself = self
        self._collected = collected

    def __del__(self) -> None:
        self._collected.append("here a finalizer would run")


@contextmanager
def parked() -> Iterator[FrameType]:
    """Return the innermost frame of a thread that waits; nobody has looked at its other frames."""
    waits, free = threading.Event(), threading.Event()

    def deep(number: int) -> None:
        if number:
            deep(number - 1)
        else:
            waits.set()
            free.wait()

    thread = threading.Thread(target=deep, args=(100,))
    thread.start()
    waits.wait()
    thresholds = gc.get_threshold()
    try:
        yield sys._current_frames()[thread.ident or 0]
    finally:
        gc.set_threshold(*thresholds)
        free.set()
        thread.join()


def test_nothing_is_collected_while_a_stack_is_read() -> None:
    collected: list[str] = []
    with parked() as frame, nothing_collected():
        Garbage(collected)
        gc.set_threshold(10)
        each: FrameType | None = frame
        while each is not None:
            each = each.f_back
        assert not collected
    gc.collect()
    assert collected


def test_a_collector_that_was_off_stays_off() -> None:
    with nothing_collected():
        assert not gc.isenabled()
        with nothing_collected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.parametrize("look", [loopwatch.look, stuck._goes_into])
def test_those_who_read_stacks_collect_nothing(look, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog of the event loop, and the one of jobs that wait for each other."""
    was_on: list[bool] = []

    @contextmanager
    def noted() -> Iterator[None]:
        with nothing_collected():
            yield
            was_on.append(gc.isenabled())

    for module in (loopwatch, stuck):
        monkeypatch.setattr(module, "nothing_collected", noted)
    with parked() as frame:
        look(frame)
    assert was_on == [False]
