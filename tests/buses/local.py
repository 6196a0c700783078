"""What tests of buses share: a listener that notes all, and a bus in memory, some way off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from txremote.buses.keeping import Keeper
from txremote.buses.ports import BegunAnew, Given, Id, Joined, Reading, Refused, Store, Unreachable

#: Seconds that a request takes to the keeper, and its answer back.
WAY = 0.001


class Heard:
    """
    A topic's end of a bus.

    Attributes:
        events: What it received: key, payload, origin, number.
        kept: What it was told as the last events of keys.
        last: The last event of each key, as its topic has it.
        gaps: What it was told as missed.
        states: Whether the bus was there, and why.
    """

    def __init__(self) -> None:
        self.events: list[tuple[str | None, bytes, str, int]] = []
        self.kept: list[tuple[str | None, bytes]] = []
        self.last: dict[str | None, bytes] = {}
        self.gaps: list[tuple[int | None, str]] = []
        self.states: list[tuple[bool, str]] = []

    def received(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        self.events.append((key, payload, origin, number))
        self.last[key] = payload

    def overtaken(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        self.events.append((key, payload, origin, number))

    def retained(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        self.kept.append((key, payload))
        self.last.setdefault(key, payload)

    def missed(self, count: int | None, why: str) -> None:
        self.gaps.append((count, why))

    def state(self, connected: bool, why: str) -> None:
        self.states.append((connected, why))

    @property
    def payloads(self) -> list[bytes]:
        """The events' payloads."""
        return [event[1] for event in self.events]

    @property
    def missing(self) -> int:
        """How many events it was told it missed, of those that could be counted."""
        return sum(count or 0 for count, _ in self.gaps)

    @property
    def there(self) -> bool:
        """Whether the bus is there."""
        return bool(self.states) and self.states[-1][0]

    def numbers(self) -> dict[str, list[int]]:
        """Return the numbers of what it received, by publisher."""
        found: dict[str, list[int]] = {}
        for _, _, origin, number in self.events:
            found.setdefault(origin, []).append(number)
        return found


class LocalStore:
    """A connection to a keeper; requests and answers take their time."""

    def __init__(
        self, opener: LocalOpener, wake: Callable[[str], object], lost: Callable[[str], object]
    ) -> None:
        self._opener = opener
        self._wake = wake
        self._lost: Callable[[str], object] | None = lost
        self._topics: dict[str, str] = {}  # with the generations that they have joined

    def _ask(self, function: Callable[[], Any]) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        clock = self._opener.clock

        def reply(found: Any, error: Exception | None) -> None:
            if self._lost is not None and not answer.called and not self._opener.silent:
                answer.errback(error) if error else answer.callback(found)

        def do() -> None:
            if self._opener.silent:
                return
            try:
                found, error = function(), None
            except (Refused, BegunAnew) as problem:
                found, error = None, problem
            clock.callLater(WAY, reply, found, error)

        clock.callLater(WAY, do)
        return answer

    def join(self, topic: str, known: Id | None) -> Deferred[Joined]:
        def join() -> Joined:
            joined = self._opener.keeper.join(topic, known)
            self._topics[topic] = joined.generation
            return joined

        return self._ask(join)

    def leave(self, topic: str) -> None:
        self._topics.pop(topic, None)

    def publish(self, topic: str, events: Sequence[Given]) -> Deferred[Id]:
        def publish() -> Id:
            if topic in self._opener.refused:
                raise Refused("out of memory")
            if self._has_begun_anew(topic):
                raise BegunAnew
            last = self._opener.keeper.publish(topic, events)
            for store in self._opener.stores:
                if topic in store._topics:
                    self._opener.clock.callLater(WAY, store._wake, topic)
            return last

        return self._ask(publish)

    def read(self, topics: Sequence[tuple[str, Id]]) -> Deferred[Reading]:
        def read() -> Reading:
            found = self._opener.keeper.read(topics)
            anew = {n for n, (topic, _) in enumerate(topics) if self._has_begun_anew(topic)}
            entries = [entry for entry in found.entries if entry.topic not in anew]
            return found._replace(entries=entries, begun_anew=found.begun_anew | anew)

        return self._ask(read)

    def _has_begun_anew(self, topic: str) -> bool:
        return self._topics.get(topic) != self._opener.keeper._generation

    def retained(self, topic: str, after: bytes) -> Deferred[Any]:
        return self._ask(lambda: self._opener.keeper.retained(topic, after))

    def close(self) -> None:
        self._lost = None
        self._topics.clear()
        if self in self._opener.stores:
            self._opener.stores.remove(self)

    def cut(self) -> None:
        """Lose it: nobody can tell what of that which is under way was done."""
        lost = self._lost
        self.close()
        if lost is not None:
            lost("the connection was lost")


class LocalOpener:
    """
    Opens connections to a keeper in memory.

    Attributes:
        keeper: What it has.
        up: Whether anybody is let in.
        silent: Whether nothing is answered any more, as by a process that is stopped.
        refused: The topics that nobody may publish to.
        stores: The connections.
        closed: Whether it was told that it is over.
    """

    name = "the bus of the test"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._keepers = 0
        self.keeper = self._new_keeper()
        self.up = True
        self.silent = False
        self.refused: set[str] = set()
        self.stores: list[LocalStore] = []
        self.closed = False

    def open(self, wake: Callable[[str], object], lost: Callable[[str], object]) -> Deferred[Store]:
        if not self.up:
            return fail(Unreachable("nobody is there"))
        store = LocalStore(self, wake, lost)
        self.stores.append(store)
        return succeed(store)

    def close(self) -> Deferred[None]:
        self.closed = True
        return succeed(None)

    def flush(self) -> None:
        """Forget all, with everybody connected."""
        self.keeper = self._new_keeper()

    def _new_keeper(self) -> Keeper:
        self._keepers += 1
        later = 10 * self._keepers  # it takes some time until there is another one
        return Keeper(lambda: int(self.clock.seconds() * 1000) + later)

    def lose(self, forget: bool = False) -> None:
        """Cut all connections; ``forget``: what was kept is gone, too."""
        if forget:
            self.keeper = self._new_keeper()
        for store in list(self.stores):
            store.cut()


def turns(clock: Clock, seconds: float = 3.0) -> None:
    """Let time go on."""
    for _ in range(int(seconds / 0.01)):
        clock.advance(0.01)
