"""
A listener that stops: what it waits for, and what it cuts.
"""

from __future__ import annotations

from threading import Event
from typing import Any, ClassVar

import pytest
import pytest_twisted
import rpyc
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent

from tests.net.servers import Desk, endpoint_of, logged, served, until
from txremote import CallCut, ConnectionLost, ServerStopping, Service, connect, exposed
from txremote.net.draining import EVERY, Draining


@pytest_twisted.ensureDeferred
async def test_the_log_says_what_is_waited_for_now_and_every_ten_seconds() -> None:
    """How many calls, of which methods, for how long more; nothing when nothing is waited for."""
    desk, clock, over = Desk(), Clock(), []
    async with served(desk) as port, logged() as events:
        conn, other = await connect(endpoint_of(port)), await connect(endpoint_of(port))
        calls = [conn.root.wait(), conn.root.wait(), other.root.call(lambda: Deferred())]
        for each in calls:
            each.addErrback(lambda _failure: None)
        await until(lambda: len(port.factory.connections) == 2 and len(desk.waiting) == 2)
        await other.ping()
        draining = Draining("Desk", port.factory.connections.keys, clock)
        ended = draining.begin(25, lambda: over.append(True))
        clock.pump([EVERY, EVERY])
        for waiting in desk.waiting:
            waiting.callback(None)
        clock.advance(EVERY)
        assert over == [True]
        draining.cut()
        await other.close()
        await ended
        assert clock.getDelayedCalls() == []
    waits = "Desk is stopping, and waits for 3 calls (Desk.wait 2, Desk.call), for {} s more"
    told = [text for text in map(formatEvent, events) if text and text.startswith("Desk is")]
    assert told == [waits.format(25), waits.format(15), waits.format(5), told[-1]]
    assert told[-1] == "Desk is stopping, and cuts 1 call (Desk.call)"


class Slow(Service):
    """Blocks in a worker thread, one call after the other."""

    threaded_service = True
    began: ClassVar[list[object]] = []
    may_end = Event()

    @exposed
    def block(self) -> None:
        self.began.append(self)
        self.may_end.wait(20)

    @exposed
    def behind(self) -> None:
        """Come behind another."""


@pytest_twisted.ensureDeferred
async def test_calls_in_threads_are_cut_too_and_one_that_has_not_begun_says_so() -> None:
    """A stock client has EOFError, as if it was lost, with words; the thread ends by itself."""
    stock: list[Any] = []

    def call(port: int) -> None:
        conn = rpyc.connect("127.0.0.1", port)
        running = rpyc.async_(conn.root.block)()
        try:
            running.wait()
            running.value  # it raises
        except Exception as error:
            stock.append(error)

    async with served(Slow) as port:
        conn = await connect(endpoint_of(port))
        first, second = conn.root.block(), conn.root.behind()
        errors: list[Any] = []
        for each in (first, second):
            each.addErrback(lambda failure: errors.append(failure.value))
        thread = deferToThread(call, port.getHost().port)
        await until(lambda: len(Slow.began) == 2)
        await conn.ping()
        await port.factory.finish_all(0)
        Slow.may_end.set()
        await thread
        await until(lambda: len(errors) == 2)
    assert [isinstance(error, CallCut) for error in errors].count(True) == 1
    assert [isinstance(error, ServerStopping) for error in errors].count(True) == 1
    assert isinstance(stock[0], EOFError)
    assert "the server is stopping: it has cut this call" in str(stock[0])


@pytest_twisted.ensureDeferred
async def test_what_a_peer_has_sent_before_it_reads_of_the_stop_is_served() -> None:
    """No call of a client that leaves then is refused; one that stays is."""
    desk = Desk()
    async with served(desk) as port:
        conn = await connect(endpoint_of(port))
        assert await conn.root.same(3) == 3
        ending = port.factory.finish_all(10)
        early = [conn.root.same(n) for n in range(1, 4)]  # nothing was read meanwhile
        left: Deferred[None] = Deferred()
        conn.on_peer_stopping = lambda: left.callback(None)
        await left
        late = conn.root.wait()
        assert [await each for each in early] == [1, 2, 3]
        with pytest.raises((ServerStopping, ConnectionLost)):
            await late
        await ending
