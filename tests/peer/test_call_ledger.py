"""
`CallLedger`: requests start, wait or are refused, and nobody waits for himself.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from tests.peer.pairs import Outcome
from txremote import RemoteProtocolError, Service, exposed
from txremote.peer.call_ledger import CallLedger
from txremote.testing import Pair, connected_pair


class Request:
    """A request by its number and size only."""

    def __init__(self, number: int, size: int = 0) -> None:
        self.number = number
        self.size = size


class Door:
    """An admission, with what was started."""

    def __init__(self, max_calls: int = 2, max_waiting: int = 2) -> None:
        self.running: dict[int, Any] = {}
        self.needed = False
        self.started: list[int] = []
        self.admission = CallLedger(
            max_calls, max_waiting, 100, self.running, self.start, lambda: self.needed
        )

    def start(self, request: Request) -> None:
        self.started.append(request.number)
        self.running[request.number] = request

    def admit(self, *numbers: int) -> None:
        for number in numbers:
            self.admission.admit(Request(number))

    def end(self, number: int) -> None:
        del self.running[number]
        self.admission.look()


def test_so_many_start_and_the_others_wait_in_their_order() -> None:
    """What waits starts when something ends, first come first served."""
    door = Door()
    door.admit(1, 2, 3, 4)
    assert door.started == [1, 2]
    door.end(2)
    assert door.started == [1, 2, 3]
    door.end(1)
    assert door.started == [1, 2, 3, 4]


def test_who_waits_is_not_overtaken() -> None:
    """A request that comes when there is room again starts behind those that wait."""
    door = Door(max_calls=1)
    door.admit(1, 2)
    door.running.clear()
    door.admit(3)
    assert door.started == [1, 2]
    assert list(door.admission.waiting) == [3]


def test_more_than_may_wait_are_refused_with_the_options() -> None:
    """The error says how many there are, and names both options."""
    door = Door()
    door.admit(1, 2, 3, 4)
    with pytest.raises(RemoteProtocolError, match="options max_calls, max_waiting") as caught:
        door.admit(5)
    assert caught.value.limit == "max_waiting"  # the call is lost, not the connection
    assert list(door.admission.waiting) == [3, 4]


def test_nobody_waits_whom_we_wait_for() -> None:
    """
    While a call of ours needs the peer its requests start, up to both bounds together;
    past that they are refused, for to wait could be to wait for ever.
    """
    door = Door()
    door.needed = True
    door.admit(1, 2, 3, 4)
    assert door.started == [1, 2, 3, 4]
    with pytest.raises(RemoteProtocolError, match="options max_calls, max_waiting"):
        door.admit(5)
    assert not door.admission.waiting


def test_what_waits_starts_when_we_need_the_peer() -> None:
    """A call of ours that comes later lets them in, too."""
    door = Door()
    door.admit(1, 2, 3)
    door.needed = True
    door.admission.look()
    assert door.started == [1, 2, 3]


def test_all_wait_for_the_service_and_for_a_peer_that_does_not_read() -> None:
    """Held and pressed are independent, and both end."""
    door = Door()
    door.admission.hold()
    door.admit(1)
    door.admission.press(True)
    door.admission.release()
    assert door.started == []
    door.admission.press(False)
    assert door.started == [1]


def test_whom_the_service_waits_for_may_ask_first() -> None:
    """An on_connect that calls the client is served what the client asks meanwhile."""
    door = Door()
    door.admission.hold()
    door.admit(1)
    assert door.started == []
    door.needed = True
    door.admit(2)
    assert door.started == [1, 2]


def test_so_many_bytes_may_be_unanswered() -> None:
    """Whatever waits counts; one request alone may have any size."""
    door = Door(max_calls=1, max_waiting=20)
    door.admit(1)
    door.admission.admit(Request(2, 200))
    with pytest.raises(RemoteProtocolError, match="option max_unanswered") as caught:
        door.admission.admit(Request(3, 1))
    assert caught.value.limit == "max_unanswered"
    door.admission.take_back(2)
    assert door.admission.take_back(2) is None
    door.admission.admit(Request(4, 60))
    door.admission.admit(Request(5, 40))
    with pytest.raises(RemoteProtocolError, match=r"100 bytes .* 1 more are too many"):
        door.admission.admit(Request(6, 1))
    door.end(1)
    assert door.started == [1, 4]
    door.admission.admit(Request(7, 1))
    door.admission.drop()
    assert door.admission.size == 0


def test_a_connection_that_ends_lets_nobody_in_but_whom_it_needs() -> None:
    """New requests get the reason; a callback of a call that runs still gets through."""
    door = Door()
    door.admission.refuse(RuntimeError("we close"))
    with pytest.raises(RuntimeError, match="we close"):
        door.admit(1)
    door.needed = True
    door.admit(2)
    assert door.started == [2]


def test_nothing_starts_after_the_end() -> None:
    """What waited when the connection ended is forgotten."""
    door = Door(max_calls=1)
    door.admit(1, 2)
    door.admission.drop()
    door.end(1)
    assert door.started == [1]


STEPS = st.lists(st.sampled_from(["admit", "end", "press", "unpress", "need", "alone"]))


@given(STEPS)
def test_each_request_starts_at_most_once_in_order_and_within_the_bounds(steps: list[str]) -> None:
    """Whatever happens in whatever order."""
    door = Door(max_calls=3, max_waiting=2)
    number = 0
    refused = set()
    for step in steps:
        if step == "admit":
            number += 1
            try:
                door.admit(number)
            except RemoteProtocolError:
                refused.add(number)
        elif step == "end" and door.running:
            door.end(next(iter(door.running)))
        elif step in ("press", "unpress"):
            door.admission.press(step == "press")
        else:
            door.needed = step == "need"
            door.admission.look()
        assert len(door.running) + len(door.admission.waiting) <= 5
        seen = [*door.started, *door.admission.waiting]
        assert seen == [n for n in range(1, number + 1) if n not in refused]


def test_what_was_answered_and_still_runs_in_a_thread_counts_until_it_ends() -> None:
    """With its bytes, and in what a refusal says."""
    door = Door(max_calls=2, max_waiting=1)
    door.admit(1)
    del door.running[1]
    door.admission.abandoned += 1
    door.admission.size += 90
    door.admit(2, 3)
    assert door.started == [1, 2]
    with pytest.raises(RemoteProtocolError, match="2 calls of this connection are unanswered"):
        door.admit(4)
    with pytest.raises(RemoteProtocolError, match="option max_unanswered"):
        door.admission.admit(Request(4, 11))
    door.admission.forget(90)
    assert door.started == [1, 2, 3]
    assert (door.admission.abandoned, door.admission.size) == (0, 0)


class Nested(Service):
    """Calls the client back, which calls again, and so on."""

    def __init__(self) -> None:
        self.gates: list[Deferred[Any]] = []

    @exposed
    async def down(self, levels: int, client: Any) -> int:
        return 1 + await client(levels - 1) if levels else 0

    @exposed
    async def twice(self, number: int) -> int:
        return 2 * number

    @exposed
    def gate(self) -> Deferred[Any]:
        gate: Deferred[Any] = Deferred()
        self.gates.append(gate)
        return gate


def nested_pair(**config: Any) -> Pair:
    """A pair whose server may have few calls unanswered."""
    return connected_pair(server_root=Nested(), server_config=config)


def test_calls_within_calls_go_deeper_than_the_limit() -> None:
    """A chain of 20 calls back and forth ends well where 2 calls may be unanswered."""
    pair = nested_pair(max_calls=2, max_waiting=30)

    def again(levels: int) -> Any:
        return pair.client.root.down(levels, again)

    done = Outcome(pair.client.root.down(20, again))
    for _ in range(200):
        pair.pump()
        pair.advance(0)
    assert done.value == 20


def test_calls_within_calls_past_both_limits_end_too() -> None:
    """The innermost is refused with the options, and with it all that wait for it."""
    pair = nested_pair(max_calls=2, max_waiting=10)

    def again(levels: int) -> Any:
        return pair.client.root.down(levels, again)

    done = Outcome(pair.client.root.down(20, again))
    for _ in range(200):
        pair.pump()
        pair.advance(0)
    assert "options max_calls, max_waiting" in str(done.error)
    assert not len(pair.server.inbound)


def test_a_call_that_waits_can_be_cancelled() -> None:
    """It is answered, and never starts."""
    pair = nested_pair(max_calls=1)
    first, second = pair.client.root.gate(), pair.client.root.gate()
    pair.pump()
    assert len(pair.server.service.gates) == 1
    outcome = Outcome(second)
    second.cancel()
    pair.pump()
    assert outcome.fired
    pair.server.service.gates[0].callback("one")
    assert pair.result(first) == "one"
    assert len(pair.server.service.gates) == 1


def test_however_many_wait_they_do_not_start_within_each_other() -> None:
    """3,000 calls that wait for one all get their answers: no stack is used up."""
    pair = nested_pair(max_calls=1)
    first = Outcome(pair.client.root.gate())
    waiting = [Outcome(pair.client.root.twice(number)) for number in range(3000)]
    pair.pump()
    pair.server.service.gates[0].callback(None)
    pair.pump()
    assert first.fired
    assert [outcome.value for outcome in waiting] == [2 * number for number in range(3000)]
