"""One connection to a bus for all topics of a loop, which comes back."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from tests.buses.local import Heard, LocalOpener, turns
from tests.peer.pairs import logged
from txremote.buses import keeping
from txremote.buses.bus import ANSWER_WITHIN, Bus


def a_bus(clock: Clock, opener: LocalOpener, ended: list[str] | None = None) -> Bus:
    done = [] if ended is None else ended
    return Bus(clock, opener, lambda: done.append("ended"))  # type: ignore[arg-type]


def test_one_connection_serves_all_topics_and_is_closed_with_the_last() -> None:
    clock, ended = Clock(), list[str]()
    opener = LocalOpener(clock)
    bus = a_bus(clock, opener, ended)
    heard = [Heard(), Heard(), Heard()]
    links = [bus.join(topic, each, False) for topic, each in zip("ttu", heard, strict=True)]
    turns(clock, 0.1)
    assert len(opener.stores) == 1
    links[0].publish(None, b"to the other of this name")
    turns(clock, 0.1)
    assert [each.payloads for each in heard] == [[], [b"to the other of this name"], []]
    links[1].close()
    links[2].close()
    assert list(opener.stores[0]._topics) == ["t"]
    links[0].close()
    assert (opener.stores, ended, clock.getDelayedCalls()) == ([], ["ended"], [])


def test_a_loss_is_told_once_and_so_is_its_end() -> None:
    clock = Clock()
    opener = LocalOpener(clock)
    opener.up = False
    heard = Heard()
    with logged() as log:
        a_bus(clock, opener).join("t", heard, False)
        turns(clock, 10)
        opener.up = True
        turns(clock, 2)
    assert log.text().count("is not there, and is tried again: nobody is there") == 1
    assert log.text().count("is there again, after") == 1
    assert heard.states[0] == (False, "nobody is there")
    assert heard.there


def test_it_is_tried_soon_and_then_at_most_every_second_or_so() -> None:
    clock = Clock()
    opener = LocalOpener(clock)
    a_bus(clock, opener).join("t", Heard(), False)
    turns(clock, 0.1)
    opener.lose()
    turns(clock, 0.2)
    assert len(opener.stores) == 1
    opener.up = False
    opener.lose()
    turns(clock, 60)
    opener.up = True
    turns(clock, 1.1)
    assert len(opener.stores) == 1


def test_one_that_does_not_answer_is_as_good_as_lost() -> None:
    """As a process that is stopped, which accepts connections. What waited comes afterwards."""
    clock = Clock()
    opener = LocalOpener(clock)
    one, other = Heard(), Heard()
    link = a_bus(clock, opener).join("t", one, False)
    a_bus(clock, opener).join("t", other, False)
    turns(clock, 0.1)
    opener.silent = True
    link.publish(None, b"x")
    turns(clock, ANSWER_WITHIN + 2.5)
    assert one.states[-1] == other.states[-1] == (False, "it has not answered for 5 s")
    opener.silent = False
    turns(clock, 10)
    assert other.payloads == [b"x"]
    assert other.missing == 0


def test_news_of_which_nobody_tells_is_found_after_a_while() -> None:
    clock = Clock()
    opener = LocalOpener(clock)
    link = a_bus(clock, opener).join("t", Heard(), False)
    other = Heard()
    a_bus(clock, opener).join("t", other, False)
    turns(clock, 0.1)
    opener.stores[1]._topics.clear()
    link.publish(None, b"x")
    turns(clock, 0.1)
    assert other.payloads == []
    turns(clock, 2.1)
    assert other.payloads == [b"x"]


def test_topics_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that always has something new leaves time for another."""
    monkeypatch.setattr(keeping, "AT_ONCE", 1)
    clock = Clock()
    opener = LocalOpener(clock)
    bus = a_bus(clock, opener)
    busy, calm = Heard(), Heard()
    bus.join("busy", busy, False)
    bus.join("calm", calm, False)
    turns(clock, 0.1)
    other = a_bus(clock, opener)
    links = [other.join(topic, Heard(), False) for topic in ("busy", "calm")]
    turns(clock, 0.1)
    for _ in range(100):
        links[0].publish(None, b"x")
    links[1].publish(None, b"y")
    turns(clock, 0.06)
    assert calm.payloads == [b"y"]
    assert 0 < len(busy.events) < 100


def test_one_that_begins_anew_is_joined_again_and_read_from_the_start() -> None:
    """With older ids, as after its clock was set back, or on another machine."""
    clock = Clock()
    opener = LocalOpener(clock)
    link = a_bus(clock, opener).join("t", Heard(), False)
    other = Heard()
    channel = a_bus(clock, opener).join("t", other, False)
    turns(clock, 0.1)
    link.publish(None, b"1")
    turns(clock, 0.1)
    assert channel.incoming.position is not None
    channel.incoming.position = (channel.incoming.position[0] + 10**9, 0)
    turns(clock, 2.1)
    assert other.payloads == [b"1"]
    assert [count for count, _ in other.gaps] == [None]
    link.publish(None, b"2")
    turns(clock, 2.1)
    assert other.payloads == [b"1", b"2"]


def test_a_topic_that_cannot_be_read_leaves_the_others_alone() -> None:
    clock = Clock()
    opener = LocalOpener(clock)
    bus = a_bus(clock, opener)
    good, bad = Heard(), Heard()
    link = bus.join("good", good, False)
    bus.join("bad", bad, False)
    other = Heard()
    a_bus(clock, opener).join("good", other, False)
    turns(clock, 0.1)
    keeper = opener.keeper
    read = keeper.read

    def refusing(topics):  # type: ignore[no-untyped-def]
        found = read(topics)
        refused = [(n, "wrong type") for n, (topic, _) in enumerate(topics) if topic == "bad"]
        return found._replace(refused=refused)

    keeper.read = refusing  # type: ignore[method-assign]
    turns(clock, 2.1)
    assert bad.states[-1][0] or bad.states[-1] == (False, "wrong type")
    assert (False, "wrong type") in bad.states
    assert good.states == [(True, "")]
    link.publish(None, b"x")
    turns(clock, 0.1)
    assert other.payloads == [b"x"]
    keeper.read = read  # type: ignore[method-assign]
    turns(clock, 2.1)
    assert bad.there
