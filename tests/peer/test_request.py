"""
`Request`: the same request, run at once or in a thread, has the same answer.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txremote import Service, current_call, exposed
from txremote.peer.answers import Answers
from txremote.peer.handlers import HANDLERS
from txremote.peer.request import Request
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_CALLATTR


class Desk(Service):
    """Notes in which call it was."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.gate: Deferred[Any] = Deferred()

    @exposed
    def add(self, a: int, b: int) -> int:
        self.calls.append(current_call())
        return a + b

    @exposed
    def fail(self) -> None:
        raise SystemExit("not yours to end")

    @exposed
    async def later(self) -> Any:
        self.calls.append(current_call())
        value = await self.gate
        self.calls.append(current_call())
        return value


class Noted(Answers):
    """Answers that go nowhere."""

    def __init__(self, pair: Pair) -> None:
        connection = pair.server
        super().__init__(connection, tables=connection._tables, outbox=connection.outbox)
        self.given: list[tuple[Any, ...]] = []

    def send(self, number: int, sender: int, result: object) -> None:
        self.given.append((number, sender, result))

    def report(self, error: BaseException) -> Any:
        return error

    def send_error(self, number: int, sender: int, error: Any) -> None:
        self.given.append((number, sender, type(error), str(error)))


class View:
    """What a thread has of a connection; it changes nothing."""

    def to_netrefs(self, args: Any) -> Any:
        return args

    def from_netrefs(self, result: Any) -> Any:
        return result


class World:
    """A connection, whose requests are made by hand."""

    def __init__(self) -> None:
        self.pair: Pair = connected_pair(server_root=Desk(), clock=Clock())
        self.desk = self.pair.server.service
        self.answers: Any = Noted(self.pair)
        self.pair.server.inbound.answers = self.answers

    def request(self, name: str, *args: Any, deadline: float | None = None) -> Request:
        target = (self.desk, name, args, ())
        inbound = self.pair.server.inbound
        function = HANDLERS[HANDLE_CALLATTR].function
        return Request(inbound, 7, 3, function, target, False, deadline, 100)


@pytest.fixture
def world() -> World:
    return World()


def in_thread(request: Request) -> None:
    """Do as a lane does: run it in a thread, answer it here."""
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(request.execute(View())))
    thread.start()
    thread.join(10)
    request.finish(*outcome[0])


WAYS = pytest.mark.parametrize("run", [Request.run, in_thread], ids=["at once", "in a thread"])


@WAYS
def test_a_result_is_answered(world: World, run: Any) -> None:
    """With the number and the thread that it was asked with."""
    run(world.request("add", 1, 2))
    assert world.answers.given == [(7, 3, 3)]


@WAYS
def test_whatever_is_raised_is_answered(world: World, run: Any) -> None:
    """SystemExit too: it is the caller's to see, and ends nothing here."""
    run(world.request("fail"))
    assert world.answers.given == [(7, 3, SystemExit, "not yours to end")]


@WAYS
def test_a_coroutine_is_waited_for(world: World, run: Any) -> None:
    """In the connection's own context, whatever thread its method was called in."""
    run(world.request("later"))
    assert world.answers.given == []
    assert world.pair.server.inbound.ledger.size == 100
    world.desk.gate.callback("at last")
    assert world.answers.given == [(7, 3, "at last")]
    assert world.pair.server.inbound.ledger.size == 0


@WAYS
def test_a_method_knows_its_call_and_its_deadline(world: World, run: Any) -> None:
    """Across an await as well, and nobody does afterwards."""
    run(world.request("add", 1, 2, deadline=5.0))
    run(world.request("later", deadline=5.0))
    world.desk.gate.callback(None)
    assert [call.time_left() for call in world.desk.calls] == [5.0, 5.0, 5.0]
    with pytest.raises(RuntimeError, match="while they run"):
        current_call()
