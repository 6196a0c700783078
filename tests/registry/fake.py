"""A registry in memory, for tests of those who use one. Not a test file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from txremote import RegistryUnreachable
from txremote.registry.ports import WATCH_EVERY, Place


class FakeRegistry:
    """
    A registry whose places a test sets.

    Attributes:
        down: Whether it does not answer.
        asked: The names that it was asked for.
        watches: Those that are not stopped.
        closed: How often it was closed.
    """

    def __init__(self, *places: Place) -> None:
        self.places = places
        self.down = False
        self.asked: list[str] = []
        self.watches: list[FakeWatch] = []
        self.closed = 0

    def set(self, *places: Place) -> None:
        """Have other places, and tell those that watch."""
        self.places = places
        for watch in list(self.watches):
            watch.changed(places)

    def find(self, name: str) -> Deferred[tuple[Place, ...]]:
        """Return the places."""
        self.asked.append(name)
        if self.down:
            return fail(RegistryUnreachable("the registry at nowhere did not answer"))
        return succeed(self.places)

    def watch(
        self, name: str, changed: Callable[..., object], every: float = WATCH_EVERY
    ) -> FakeWatch:
        """Tell of the places now, and when they are set."""
        watch = FakeWatch(self, changed)
        self.watches.append(watch)
        if not self.down:
            changed(self.places)
        return watch

    def register(self, names: tuple[str, ...], place: Place) -> Any:
        """Not for these tests."""
        raise NotImplementedError

    def list(self) -> Deferred[tuple[str, ...]]:
        """Not for these tests."""
        raise NotImplementedError

    def close(self) -> Deferred[None]:
        """Count it."""
        self.closed += 1
        return succeed(None)


class FakeWatch:
    """Is told when the places are set."""

    def __init__(self, registry: FakeRegistry, changed: Callable[..., object]) -> None:
        self._registry = registry
        self.changed = changed

    def stop(self) -> None:
        """Be told no more."""
        self._registry.watches.remove(self)
