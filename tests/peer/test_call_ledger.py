"""
`CallLedger`: calls start, wait or are refused, and all that is counted is struck out.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from twisted.internet.defer import Deferred

from tests.peer.pairs import Outcome, logged
from txremote import RemoteProtocolError, Service, exposed
from txremote.config import DEFAULT_CONFIG
from txremote.peer.call_ledger import CallLedger
from txremote.testing import Pair, connected_pair


class Call:
    """A call by its number and size only; it runs until the test says otherwise."""

    def __init__(self, number: int, size: int = 0) -> None:
        self.number = number
        self.size = size
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1


class Desk:
    """A ledger, with the calls that it has started."""

    share = None

    def begin_share(self) -> None:
        """No listener counts what it holds."""

    def __init__(self, max_calls: int = 2, max_waiting: int = 2) -> None:
        self.needed = False
        self.started: list[int] = []
        self.running: dict[int, Call] = {}
        self.config = DEFAULT_CONFIG.replace(
            max_calls=max_calls, max_waiting=max_waiting, max_unanswered=100
        )
        self.ledger: CallLedger[Call] = CallLedger(self, self)

    def needs_peer(self) -> bool:
        return self.needed

    def start(self, call: Call) -> None:
        self.started.append(call.number)
        self.running[call.number] = call
        self.ledger.begin(call)

    def admit(self, *numbers: int, size: int = 0) -> None:
        for number in numbers:
            self.ledger.admit(Call(number, size))

    def finish(self, number: int) -> None:
        self.ledger.finish(self.running.pop(number))


def test_max_calls_run_and_the_others_wait_in_their_order() -> None:
    """A call that waits starts when another ends, first come first served."""
    desk = Desk()
    desk.admit(1, 2, 3, 4)
    assert desk.started == [1, 2]
    desk.finish(2)
    assert desk.started == [1, 2, 3]
    desk.finish(1)
    assert desk.started == [1, 2, 3, 4]


def test_a_call_that_waits_is_not_overtaken() -> None:
    """A call that comes when it could start at once starts behind those that wait."""
    desk = Desk()
    desk.ledger.hold()
    desk.admit(1, 2)
    desk.needed = True
    desk.admit(3)
    assert desk.started == [1, 2, 3]


def test_a_call_too_many_is_refused_with_the_options() -> None:
    """The error says how many there are, and names both options."""
    desk = Desk()
    desk.admit(1, 2, 3, 4)
    with pytest.raises(RemoteProtocolError, match="options max_calls, max_waiting") as caught:
        desk.admit(5)
    assert caught.value.limit == "max_waiting"  # the call is lost, not the connection
    assert list(desk.ledger.waiting) == [3, 4]


def test_a_number_that_is_unanswered_is_refused() -> None:
    """Whether its call runs or waits; it is free again when that has ended."""
    desk = Desk(max_calls=1)
    desk.admit(1, 2)
    for number in (1, 2):
        assert number in desk.ledger
        with pytest.raises(RemoteProtocolError, match=f"request {number} is still unanswered"):
            desk.admit(number)
    desk.finish(1)
    assert 1 not in desk.ledger
    desk.admit(1)
    assert len(desk.ledger) == 2


def test_no_call_waits_while_we_wait_for_the_peer() -> None:
    """
    While a call of ours needs the peer its calls start, up to both bounds together;
    past that they are refused, for to wait could be to wait for ever.
    """
    desk = Desk()
    desk.needed = True
    desk.admit(1, 2, 3, 4)
    assert desk.started == [1, 2, 3, 4]
    with pytest.raises(RemoteProtocolError, match="options max_calls, max_waiting"):
        desk.admit(5)
    assert not desk.ledger.waiting


def test_calls_that_wait_start_when_we_need_the_peer() -> None:
    """A call of ours that comes later lets them in, too."""
    desk = Desk()
    desk.admit(1, 2, 3)
    desk.needed = True
    desk.ledger.start_waiting()
    assert desk.started == [1, 2, 3]


def test_all_wait_for_the_service_and_for_a_peer_that_does_not_read() -> None:
    """`hold` and `pause` are independent, and both end."""
    desk = Desk()
    desk.ledger.hold()
    desk.admit(1)
    desk.ledger.pause()
    desk.ledger.release()
    assert desk.started == []
    desk.ledger.resume()
    assert desk.started == [1]


def test_all_wait_for_a_call_that_is_prepared_though_the_peer_is_needed() -> None:
    """The peer is asked for the arguments, and answers that whatever else it waits for."""
    desk = Desk()
    desk.needed = True
    desk.ledger.prepare()
    desk.ledger.prepare()
    desk.admit(1, 2)
    desk.ledger.prepared()
    assert desk.started == []
    desk.ledger.prepared()
    assert desk.started == [1, 2]


def test_a_peer_that_the_service_waits_for_may_call_first() -> None:
    """An on_connect that calls the client is served what the client asks meanwhile."""
    desk = Desk()
    desk.ledger.hold()
    desk.admit(1)
    assert desk.started == []
    desk.needed = True
    desk.admit(2)
    assert desk.started == [1, 2]


def test_max_unanswered_bounds_the_bytes_that_run_and_wait() -> None:
    """One call alone may have any size."""
    desk = Desk(max_calls=1, max_waiting=20)
    desk.admit(1, size=200)
    with pytest.raises(RemoteProtocolError, match="option max_unanswered") as caught:
        desk.admit(2, size=1)
    assert caught.value.limit == "max_unanswered"
    desk.finish(1)
    desk.admit(3, size=60)  # runs
    desk.admit(4, size=40)  # waits
    with pytest.raises(RemoteProtocolError, match=r"100 bytes .* 1 more are too many"):
        desk.admit(5, size=1)
    assert desk.ledger.cancel(4) is not None
    assert desk.ledger.cancel(4) is None
    assert desk.ledger.size == 60


def test_a_connection_that_drains_admits_only_calls_that_it_needs() -> None:
    """New calls get the reason; a callback of a call that runs still gets through."""
    desk = Desk()
    desk.ledger.refuse(RuntimeError("we close"))
    with pytest.raises(RuntimeError, match="we close"):
        desk.admit(1)
    desk.needed = True
    desk.admit(2)
    assert desk.started == [2]


def test_cancel_ends_a_call_that_runs_and_returns_one_that_waits() -> None:
    """The call that waited never starts."""
    desk = Desk(max_calls=1)
    desk.admit(1, 2, size=10)
    running = desk.running[1]
    waiting = desk.ledger.cancel(2)
    assert waiting is not None
    assert (waiting.number, waiting.cancelled) == (2, 0)
    assert desk.ledger.cancel(1) is None
    assert running.cancelled == 1
    assert desk.ledger.cancel(3) is None
    desk.finish(1)
    assert desk.started == [1]
    assert desk.ledger.size == 0


def test_nothing_starts_after_the_end() -> None:
    """The calls that run are cancelled, those that wait are forgotten, all are struck out."""
    desk = Desk(max_calls=1)
    desk.admit(1, 2, size=10)
    running = desk.running[1]
    desk.ledger.stop()
    assert (running.cancelled, len(desk.ledger), desk.ledger.size) == (1, 0, 0)
    desk.finish(1)
    assert desk.started == [1]
    assert (running.cancelled, len(desk.ledger), desk.ledger.size) == (1, 0, 0)


def test_a_canceller_that_raises_at_the_end_is_logged_and_stops_no_other() -> None:
    desk = Desk()
    desk.admit(1, 2)
    desk.running[1].cancel = lambda: 1 / 0  # type: ignore[assignment, return-value]
    with logged() as log:
        desk.ledger.stop()
    assert desk.running[2].cancelled == 1
    assert log.text().count("a canceller failed") == 1


def test_an_abandoned_call_counts_until_its_thread_ends() -> None:
    """With its bytes, and in what a refusal says."""
    desk = Desk(max_calls=2, max_waiting=1)
    desk.admit(1, size=90)
    first = desk.running[1]
    desk.ledger.abandon(first)
    assert (len(desk.ledger), desk.ledger.abandoned, desk.ledger.size) == (0, 1, 90)
    desk.admit(2, 3)
    assert desk.started == [1, 2]
    with pytest.raises(RemoteProtocolError, match="2 calls of this connection are unanswered"):
        desk.admit(4)
    with pytest.raises(RemoteProtocolError, match="option max_unanswered"):
        desk.admit(4, size=11)
    desk.ledger.forget(first)
    assert desk.started == [1, 2, 3]
    assert (desk.ledger.abandoned, desk.ledger.size) == (0, 0)


def test_an_abandoned_thread_takes_the_place_of_a_call() -> None:
    """That of a threaded method, whose call is counted, and ended, by itself."""
    desk = Desk(max_calls=1)
    desk.ledger.abandon_thread()
    desk.admit(1)
    assert desk.started == []
    desk.ledger.forget_thread()
    assert desk.started == [1]


VERBS = st.lists(
    st.tuples(
        st.sampled_from(
            "admit admit admit finish abandon forget cancel hold release pause resume prepare "
            "need alone thread thread_ends".split()
        ),
        st.integers(0, 40),
    ),
    max_size=60,
)


@given(VERBS, st.booleans())
def test_whatever_happens_all_counts_come_back_to_zero(
    verbs: list[tuple[str, int]], lost: bool
) -> None:
    """
    In any order of verbs, and whether the connection is lost at the end or drained:
    calls start at most once, in their order and within the bounds, the bytes are those of
    the calls, and each call that runs when the connection is lost is cancelled once.
    """
    desk = Desk(max_calls=3, max_waiting=2)
    ledger = desk.ledger
    calls: dict[int, Call] = {}
    gone: set[int] = set()
    abandoned: list[Call] = []
    threads = 0
    for verb, some in verbs:
        running = list(desk.running.values())
        if verb == "admit":
            call = Call(len(calls) + 1, some)
            calls[call.number] = call
            try:
                ledger.admit(call)
            except RemoteProtocolError:
                gone.add(call.number)
        elif verb == "finish" and running:
            desk.finish(running[some % len(running)].number)
        elif verb == "abandon" and running:
            call = desk.running.pop(running[some % len(running)].number)
            ledger.abandon(call)
            abandoned.append(call)
        elif verb == "forget" and abandoned:
            ledger.forget(abandoned.pop(some % len(abandoned)))
        elif verb == "cancel":
            waited = ledger.cancel(some)
            if waited is not None:
                gone.add(some)
        elif verb in ("hold", "release", "pause", "resume"):
            getattr(ledger, verb)()
        elif verb == "prepare":
            ledger.prepare()
            ledger.start_waiting()
            ledger.prepared()
        elif verb in ("need", "alone"):
            desk.needed = verb == "need"
            ledger.start_waiting()
        elif verb == "thread":
            ledger.abandon_thread()
            threads += 1
        elif verb == "thread_ends" and threads:
            threads -= 1
            ledger.forget_thread()
        held = [*desk.running.values(), *ledger.waiting.values(), *abandoned]
        assert ledger.size == sum(call.size for call in held)
        assert len(ledger) == len(desk.running) + len(ledger.waiting)
        assert ledger.abandoned == len(abandoned) + threads
        # an abandoned thread begins within a call that is counted: it may be one more
        assert len(held) <= 5 + threads
        assert [*desk.started, *ledger.waiting] == [n for n in calls if n not in gone]

    cancelled = {number: call.cancelled for number, call in calls.items()}
    if lost:
        running = list(desk.running.values())
        ledger.stop()
        for call in running:
            cancelled[call.number] += 1
    for call in list(desk.running.values()) if lost else []:
        ledger.finish(call)
    for call in abandoned:
        ledger.forget(call)
    for _ in range(threads):
        ledger.forget_thread()
    desk.needed = False
    ledger.release()
    ledger.resume()
    while not lost and desk.running:
        desk.finish(next(iter(desk.running)))
    assert cancelled == {number: call.cancelled for number, call in calls.items()}
    assert (len(ledger), len(ledger.waiting), ledger.size, ledger.abandoned) == (0, 0, 0, 0)


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
