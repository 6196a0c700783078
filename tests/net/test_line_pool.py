"""Lines to places that come and go: what is told, what is kept, what is left behind."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.error import UnauthorizedLogin

import txremote
from tests.net.many import Town
from txremote.registry.dialled import MAX_PLACES


def test_each_place_has_its_lines() -> None:
    """As many as are wanted, and all of them have calls."""
    town = Town("ab", "round-robin", lines=3).begin()
    assert town.connected == {"a": 3, "b": 3}
    town.spread(12)
    calls = {pair.server.inbound.received for site in town.sites.values() for pair in site.pairs}
    assert len(calls) == 1  # each had as many as any other
    assert {name: len(lines) for name, lines in town.pool.statuses.items()} == {"a": 3, "b": 3}
    town.end()


def test_calls_go_to_another_place_at_once() -> None:
    """When a connection is lost, and when a server says that it stops."""
    town = Town("abc", "round-robin").begin()
    town.sites["a"].lose(up=False)
    assert len(town.spread(6)) == 6
    town.sites["b"].pairs[0].server.closing.drain("enough")
    town.settle()
    assert town.spread(6) == "c" * 6
    town.end()


def test_a_call_in_flight_when_its_server_stops_is_answered_there() -> None:
    """The line is left by new calls alone."""
    town = Town("ab", "round-robin").begin()
    calls: list[Any] = [town.call("wait"), town.call("wait")]
    town.settle()
    site = town.sites["a"]
    (waiting,) = site.counter.waiting
    site.pairs[0].server.closing.drain("enough")
    town.settle()
    assert town.spread(4) == "bbbb"
    waiting.callback("done")
    town.settle()
    assert [call.result for call in calls if call.called] == ["done"]
    town.sites["b"].counter.waiting[0].callback("done")
    town.end()


@pytest.mark.parametrize("pick", ["round-robin", "sticky"])
def test_a_call_in_flight_is_answered_though_its_place_is_left(pick: str) -> None:
    """A server that stops takes its place out of the registry, and has the call end."""
    town = Town("ab", pick).begin()
    call = town.call("wait")
    assert call is not None
    town.settle()
    (site,) = [each for each in town.sites.values() if each.counter.waiting]
    (pair,) = site.pairs
    site.up = False
    pair.server.closing.drain("enough")
    town.settle()
    if pick == "round-robin":
        town.list("ab".replace(site.name, ""))
    town.advance(10)  # the other one is there, and nobody dials this one
    assert site.name not in town.pool.statuses
    assert town.spread(3) == "ab".replace(site.name, "") * 3
    assert not call.called
    site.counter.waiting[0].callback("done")
    town.settle()
    assert call.result == "done"
    town.end()


def test_calls_that_end_at_a_place_that_was_left_end_with_the_client() -> None:
    """It does not wait for them."""
    town = Town("ab", "round-robin").begin()
    calls: list[Any] = [town.call("wait"), town.call("wait")]
    town.settle()
    town.sites["a"].pairs[0].server.closing.drain("enough")
    town.settle()
    town.list("b")
    town.settle()
    assert town.connected == {"a": 1, "b": 1}
    town.end()
    assert all(call.result.check(txremote.ConnectionLost) for call in calls)
    for call in calls:
        call.addErrback(lambda _lost: None)


def test_places_come_and_go() -> None:
    """A new one has a line at once; one that is gone is not dialled any more."""
    town = Town("abc", "round-robin", listed="a").begin()
    assert town.connected == {"a": 1, "b": 0, "c": 0}
    town.list("abc")
    town.settle()
    assert town.connected == {"a": 1, "b": 1, "c": 1}
    town.sites["a"].lose(up=False)
    town.list("bc")
    town.settle()
    dialled = len(town.sites["a"].dialled)
    town.advance(60)
    assert len(town.sites["a"].dialled) == dialled
    assert set(town.pool.statuses) == {"b", "c"}
    town.end()


def test_a_place_that_is_listed_again_has_all_its_lines_again() -> None:
    """Also where some were lost while it was not listed, and others were not."""
    town = Town("ab", "round-robin", lines=3).begin()
    town.list("b")
    town.sites["a"].pairs[0].lose()
    town.advance(30)
    assert town.connected == {"a": 2, "b": 3}
    town.list("ab")
    town.settle()
    assert town.connected == {"a": 3, "b": 3}
    town.end()


def test_a_server_that_is_listed_no_more_is_used_where_there_is_no_other() -> None:
    """A registry that was started again knows nobody, and that is no reason to hang up."""
    town = Town("ab", "round-robin").begin()
    town.list("")
    town.settle()
    assert town.connected == {"a": 1, "b": 1}
    assert len(town.spread(4)) == 4
    town.list("b")
    town.settle()
    assert town.spread(4) == "bbbb"
    assert town.connected == {"a": 1, "b": 1}
    town.sites["a"].lose(up=True)
    town.advance(30)
    assert town.connected == {"a": 0, "b": 1}
    town.end()


def test_a_registry_that_names_others_all_the_time_has_few_connections_opened() -> None:
    """All that it names may answer, and those that it names no more are kept for a while."""
    names = "".join(map(chr, range(1_000, 1_000 + 5 * MAX_PLACES)))
    town = Town(names, "round-robin", listed="").begin()
    for first in range(0, len(names), MAX_PLACES):
        town.list(names[first : first + MAX_PLACES])
        town.clock.advance(0)
        town.settle()
    assert sum(town.connected.values()) == 2 * MAX_PLACES
    assert all(town.connected[name] for name in names[-MAX_PLACES:])
    town.end()


def test_a_try_that_fails_is_told_when_no_other_is_under_way() -> None:
    """Who waits through one failure waits for all places."""
    town = Town("abc")
    town.sites["a"].up = town.sites["b"].up = False
    town.sites["c"].up = None  # silent
    town.begin()
    assert town.told == []
    town.advance(29.9)
    assert "live" not in town.told
    assert "failed" not in town.told
    town.advance(0.2)  # the silent one is given up
    assert town.told[0] == "failed"
    town.sites["c"].up = True
    town.advance(10)
    assert "live" in town.told
    town.end()


def test_a_refusal_is_told_when_all_places_have_refused() -> None:
    """One server that knows its users otherwise does not end the client."""
    refusing = {"a"}

    def on_connect(connection: Any) -> None:
        for name in refusing:
            if any(pair.client is connection for pair in town.sites[name].pairs):
                raise UnauthorizedLogin("no")

    town = Town("ab", "round-robin", on_connect=on_connect)
    town.begin()
    assert town.told == ["live"]
    assert town.pool.refused is None
    assert town.spread(3) == "bbb"
    refusing.add("b")
    town.sites["b"].lose(up=True)
    town.advance(3)
    assert town.told == ["live", "refused"]
    assert isinstance(town.pool.refused, UnauthorizedLogin)
    assert town.pool.status.state == "refused"
    town.end()


def test_a_refusal_is_told_when_the_places_that_have_not_refused_are_gone() -> None:
    """Who waits would wait for ever."""

    def on_connect(connection: Any) -> None:
        raise UnauthorizedLogin("no")

    town = Town("ab", "round-robin", on_connect=on_connect)
    town.sites["b"].up = None  # silent
    town.begin()
    assert town.told == []
    town.list("a")
    town.settle()
    assert town.told == ["refused"]
    town.end()


def test_a_failure_is_told_when_the_places_that_are_being_tried_are_gone() -> None:
    """There is no other try whose end it could wait for."""
    town = Town("ab")
    town.sites["a"].up, town.sites["b"].up = False, None
    town.begin()
    assert town.told == []
    town.list("a")
    town.settle()
    assert town.told == ["failed"]
    town.end()


@pytest.mark.parametrize("pick", ["round-robin", "sticky"])
def test_it_can_be_stopped_and_started_at_any_time(pick: str) -> None:
    """While it connects, waits, has lost its servers, or while a line is being left."""
    for moment in range(12):
        town = Town("abc", pick)
        town.sites["b"].up = False
        town.sites["c"].up = None
        town.pool.start()
        for _ in range(moment):
            town.clock.advance(0)
        if moment > 8:
            town.sites["a"].lose(up=False)
            town.advance(moment - 8)
        town.end()
        assert town.pool.status.state == "stopped"
        for site in town.sites.values():
            site.up = True
        town.begin()
        assert len(town.spread(3)) == 3
        town.end()


def test_its_status_is_that_of_the_line_that_does_best() -> None:
    """With the name of the place; and why there is none."""
    town = Town("abc", listed="")
    assert str(town.pool.status) == "stopped: not started yet"
    town.begin()
    assert str(town.pool.status) == "connecting: the town is empty"
    town.sites["a"].up = town.sites["b"].up = False
    town.list("ab")
    town.settle()
    assert str(town.pool.status).startswith("waiting: ")
    assert str(town.pool.status).endswith("nobody there., after 1 try, next try in 2.2 s")
    town.list("abc")
    town.settle()
    assert str(town.pool.status) == "connected: reached c (1 of 3 connections)"
    town.end()
    assert str(town.pool.status) == "stopped: stopped by stopService()"


def test_its_status_does_not_count_a_connection_that_is_being_closed() -> None:
    """No call is sent on it, though its end is still to come."""
    for names in "a", "ab":
        town = Town(names, "round-robin").begin()
        for site in town.sites.values():
            site.pairs[0].client.close()
        assert town.pool.usable is None
        assert town.pool.status.state == "connecting"
        assert "the connection is being closed" in town.pool.status.happened
        town.advance(3)
        assert town.pool.status.state == "connected"
        town.end()


def test_places_are_looked_for_only_while_it_runs() -> None:
    """A call that waits has them looked for now."""
    town = Town("a", listed="")
    town.pool.ask()
    assert town.asked == 0
    town.begin()
    town.pool.ask()
    assert town.asked == 1
    town.end()
    town.pool.ask()
    assert town.asked == 1
