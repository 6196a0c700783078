"""
Where the places of a client come from: its program names them (`Named`), or a registry does
(`FromRegistry`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from txremote.eventloop.login_refusals import in_words
from txremote.net.members import Target
from txremote.net.tls import client_endpoint_of
from txremote.refs.awaiting import succeeded
from txremote.refs.clock import EventLoop, steady
from txremote.registry.choosing import registry_from
from txremote.registry.dialled import dialled, none_named
from txremote.registry.ports import Place, Registry, Watch
from txremote.servername import ServerName

#: Seconds between two questions to a registry by calls that wait for a connection.
ASK_EVERY = 1.0

Changed = Callable[[Sequence[Target]], object]


class Targets(Protocol):
    """
    Where the places of a client come from.

    Attributes:
        known: Those that are known without a question.
        why_none: Why there are none, in words.
    """

    known: Sequence[Target]
    why_none: str

    def start(self, changed: Changed) -> None:
        """Call a function with the places, soon, and whenever they are others."""

    def ask(self) -> None:
        """Look now: a call waits, and no place is reached."""

    def stop(self) -> Deferred[None]:
        """Call it no more."""


class Named:
    """Places that a program names."""

    why_none = ""

    def __init__(
        self, reactor: EventLoop, endpoints: Sequence[str | IStreamClientEndpoint]
    ) -> None:
        known: list[Target] = []
        for endpoint in endpoints:
            client_endpoint_of(reactor, endpoint)  # to refuse it now and not at each try
            name = endpoint if isinstance(endpoint, str) else repr(endpoint)
            known.append(Target(name, name, endpoint))
        self.known: Sequence[Target] = known
        names = [target.name for target in known]
        if not names:
            raise ValueError("a client needs at least one server")
        if len({*names}) < len(names):
            raise ValueError(
                f"a server is named twice: {', '.join(names)}; for more connections to each, say "
                "connections="
            )

    def start(self, changed: Changed) -> None:
        """Do nothing: they are known, and stay."""

    def ask(self) -> None:
        """Do nothing: they are what they are."""

    def stop(self) -> Deferred[None]:
        """Do nothing."""
        return succeeded(None)


class FromRegistry:
    """Places that a registry names."""

    known: Sequence[Target] = ()

    def __init__(
        self, reactor: EventLoop, named: ServerName, registry: str | Registry | None
    ) -> None:
        self._named = named
        self._clock = steady(reactor)
        self._own: Callable[[], Registry] | None = None  # makes it, where it is this one's
        if registry is None or isinstance(registry, str):
            self._own = partial(registry_from, registry, reactor)
            registry = self._own()  # to refuse it now, not at the start
        self._registry: Registry | None = registry
        self._watch: Watch | None = None
        self._last: frozenset[Place] | None = None
        self._asking: Deferred[None] | None = None
        self._asked: float | None = None
        self._changed: Changed | None = None
        self.why_none = "no registry has answered yet"

    def start(self, changed: Changed) -> None:
        """Watch the registry."""
        self._changed = changed
        if self._registry is None:
            assert self._own is not None
            self._registry = self._own()
        self._look(self._registry)

    def _look(self, registry: Registry) -> None:
        if self._watch is not None:
            self._watch.stop()
        self._watch = registry.watch(self._named.service, self._found)

    def ask(self) -> None:
        """Ask the registry, unless it was just asked."""
        registry, now = self._registry, self._clock.seconds()
        if registry is None or self._changed is None or self._asking is not None:
            return
        if self._asked is not None and now - self._asked < ASK_EVERY:
            return
        self._asked = now

        def answered(places: tuple[Place, ...]) -> None:
            if frozenset(places) != self._last:
                self._found(places)
                # it tells of what is another than it has seen itself, and has not seen this
                self._look(registry)

        def unanswered(failure: Failure) -> None:
            assert failure.value is not None
            self.why_none = in_words(failure.value)

        def over(_result: object) -> None:
            self._asking = None

        asking = registry.find(self._named.service).addCallbacks(answered, unanswered)
        self._asking = asking
        asking.addBoth(over)

    def stop(self) -> Deferred[None]:
        """Let go of the registry."""
        self._changed = self._asked = self._last = None
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
        if self._asking is not None:
            self._asking.cancel()
        if self._own is None or self._registry is None:
            return succeeded(None)
        registry, self._registry = self._registry, None
        return registry.close()

    def _found(self, places: tuple[Place, ...]) -> None:
        if self._changed is None:
            return
        self._last = frozenset(places)
        self.why_none = none_named(self._named.service, bool(places))
        found: dict[str, Target] = {}
        for place in places:
            name = dialled(place, self._named)
            if name is not None:
                found[name] = Target(place.key, place.name, name, place.load)
        self._changed(list(found.values()))
