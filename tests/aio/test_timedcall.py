"""`txremote.aio.timedcall`: calls to come, as Twisted knows them."""

from __future__ import annotations

import asyncio

import pytest
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from zope.interface.verify import verifyObject

from tests.aio.loops import LOOPS, run_in
from txremote.aio.timedcall import TimedCall


@pytest.mark.parametrize("kind", LOOPS)
def test_a_call_is_made_put_off_or_taken_back(kind: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        made: list[str] = []
        first = TimedCall(loop, 1000, lambda: made.append("first"))
        verifyObject(IDelayedCall, first)
        before = first.getTime()
        first.delay(10)
        assert first.getTime() == pytest.approx(before + 10)
        first.reset(0)
        second = TimedCall(loop, 0, lambda: made.append("second"))
        assert second.getTime() == pytest.approx(loop.time(), abs=1)
        second.delay(0)
        second.cancel()
        assert (first.active(), second.active()) == (True, False)
        with pytest.raises(AlreadyCancelled):
            second.cancel()
        TimedCall(loop, 0.01, done.set).delay(0.01)
        await asyncio.wait_for(done.wait(), 10)
        assert made == ["first"]
        assert not first.active()
        with pytest.raises(AlreadyCalled):
            first.reset(1)

    run_in(kind, main)
