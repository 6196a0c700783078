"""Jobs and results that need nothing of Twisted."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from txremote.work.buffers import LEAST, Buffers
from txremote.work.live import Live
from txremote.work.plainjobs import JobDesk, ReceivedJob, is_promise, plain_result


class InMain:
    """A class that says it is of the program."""


InMain.__module__ = "__main__"


@pytest.mark.parametrize("value", [None, 3, "text", [1, {"a": (2,)}], ValueError("x")])
def test_a_plain_result(value: object) -> None:
    """It is pickled."""
    payload = plain_result(value, Buffers())
    assert payload is not None
    assert repr(pickle.loads(payload)) == repr(value)


@pytest.mark.parametrize(
    "make", [lambda: Live(3), threading.Lock, lambda: lambda: 3, InMain, lambda: "__main__"]
)
def test_a_result_that_takes_more(make: Callable[[], object]) -> None:
    """References, what cannot be pickled by name, and what means something else elsewhere."""
    buffers = Buffers()
    large = pickle.PickleBuffer(bytearray(LEAST))
    assert plain_result([large, make()], buffers) is None
    assert not buffers
    assert plain_result(make(), None) is None


def test_promises() -> None:
    """A coroutine is closed, and no warning comes of it."""

    async def later() -> None:
        """Nobody waits for this."""

    assert is_promise(later())
    assert is_promise(Deferred())
    assert not is_promise(3)
    assert not is_promise(later)


def test_a_job_is_taken_when_it_is_there() -> None:
    """In whatever order jobs arrive, and those that were taken back are dropped."""
    desk = JobDesk()
    arrived: list[str] = []
    assert desk.take(3, lambda: arrived.append("3")) == (None, [])
    desk.add(ReceivedJob(1, "one", False, b"1"))
    desk.add(ReceivedJob(4, "four", False, b"4"))
    assert arrived == []
    desk.add(ReceivedJob(3, "three", True, b"3"))
    assert arrived == ["3"]
    job, dropped = desk.take(3, lambda: None)
    assert job is not None
    assert (job.name, job.timed, job.payload) == ("three", True, b"3")
    assert [one.name for one in dropped] == ["one"]
    assert desk.take(4, lambda: None)[1] == []
