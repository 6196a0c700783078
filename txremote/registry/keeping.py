"""
Looking at a registry again and again, and keeping an entry in it.

Both go on while a registry cannot be reached, and say so once in the log when that begins and
once when it ends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from txremote.errors import RegistryUnreachable
from txremote.levels import Logger
from txremote.refs.awaiting import awaitable, succeeded
from txremote.registry.ports import WATCH_EVERY, Changed, Place, Watch
from txremote.registry.urls import RegistryURL

_log = Logger("txremote.registry")

#: Seconds until a registry that could not be reached is tried again, at first.
_FIRST_TRY = 1.0

Step: TypeAlias = Callable[[], "Deferred[Any]"]


class Repeated:
    """
    Something that is done at once and then every so often, one time after the other.

    Args:
        step: Does it once.
        every: Seconds from the end of one time to the next.
        clock: Makes the calls.
        what: Its name in the log, ``"the registry at rpyc://..."``.
    """

    def __init__(self, step: Step, every: float, clock: IReactorTime, what: str) -> None:
        self._step = step
        self._every = every
        self._clock = clock
        self._what = what
        self._delay = _FIRST_TRY
        self._timer: IDelayedCall | None = None
        self._doing: Deferred[Any] | None = None
        self._under_way: Deferred[None] | None = None
        self._stopped = False
        self._failing = False

    def begin(self) -> None:
        """Do it the first time."""
        self._go()

    def stop(self) -> Deferred[None]:
        """Do it no more; the Deferred fires when a time that is under way has ended."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        ended: Deferred[None] = Deferred()
        if self._under_way is None:
            ended.callback(None)
        else:
            self._under_way.addCallback(ended.callback)
        return ended

    def give_up(self) -> None:
        """Do it no more, not even to the end where it is under way."""
        self.stop()
        if self._doing is not None:
            self._doing.cancel()

    def _go(self) -> None:
        self._timer = None
        under_way = self._under_way = Deferred()

        def done(result: object) -> None:
            self._doing = self._under_way = None
            if not self._stopped:
                self._note(result.value if isinstance(result, Failure) else None)
                wait = min(self._delay, self._every) if self._failing else self._every
                self._timer = self._clock.callLater(wait, self._go)
            under_way.callback(None)

        doing = self._doing = maybeDeferred(self._step)
        doing.addBoth(done)

    def _note(self, problem: BaseException | None) -> None:
        if problem is None:
            if self._failing:
                _log.info("{what} is there again", what=self._what)
            self._failing, self._delay = False, _FIRST_TRY
            return
        if self._failing:
            self._delay *= 2
            return
        self._failing = True
        if isinstance(problem, RegistryUnreachable):
            _log.warn("{problem}; it is tried again", problem=problem)
        else:
            _log.error("{what}: {problem}; it is tried again", what=self._what, problem=problem)


class Watching:
    """
    A name that is looked at again and again (`txremote.registry.ports.Watch`).

    Attributes:
        stopped: Whether it looks no more.
    """

    def __init__(
        self,
        find: Callable[[], Deferred[tuple[Place, ...]]],
        changed: Changed,
        every: float,
        clock: IReactorTime,
        what: str,
    ) -> None:
        self._find = find
        self._changed = changed
        self._last: frozenset[Place] | None = None
        self._looking = Repeated(self._look, every, clock, what)
        self.stopped = False
        self._looking.begin()

    def stop(self) -> None:
        """Look no more."""
        self.stopped = True
        self._looking.give_up()

    def _look(self) -> Deferred[None]:
        return self._find().addCallback(self._found)

    def _found(self, places: tuple[Place, ...]) -> None:
        # their order is that of renewals, which says nothing
        if self.stopped or frozenset(places) == self._last:
            return
        self._last = frozenset(places)
        try:
            self._changed(places)
        except Exception:
            _log.failure("a function that is told of a registry's changes has failed")


class Watchable(ABC):
    """
    The part of a registry that is the same whatever stands behind it: its names are watched.

    Args:
        url: How it is named.
        clock: Makes the calls.
    """

    def __init__(self, url: RegistryURL, clock: IReactorTime) -> None:
        self.url = url
        self._clock = clock
        self._watches: list[Watching] = []

    def __repr__(self) -> str:
        return f"<registry at {self.url}>"

    @property
    def _what(self) -> str:
        return f"the registry at {self.url}"

    @abstractmethod
    def find(self, name: str) -> Deferred[tuple[Place, ...]]:
        """Return where a name is served."""

    def watch(self, name: str, changed: Changed, every: float = WATCH_EVERY) -> Watch:
        """Call a function with the places of a name, at first and whenever they are others."""
        watching = Watching(partial(self.find, name), changed, every, self._clock, self._what)
        self._watches = [each for each in self._watches if not each.stopped] + [watching]
        return watching

    def close(self) -> Deferred[None]:
        """Stop what watches."""
        for watching in self._watches:
            watching.stop()
        self._watches.clear()
        return succeeded(None)


class Renewed:
    """
    A server's entry that is kept (`txremote.registry.ports.Registration`).

    Args:
        enter: Enters a place, or renews it.
        take_out: Takes it out.
        place: The server's.
        every: Seconds between two renewals.
        clock: Makes the calls.
        what: Its name in the log.
    """

    def __init__(
        self,
        enter: Callable[[Place], Deferred[None]],
        take_out: Callable[[Place], Deferred[None]],
        place: Place,
        every: float,
        clock: IReactorTime,
        what: str,
    ) -> None:
        self._enter = enter
        self._take_out = take_out
        self._place = place
        self._what = what
        self._left: Deferred[None] | None = None
        self._renewing = Repeated(self._renew, every, clock, what)
        self._renewing.begin()

    def load(self, load: float) -> None:
        """Say how busy the server is, from the next renewal on."""
        self._place = replace(self._place, load=load)

    def leave(self) -> Deferred[None]:
        """Take the entry out. The Deferred does not fail."""
        if self._left is None:
            # not before a renewal that is under way, which would enter it again
            self._left = self._renewing.stop().addCallback(lambda _none: self._go())
        told: Deferred[None] = Deferred()
        self._left.addCallback(lambda _none: told.callback(None))
        return awaitable(told)

    def _renew(self) -> Deferred[None]:
        return self._enter(self._place)

    def _go(self) -> Deferred[None]:
        def not_told(failure: Failure) -> None:
            _log.warn(
                "{what} was not told that a server leaves, whose entry ends with its lease: {why}",
                what=self._what,
                why=failure.getErrorMessage(),
            )

        return self._take_out(self._place).addErrback(not_told)
