"""The places of a client: named by its program, or by a registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.registry.fake import FakeRegistry
from txremote.net.members import Target
from txremote.net.targets import ASK_EVERY, FromRegistry, Named
from txremote.registry.keeping import Watchable
from txremote.registry.ports import WATCH_EVERY, Place
from txremote.registry.urls import registry_url
from txremote.servername import server_name

ONE, OTHER = Place("10.0.0.1", 1, load=0.5, key="one"), Place("10.0.0.2", 1, "tls")


def watched(registry: Any, name: str = "registry:shop") -> tuple[FromRegistry, list[Any], Clock]:
    """Return what is asked, what it tells, and its clock."""
    clock = Clock()
    told: list[Sequence[Target]] = []
    targets = FromRegistry(clock, server_name(name), registry)  # type: ignore[arg-type]
    targets.start(told.append)
    return targets, told, clock


def test_named_places_are_known_at_once() -> None:
    """One that is none is refused, and so is one that is named twice."""
    clock: Any = Clock()
    named = Named(clock, ["tcp:127.0.0.1:1", "tcp:127.0.0.1:2"])
    assert [target.name for target in named.known] == ["tcp:127.0.0.1:1", "tcp:127.0.0.1:2"]
    for endpoints, words in [
        ([], "at least one server"),
        (["tcp:h:1", "tcp:h:1"], "named twice: .* say connections="),
        (["tcp:h:1", "nonsense"], "'nonsense' names no server"),
        (["tcp:h:1", "registry:shop"], "registry:shop is no single place"),
    ]:
        with pytest.raises(ValueError, match=words):
            Named(clock, endpoints)


def test_a_registrys_places_are_told_as_they_are_dialled() -> None:
    """With their keys and loads, again when they change, and those with which nothing is done."""
    registry = FakeRegistry(ONE, OTHER, Place("", 0))
    targets, told, _clock = watched(registry)
    assert told == [
        [
            Target("one", "tcp:10.0.0.1:1", "tcp:10.0.0.1:1", 0.5),
            Target("tls:10.0.0.2:1", "tls:10.0.0.2:1", "tls:10.0.0.2:1"),
        ]
    ]
    registry.set(Place("", 0))
    assert told[1:] == [[]]
    assert targets.why_none == "the registry names no place of shop that can be dialled"
    registry.set()
    assert targets.why_none == "the registry names no place of shop"
    _targets, told, _clock = watched(registry, "registry:shop:hostname=x")
    registry.set(ONE)
    assert told[-1] == [Target("one", ONE.name, "tls:10.0.0.1:1:hostname=x", 0.5)]


def test_a_registry_is_asked_at_once_where_a_call_waits() -> None:
    """But not more often than it should be; why it gives no answer is said."""
    registry = FakeRegistry()
    registry.down = True
    targets, told, clock = watched(registry)
    assert targets.why_none == "no registry has answered yet"
    for _ in range(5):
        targets.ask()
    assert registry.asked == ["shop"]
    assert "the registry at nowhere did not answer" in targets.why_none
    registry.down, registry.places = False, (ONE,)
    clock.advance(ASK_EVERY)
    targets.ask()
    assert [target.key for target in told[-1]] == ["one"]


def test_what_is_told_is_what_the_registry_says_in_the_end() -> None:
    """A question of a call's has another answer than the watch has had before and has again."""
    clock = Clock()
    answers: list[Deferred[tuple[Place, ...]]] = []

    class Slow(Watchable):
        def find(self, name: str) -> Deferred[tuple[Place, ...]]:
            answers.append(Deferred())
            return answers[-1]

    registry: Any = Slow(registry_url("rpyc://nowhere"), clock)
    told: list[Sequence[Target]] = []
    targets = FromRegistry(clock, server_name("registry:shop"), registry)  # type: ignore[arg-type]
    targets.start(told.append)
    answers.pop().callback((ONE,))
    targets.ask()
    answers.pop().callback(())  # it was started again, and knows nobody yet
    assert told[-1] == []
    for _ in range(2):
        for answer in answers:
            answer.callback((ONE,))
        answers.clear()
        clock.advance(WATCH_EVERY)
    assert [target.key for target in told[-1]] == ["one"]
    targets.ask()
    targets.stop()
    assert [answer.called for answer in answers] == [True, True]
    assert not clock.getDelayedCalls()


def test_what_is_stopped_tells_no_more() -> None:
    """A registry that was given is not closed: it is its program's."""
    registry = FakeRegistry(ONE)
    targets, told, _clock = watched(registry)
    for _ in range(2):
        targets.stop()
        assert registry.watches == []
        targets.ask()
        assert len(told) == 1
    targets.start(told.append)
    assert len(told) == 2
    targets.stop()
    assert registry.closed == 0


def test_a_url_that_names_no_registry_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is none at all, by a sentence that says how to name one."""
    monkeypatch.delenv("TXREMOTE_REGISTRY", raising=False)
    for url, words in [("carrier://pigeon", "names no registry"), (None, "TXREMOTE_REGISTRY")]:
        with pytest.raises(ValueError, match=words):
            watched(url)
