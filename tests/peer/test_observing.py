"""
Timed requests: they answer as others do, and each is counted once, whatever ends it.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

import txremote
from tests.peer.pairs import Outcome, Wire, logged
from txremote import exposed
from txremote.peer.observing import TimedRequest, timed_requests
from txremote.testing import Pair, connected_pair


class Observer:
    """Notes what it is told."""

    every = 1

    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []

    def answered(self, request: TimedRequest, nanoseconds: int, error: Any) -> None:
        assert nanoseconds >= 0
        self.ends.append((request.handler.__name__, type(error).__name__))

    def method_of(self, request: TimedRequest) -> str:
        return request.handler.__name__

    def waited(self, method: str, connection: Any, nanoseconds: int, error: Any) -> None:
        assert nanoseconds >= 0
        assert connection.inbound is not None
        self.ends.append((method, type(error).__name__))


class Odd(Exception):
    pass


class Unsendable:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("nobody looks at me")

    def __repr__(self) -> str:
        return "something"


class Shop(txremote.Service):
    """Methods that end in all the ways there are."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.unfired: list[Deferred[Any]] = []

    @exposed
    def value(self) -> Any:
        return (1, "two", b"three")

    @exposed
    def reference(self) -> Any:
        return self

    @exposed
    def fails(self) -> None:
        raise ValueError("no such shelf")

    @exposed
    def fails_oddly(self) -> None:
        raise Odd(Unsendable())

    @exposed
    async def late(self, seconds: float) -> str:
        await deferLater(self.clock, seconds)
        return "late"

    @exposed
    async def fails_late(self) -> None:
        await deferLater(self.clock, 1)
        raise KeyError("late")

    @exposed
    def never(self) -> Deferred[Any]:
        self.unfired.append(Deferred())
        return self.unfired[-1]

    @exposed
    def fired(self) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        done.callback(7)
        return done

    @exposed
    def unsendable(self) -> Any:
        return Unsendable()

    @exposed
    def many(self) -> Any:
        yield from range(5)


#: A call of each method, and how it is counted when it has ended.
CALLS: dict[str, tuple[tuple[Any, ...], str]] = {
    "value": ((), "NoneType"),
    "reference": ((), "NoneType"),
    "fails": ((), "ValueError"),
    "fails_oddly": ((), "Odd"),
    "late": ((3.0,), "NoneType"),
    "fails_late": ((), "KeyError"),
    "never": ((), "CancelledError"),
    "fired": ((), "NoneType"),
    "many": ((), "NoneType"),
    "not_there": ((), "AttributeError"),
    "__class__": ((), "AttributeError"),
    "unsendable": ((), "NoneType"),
}


def shop(observed: bool, **switches: Any) -> tuple[Pair, Observer]:
    """Return a pair whose server is a shop, observed or not."""
    clock, observer = Clock(), Observer()
    pair = connected_pair(server_root=Shop(clock), clock=clock, **switches)
    if observed:
        pair.server.inbound.make_request = timed_requests(observer)
    pair.pump()
    return pair, observer


def outcome_of(pair: Pair, name: str) -> str:
    """Return all that the client sees of a call, and of its end."""
    wire = Wire(pair.server)
    call = pair.client.root.callRemote(name, *CALLS[name][0])
    outcome = Outcome(call)
    pair.pump()
    at_once = outcome.fired
    pair.advance(5)
    if not outcome.fired:
        call.cancel()
        pair.pump()
    (result,) = outcome.results
    shown = getattr(result, "value", result)
    return f"{at_once} {type(shown).__name__} {shown} {len(pair.server.inbound)} {wire.requests}"


@pytest.mark.parametrize("name", CALLS)
def test_a_timed_request_answers_as_another_does_and_is_counted_once(name: str) -> None:
    observed, observer = shop(True)
    plain, nobody = shop(False)
    del observer.ends[:]
    assert outcome_of(observed, name) == outcome_of(plain, name)
    counted = [end for end in observer.ends if end[0] in ("call_path", "call_attribute")]
    assert [error for _name, error in counted] == [CALLS[name][1]]
    assert nobody.ends == []
    for pair in (observed, plain):
        pair.lose()
    assert len(observer.ends) - len(counted) <= 1  # the CANCEL


class Broken(Observer):
    """One that fails: that is a fault of its own, and no caller's."""

    def answered(self, request: TimedRequest, nanoseconds: int, error: Any) -> None:
        raise RuntimeError("as it was made to")

    def waited(self, method: str, connection: Any, nanoseconds: int, error: Any) -> None:
        raise RuntimeError("as it was made to")


@pytest.mark.parametrize("name", ["value", "fails", "late", "never"])
def test_an_observer_that_fails_costs_no_call_and_is_logged(name: str) -> None:
    plain, _nobody = shop(False)
    observed, _ = shop(False)
    observed.server.inbound.make_request = timed_requests(Broken())
    with logged() as log:
        assert outcome_of(observed, name) == outcome_of(plain, name)
        assert "a call could not be counted" in log.text()


def test_one_request_in_so_many_is_told_of_and_each_that_fails_or_waits() -> None:
    class Sampling(Observer):
        every = 17

    pair, _ = shop(False)
    observer = Sampling()
    pair.server.inbound.make_request = timed_requests(observer)
    for _ in range(17):
        for name in ("value", "fails", "late"):
            outcome_of(pair, name)
    errors = [error for _name, error in observer.ends]
    # in each 17 requests, of whatever kind, one; all of those that fail, or wait
    assert errors.count("ValueError") == 17
    assert 17 + 1 <= errors.count("NoneType") <= 17 + 3
