"""One topic on a bus, over a bus in memory that is lost in all ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.task import Clock

from tests.buses.local import WAY, Heard, LocalOpener, turns
from tests.peer.pairs import logged
from txremote.buses import keeping, outgoing
from txremote.buses.bus import Bus
from txremote.buses.envelope import unseal
from txremote.buses.ports import LONGEST, Given


class Site:
    """Processes with one topic each, on one bus."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.opener = LocalOpener(self.clock)

    def process(self, retain: bool = False) -> tuple[Any, Heard]:
        heard = Heard()
        return Bus(self.clock, self.opener, lambda: None).join("t", heard, retain), heard  # type: ignore[arg-type]

    def turns(self, seconds: float = 3.0) -> None:
        turns(self.clock, seconds)


def test_others_receive_it_in_order_and_the_publisher_does_not() -> None:
    site = Site()
    (one, heard), (two, other) = site.process(), site.process()
    site.turns(0.1)
    for number in range(5):
        one.publish(f"k{number % 2}", b"%d" % number)
    two.publish(None, b"back")
    site.turns(0.1)
    assert [event[:2] for event in other.events] == [(f"k{n % 2}", b"%d" % n) for n in range(5)]
    assert heard.payloads == [b"back"]
    assert heard.states == other.states == [(True, "")]


def test_what_was_published_before_a_topic_joined_is_not_received() -> None:
    site = Site()
    one, _ = site.process(retain=True)
    for number in range(3):
        one.publish("key", b"%d" % number)
    one.publish(None, b"without a key")
    site.turns(0.1)
    _, late = site.process(retain=True)
    _, without = site.process()
    site.turns(0.1)
    assert late.kept == [("key", b"2"), (None, b"without a key")]
    assert without.kept == late.events == without.events == []
    one.publish("key", b"new")
    site.turns(0.1)
    assert late.payloads == without.payloads == [b"new"]


def test_a_last_event_that_is_newer_than_the_joining_comes_once() -> None:
    """What is older of its key is left out, what is newer comes, and so does what others have."""
    site = Site()
    one, _ = site.process(retain=True)
    two, _ = site.process(retain=True)
    site.turns(0.1)
    one.publish("a", b"a1")
    site.turns(0.1)
    _, late = site.process(retain=True)
    site.clock.advance(WAY / 2)
    for channel, payload in ((one, b"a2"), (two, b"a3")):
        channel.publish("a", payload)  # they arrive after it has joined, and before it is told
    for _ in range(20):
        site.clock.advance(WAY / 2)
    assert late.kept == [("a", b"a3")]
    assert late.events == []
    two.publish("a", b"a4")
    one.publish("b", b"b1")
    site.turns(0.1)
    assert sorted(late.payloads) == [b"a4", b"b1"]
    assert late.missing == 0


def test_an_event_that_others_have_before_an_own_one_does_not_become_the_last_one() -> None:
    """A publisher has its own at once, and so before those that are on the bus already."""
    site = Site()
    (one, heard), (two, other) = site.process(retain=True), site.process(retain=True)
    site.turns(0.1)
    for number in range(3):
        for channel, mine in ((one, heard), (two, other)):
            mine.last["tea"] = b"%d" % number
            channel.publish("tea", b"%d" % number)
    other.last["tea"] = b"of two"
    two.publish("tea", b"of two")
    site.turns(0.1)
    assert heard.last == other.last == {"tea": b"of two"}
    assert heard.payloads == [b"0", b"1", b"2", b"of two"]
    assert other.payloads == [b"0", b"1", b"2"]


def test_what_is_published_in_a_process_that_was_away_is_newer_than_what_it_then_reads() -> None:
    site = Site()
    (one, heard), (two, _) = site.process(retain=True), site.process(retain=True)
    site.turns(0.1)
    site.opener.up = False
    site.opener.stores[0].cut()
    two.publish("tea", b"250")
    two.publish("ice", b"90")
    site.turns(0.1)
    one.publish("tea", b"270")
    heard.last["tea"] = b"270"
    site.opener.up = True
    site.turns()
    assert heard.payloads == [b"250", b"90"]
    assert heard.last == {"tea": b"270", "ice": b"90"}
    two.publish("tea", b"280")
    site.turns(0.1)
    assert heard.last["tea"] == b"280"


def test_what_arrived_though_its_answer_did_not_is_not_given_again() -> None:
    """A later event of another publisher would be the last one for some, and not for others."""
    site = Site()
    (one, heard), (two, other) = site.process(retain=True), site.process(retain=True)
    site.turns(0.1)
    one.publish("tea", b"1")
    heard.last["tea"] = b"1"
    site.clock.advance(WAY)  # it is there; its answer is under way
    site.opener.up = False
    site.opener.stores[0].cut()
    two.publish("tea", b"2")
    other.last["tea"] = b"2"
    site.turns(0.1)
    site.opener.up = True
    site.turns()
    kept = [unseal(data).payload for _, data in site.opener.keeper._topics["t"].events]
    assert kept == [b"1", b"2"]
    assert heard.last == other.last == {"tea": b"2"}
    assert not one.has_more


@pytest.mark.parametrize("forget", [False, True])
def test_a_lost_bus_costs_no_event_within_the_bounds(forget: bool) -> None:
    """Even if it comes back without what it was given: publishers give it their last again."""
    site = Site()
    (one, _), (two, other) = site.process(), site.process()
    site.turns(0.1)
    for number in range(20):
        one.publish(None, b"%02d" % number)
        if number % 7 == 0:
            site.opener.lose(forget)
        site.turns(0.2 if number % 3 else 0.003)
    site.turns()
    assert other.payloads == [b"%02d" % number for number in range(20)]
    assert other.missing == 0
    assert other.states[:3] == [(True, ""), (False, "the connection was lost"), (True, "")]
    assert any("lost some of what it kept" in why for _, why in other.gaps) is forget
    two.close()


def test_what_a_publisher_gives_again_is_not_for_who_came_later() -> None:
    site = Site()
    one, _ = site.process()
    site.turns(0.1)
    one.publish(None, b"old")
    site.turns(0.1)
    _, late = site.process()
    site.turns(0.1)
    site.opener.lose(forget=True)
    one.publish(None, b"new")
    site.turns()
    assert late.payloads == [b"new"]
    assert late.missing == 0


def test_last_events_come_back_with_the_bus() -> None:
    """The newest of several publishers, whoever is back first."""
    site = Site()
    (one, _), (two, _) = site.process(retain=True), site.process(retain=True)
    site.turns(0.1)
    for channel, key, payload in ((one, "a", b"1"), (two, "a", b"2"), (one, "b", b"3")):
        channel.publish(key, payload)
        site.turns(0.1)
    site.opener.lose(forget=True)
    site.turns()
    _, late = site.process(retain=True)
    site.turns(0.1)
    assert sorted(late.kept) == [("a", b"2"), ("b", b"3")]
    assert late.events == []


def test_who_was_away_for_too_long_is_told_how_much_it_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And gets the last event of a key that the bus has kept."""
    monkeypatch.setattr(keeping, "KEEP", 3)
    site = Site()
    one, _ = site.process(retain=True)
    _, other = site.process(retain=True)
    site.turns(0.1)
    one.publish("seldom", b"1")
    site.turns(0.1)
    away = site.opener.stores[1]
    site.opener.up = False
    away.cut()
    for number in range(2, 10):
        one.publish("seldom" if number == 3 else "often", b"%d" % number)
        site.turns(0.1)
    site.opener.up = True
    site.turns()
    assert other.payloads == [b"1", b"3", b"7", b"8", b"9"]
    assert other.missing == 4
    assert other.gaps[0][0] is None  # nobody knows whether others published meanwhile


def test_what_could_not_wait_for_the_bus_is_missed_by_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "MOST_WAITING", 3)
    site = Site()
    (one, _), (_, other) = site.process(), site.process()
    site.turns(0.1)
    site.opener.up = False
    site.opener.lose()
    with logged() as log:
        for number in range(8):
            one.publish(None, b"%d" % number)
    assert "takes too little: 4 events were given up so far" in log.text()
    site.opener.up = True
    site.turns()
    assert other.payloads == [b"5", b"6", b"7"]
    assert [count for count, _ in other.gaps] == [5]


@pytest.mark.parametrize(
    ("key", "payload", "says"),
    [
        ("k" * 1001, b"", "LONGEST_KEY"),
        (None, bytes(LONGEST), "LONGEST of a bus"),
        ("\ud800", b"", "UTF-8"),
    ],
)
def test_an_event_that_cannot_go_is_missed_by_the_others(
    key: str | None, payload: bytes, says: str
) -> None:
    site = Site()
    (one, _), (_, other) = site.process(), site.process()
    site.turns(0.1)
    with logged() as log:
        one.publish(key, payload)
    assert says in log.text()
    one.publish(None, b"next")
    site.turns(0.1)
    assert other.payloads == [b"next"]
    assert other.gaps == [(1, "its publisher could not give it to the bus")]


def test_what_somebody_else_puts_there_costs_that_event_and_is_told_now_and_then() -> None:
    site = Site()
    (one, _), (_, other) = site.process(), site.process()
    site.turns(0.1)
    with logged() as log:
        for number in range(20):
            site.opener.keeper.publish("t", [Given(b"\xff junk %d" % number, None, None)])
        one.publish(None, b"good")
        site.turns(0.1)
    assert other.payloads == [b"good"]
    assert len(other.gaps) == 20
    assert log.text().count("was not taken") == 2 * 5  # the 1st, 2nd, 4th, 8th and 16th, of both


def test_leaving_waits_until_the_bus_has_what_was_published() -> None:
    site = Site()
    (one, heard), (two, other) = site.process(), site.process()
    site.turns(0.1)
    one.publish(None, b"last words")
    one.close()
    one.publish(None, b"too late")
    two.publish(None, b"not for who has left")
    site.turns(0.1)
    assert other.payloads == [b"last words"]
    assert heard.events == []
    assert len(site.opener.stores) == 1
    two.close()
    assert site.opener.stores == []
    assert site.opener.closed


def test_what_the_store_refuses_is_tried_again_and_told() -> None:
    site = Site()
    (one, heard), (_, other) = site.process(), site.process()
    site.turns(0.1)
    site.opener.refused.add("t")
    one.publish(None, b"x")
    site.turns(0.5)
    assert heard.states[-1] == (False, "out of memory")
    assert other.states == [(True, "")]
    site.opener.refused.clear()
    site.turns(1.5)
    assert heard.there
    assert other.payloads == [b"x"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from("publish wait lose forget flush down up join cut".split()),
        st.integers(0, 2),
        st.integers(1, 6),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(STEPS)
def test_nothing_is_twice_or_out_of_order_and_nothing_is_missing(
    steps: list[tuple[str, int, int]],
) -> None:
    """
    Whatever happens to the bus, and whenever; and all have the same last events, the bus too.

    One that comes late leaves out what is older than the last events which it got as it came.
    """
    site = Site()
    processes = [site.process(retain=True) for _ in range(3)]
    site.turns(0.1)
    published: list[list[bytes]] = [[], [], []]
    for step, which, count in steps:
        if step == "publish":
            for _ in range(count):
                payload = b"%d:%04d" % (which, len(published[which]))
                published[which].append(payload)
                channel, heard = processes[which]
                key = f"k{count % 2}"
                heard.last[key] = payload  # as a topic does, which gives it to its own first
                channel.publish(key, payload)
        elif step == "wait":
            site.clock.advance(0.0005 * count)
        elif step == "join":
            processes.append(site.process(retain=True))
        elif step in ("up", "down"):
            site.opener.up = step == "up"
            if step == "down":
                site.opener.lose()
        elif step == "flush":
            site.opener.flush()
        elif step == "cut":
            for store in site.opener.stores[which : which + 1]:
                store.cut()
        else:
            site.opener.lose(step == "forget")
    site.opener.up = True
    site.turns()
    processes.append(site.process(retain=True))
    site.turns()
    for index, (_, heard) in enumerate(processes):
        assert heard.missing == 0
        assert heard.there
        for origin, numbers in heard.numbers().items():
            assert numbers == sorted(set(numbers)), origin
        if index < 3:
            expected = sorted(p for n, each in enumerate(published) for p in each if n != index)
            assert sorted(heard.payloads) == expected
        # one that joins a bus which has just forgotten all has last events only as they come again
        if index < 3 or index == len(processes) - 1:
            assert heard.last == processes[0][1].last
