"""Which connection has a call: least busy, one after the other, always the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from twisted.cred.error import UnauthorizedLogin

from tests.net.many import Town
from txremote.net.members import GRACE, PICKERS, STUCK_AFTER, RoundRobin, Sticky, Target
from txremote.registry.dialled import MAX_PLACES, in_order


def test_round_robin_is_one_after_the_other() -> None:
    """Each as often, also of those that are left when one goes."""
    town = Town("abc", "round-robin").begin()
    assert Counter(town.spread(9)) == {"a": 3, "b": 3, "c": 3}
    town.sites["b"].lose(up=False)
    town.settle()
    assert Counter(town.spread(8)) == {"a": 4, "c": 4}
    town.end()


def test_least_busy_has_the_fewest_unanswered_calls() -> None:
    """A server that is slow has a call, and the others all the rest."""
    town = Town("abc").begin()
    for _ in range(2):
        town.call("wait")
    town.settle()
    busy = {name for name, site in town.sites.items() if site.counter.waiting}
    (free,) = town.sites.keys() - busy
    assert town.spread(20) == free * 20
    town.end()


def test_least_busy_looks_at_the_load_that_servers_tell() -> None:
    """Of those that are free the busiest has none, and not all calls go to one."""
    town = Town("abc").begin()
    town.list("abc", a=0.9, b=0.1, c=0.5)
    town.settle()
    counts = Counter(town.spread(30))
    assert counts["a"] == 0
    assert counts["b"] > counts["c"] > 0
    town.end()


@pytest.mark.parametrize("pick", ["least-busy", "round-robin"])
def test_a_server_that_leaves_a_ping_unanswered_has_no_calls(pick: str) -> None:
    """Its connection is open, its calls are neither failed nor sent again, and it comes back."""
    town = Town("ab", pick).begin()
    town.sites["a"].stuck = True
    stuck = [town.call("note", number) for number in range(4)]
    town.advance(STUCK_AFTER)  # from here on there is a reason for a ping
    for number in range(4, 6):
        town.call("note", number)
    town.advance(STUCK_AFTER)
    ran = town.sites["b"].counter.ran
    before = len(ran)
    for number in range(100, 110):
        town.call("note", number)
    town.settle()
    assert ran[before:] == list(range(100, 110))
    assert town.connected == {"a": 1, "b": 1}
    # a ping that is given up is followed by another one, and then it answers again
    town.advance(31)
    town.sites["a"].stuck = False
    town.settle()
    assert sorted(ran + town.sites["a"].counter.ran) == sorted({*ran, *range(6)})
    assert all(call is not None and call.called for call in stuck)
    assert {*town.spread(10)} == {"a", "b"}
    town.end()


@pytest.mark.parametrize("pick", ["least-busy", "round-robin"])
def test_a_server_that_answers_nothing_is_found_by_callers_that_do_not_wait(pick: str) -> None:
    """They give up before the next call is made, so none is unanswered then."""
    town = Town("ab", pick).begin()
    town.sites["a"].stuck = True
    given_up = []
    for number in range(20):
        call = town.call("note", number)
        assert call is not None
        town.advance(1)
        if not call.called:
            call.addErrback(lambda _cancelled: None)
            call.cancel()
            given_up.append(number)
    assert given_up
    assert max(given_up) < 8
    town.sites["a"].stuck = False
    town.advance(31)
    assert {*town.spread(10)} == {"a", "b"}
    town.end()


def test_a_server_alone_has_all_calls_though_it_is_stuck() -> None:
    """There is no other: the calls wait for it."""
    town = Town("a", lines=2).begin()
    town.sites["a"].stuck = True
    for _ in range(3):
        assert town.call("note", 1) is not None
        town.advance(STUCK_AFTER)
    assert town.pool.usable is not None
    town.sites["a"].stuck = False
    town.end()


# -- sticky


def test_sticky_has_one_server_and_one_connection() -> None:
    """There is no line to the others."""
    town = Town("abcde", "sticky").begin()
    assert sum(town.connected.values()) == 1
    assert len({*town.spread(9)}) == 1
    town.end()


def stuck_to(town: Town) -> str:
    """Return the site that a sticky pool has chosen."""
    (name,) = [name for name, count in town.connected.items() if count]
    return name


@pytest.mark.parametrize("gone", ["refused", "silent", "unlisted", "stays"])
def test_sticky_waits_for_its_server_while_it_may_come_back(gone: str) -> None:
    """It is tried once more; where it is not there, another one is taken, and kept."""
    town = Town("abc", "sticky").begin()
    first = stuck_to(town)
    town.sites[first].lose(up={"refused": False, "silent": None}.get(gone, True))
    if gone == "unlisted":
        town.list("abc".replace(first, ""))
    town.settle()
    if gone != "unlisted":
        assert town.call() is None
        town.advance(2.25)  # the policy's, until the first try
    if gone == "silent":
        assert town.call() is None
        town.advance(GRACE - 2.25)
    second = stuck_to(town)
    assert (second == first) == (gone == "stays")
    town.sites[first].up = True
    town.list("abc")
    town.advance(100)
    assert {*town.spread(5)} == {second}
    assert stuck_to(town) == second
    town.end()


def test_a_server_that_came_back_may_be_gone_for_as_long_again() -> None:
    """The time of a first absence does not count for the next one."""
    town = Town("abc", "sticky").begin()
    first = stuck_to(town)
    town.sites[first].lose(up=True)
    town.advance(2.25)  # the policy's, until the first try
    assert stuck_to(town) == first
    town.sites[first].lose(up=None)
    town.advance(GRACE - 0.01)
    assert town.call() is None
    town.advance(0.01)
    assert stuck_to(town) != first
    town.end()


def test_each_connection_of_a_server_that_came_back_counts() -> None:
    """The time of an absence ends with the first of its connections."""
    delays = iter([1.0, 20.0, 20.0])
    town = Town("abc", "sticky", lines=2, retry_policy=lambda _failures: next(delays)).begin()
    first = stuck_to(town)
    town.sites[first].lose(up=True)
    town.advance(1)
    assert town.connected[first] == 1
    town.advance(1)
    town.sites[first].lose(up=None)
    town.advance(GRACE - 2)  # from the first loss
    assert town.connected == dict.fromkeys("abc", 0)
    town.advance(2)
    assert stuck_to(town) != first
    town.end()


def test_of_two_that_are_reached_at_once_sticky_keeps_the_first() -> None:
    """And has no connection to the other: it could not tell when the first is gone."""
    town = Town("ab", "sticky")
    for site in town.sites.values():
        site.up = False
    town.begin()
    town.advance(1)
    for site in town.sites.values():
        site.up = True
    town.advance(1.25)
    first, other = town.reached
    assert town.pool.usable is first
    assert not first.closed
    assert other.closed
    town.end()


def test_sticky_keeps_a_server_that_the_registry_forgets() -> None:
    """A registry that was just started knows nobody; what answers is used on."""
    town = Town("abc", "sticky").begin()
    first = stuck_to(town)
    town.list("")
    town.settle()
    assert town.spread(3) == first * 3
    town.list("abc".replace(first, ""))
    town.settle()
    assert stuck_to(town) == first
    town.end()


def test_sticky_goes_round_while_nobody_is_there() -> None:
    """Each is tried with its own pauses, none is tried without one; the first to come is kept."""
    town = Town("abc", "sticky")
    for site in town.sites.values():
        site.up = False
    town.begin()
    town.advance(40)
    assert all(5 <= len(site.dialled) <= 8 for site in town.sites.values())
    town.sites["b"].up = True
    town.advance(11)
    assert stuck_to(town) == "b"
    town.sites["a"].up = town.sites["c"].up = True
    town.advance(60)
    assert stuck_to(town) == "b"
    town.end()


def test_sticky_tells_of_a_try_or_a_refusal_when_all_places_were_tried() -> None:
    """The first one is not all that there is."""
    first, second = in_order("a key", "ab", str)
    town = Town("ab", "sticky")
    town.sites[first].up = False
    town.begin()
    assert town.told == ["live"]
    town.end()

    def on_connect(connection: Any) -> None:
        if any(pair.client is connection for pair in town.sites[first].pairs):
            raise UnauthorizedLogin("no")

    town = Town("ab", "sticky", on_connect=on_connect)
    town.begin()
    assert town.told == ["live"]
    assert stuck_to(town) == second
    town.end()


def test_the_same_key_begins_with_the_same_server() -> None:
    """Also at another client, and where another one goes or comes; other keys are spread."""
    targets = [Target(name, name, name) for name in "abcdefgh"]
    firsts = Counter()
    for number in range(400):
        (first,) = Sticky(f"user {number}").wanted(targets, ())
        assert [first] == Sticky(f"user {number}").wanted(targets[::-1], ())
        others = [each for each in targets if each is not first][1:]
        assert [first] == Sticky(f"user {number}").wanted([*others, first], ())
        firsts[first.key] += 1
    assert len(firsts) == 8
    assert min(firsts.values()) > 20


@pytest.mark.parametrize("pick", PICKERS)
def test_very_many_places_are_not_all_dialled(pick: str) -> None:
    """A registry that lies cannot have a client open thousands of connections."""
    targets = [Target(str(number), str(number), "x") for number in range(5000)]
    picker = PICKERS[pick]("a key")
    for _ in range(300):
        wanted = picker.wanted(targets, ())
        assert len(wanted) <= MAX_PLACES
        picker.failed(wanted[-1])
    assert {*RoundRobin("one").wanted(targets, ())} != {*RoundRobin("other").wanted(targets, ())}
