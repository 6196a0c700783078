"""Watching a registry, and being kept in one, while it comes and goes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.peer.pairs import logged
from txremote.errors import RegistryUnreachable
from txremote.registry.keeping import Renewed, Watchable, Watching
from txremote.registry.ports import Place
from txremote.registry.urls import registry_url

ONE, TWO = Place("10.0.0.1", 1), Place("10.0.0.2", 2)


class FakeRegistry:
    """Answers with its places, or not, and notes when it was asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.reachable = True
        self.places: tuple[Place, ...] = ()
        self.told: list[tuple[float, str, Place | None]] = []
        self.waiting: Deferred[None] | None = None

    def find(self) -> Deferred[tuple[Place, ...]]:
        """As a registry's."""
        self.told.append((self.clock.seconds(), "find", None))
        return succeed(self.places) if self.reachable else fail(RegistryUnreachable("none there"))

    def enter(self, place: Place) -> Deferred[None]:
        """Enter a place."""
        self.told.append((self.clock.seconds(), "enter", place))
        if self.waiting is not None:
            return self.waiting
        return succeed(None) if self.reachable else fail(RegistryUnreachable("none there"))

    def take_out(self, place: Place) -> Deferred[None]:
        """Take it out."""
        self.told.append((self.clock.seconds(), "take out", place))
        return succeed(None) if self.reachable else fail(RegistryUnreachable("none there"))

    def renewed(self, every: float = 10) -> Renewed:
        """Keep an entry here."""
        return Renewed(self.enter, self.take_out, ONE, every, self.clock, "the registry")


def test_a_watch_tells_of_changes_only() -> None:
    """First of what is there; another order is no change, and an error leaves all as it was."""
    registry, seen = FakeRegistry(), list[tuple[Place, ...]]()
    watch = Watching(registry.find, seen.append, 5, registry.clock, "the registry")
    assert seen == [()]
    registry.places = (ONE, TWO)
    registry.clock.pump([5, 5])
    registry.places = (TWO, ONE)
    registry.clock.pump([5])
    registry.reachable = False
    registry.clock.pump([5, 5, 5])
    registry.reachable, registry.places = True, (TWO,)
    registry.clock.pump([5])
    assert seen == [(), (ONE, TWO), (TWO,)]
    watch.stop()
    registry.places = ()
    registry.clock.pump([5, 5])
    assert seen == [(), (ONE, TWO), (TWO,)]
    assert not registry.clock.getDelayedCalls()


def test_a_watch_that_is_stopped_gives_up_its_question_and_is_forgotten() -> None:
    """Nothing is left of it, and no line in the log says that it is tried again."""
    clock = Clock()
    asked: list[Deferred[tuple[Place, ...]]] = []

    class Silent(Watchable):
        def find(self, name: str) -> Deferred[tuple[Place, ...]]:
            asked.append(Deferred())
            return asked[-1]

    registry: Any = Silent(registry_url("rpyc://nowhere"), clock)
    with logged() as log:
        for _ in range(3):
            registry.watch("shop", lambda _places: None).stop()
        registry.watch("shop", lambda _places: None)
        assert [each.called for each in asked] == [True, True, True, False]
        assert len(registry._watches) == 1
        registry.close()
        assert asked[-1].called
    assert registry._watches == []
    assert not clock.getDelayedCalls()
    assert log.text() == ""


def test_a_function_that_fails_is_told_of_the_next_change() -> None:
    """What it raised is logged."""
    registry, seen = FakeRegistry(), list[int]()

    def changed(places: tuple[Place, ...]) -> None:
        seen.append(len(places))
        raise ZeroDivisionError

    with logged() as log:
        Watching(registry.find, changed, 5, registry.clock, "the registry")
        registry.places = (ONE,)
        registry.clock.advance(5)
    assert seen == [0, 1]
    assert log.text().count("told of a registry's changes has failed") == 2
    assert "ZeroDivisionError" in log.text()


def test_an_entry_is_renewed_until_it_is_taken_out_once() -> None:
    """With the load that was said last."""
    registry = FakeRegistry()
    entry = registry.renewed()
    entry.load(0.5)
    registry.clock.pump([10])
    left: list[None] = []
    for _ in range(2):
        entry.leave().addCallback(left.append)
    registry.clock.pump([10, 10])
    assert [(when, what) for when, what, _place in registry.told] == [
        *((0, "enter"), (10, "enter"), (10, "take out"))
    ]
    assert [place and place.load for _when, _what, place in registry.told] == [None, 0.5, 0.5]
    assert left == [None, None]


def test_a_registry_that_is_not_there_is_tried_again_and_the_log_says_it_once() -> None:
    """Soon at first, then as often as it would be renewed."""
    registry = FakeRegistry()
    registry.reachable = False
    with logged() as log:
        entry = registry.renewed()
        registry.clock.pump([0.5] * 60)
        registry.reachable = True
        registry.clock.pump([0.5] * 40)
        registry.reachable = False
        entry.leave()
    assert [when for when, *_rest in registry.told] == [0, 1, 3, 7, 15, 25, 35, 45, 50]
    lines = [line.partition("] ")[2] for line in log.text().splitlines()]
    assert lines == [
        "none there; it is tried again",
        "the registry is there again",
        "the registry was not told that a server leaves, whose entry ends with its lease: "
        "none there",
    ]


def test_an_entry_is_not_taken_out_before_a_renewal_that_is_under_way() -> None:
    """It would be entered again."""
    registry = FakeRegistry()
    registry.waiting = Deferred()
    entry = registry.renewed()
    left: list[None] = []
    entry.leave().addCallback(left.append)
    assert [what for _when, what, _place in registry.told] == ["enter"]
    registry.waiting.callback(None)
    assert [what for _when, what, _place in registry.told] == ["enter", "take out"]
    assert left == [None]
    assert not registry.clock.getDelayedCalls()
