"""
The connections of a client to choose from: a `Member` is a `Line` with its place, and a `Picker`
says to which places there are lines, and which line has the next call.

* `LeastBusy`: the fewest calls of this client's that are unanswered; where these are equal, of two
  in turn the one whose server says that it is less busy. So not all clients run to the same one.
* `RoundRobin`: one after the other.
* `Sticky`: one server for all calls. There is a line to no other place until a try to reach that
  one has failed, or it was gone for `GRACE` seconds; then to the next one, too, in an order
  that is the same for all clients of the same key, and the first that is reached is kept.

A server that is stopped, or whose machine is gone, still has an open connection. So before a call a
line that has had calls is sent a ping, now and then, and while that is unanswered for `STUCK_AFTER`
seconds, calls go to others, if there are any. Nothing is sent again. It does not matter whether the
calls are unanswered still: their callers may have given them up, and a server that answers nothing
must not be the least busy one by that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from txremote.errors import AsyncResultTimeout
from txremote.net.line import Line
from txremote.peer.connection import Connection
from txremote.registry.dialled import MAX_PLACES, in_order

#: Seconds that a server may leave a ping unanswered, while there are others.
STUCK_AFTER: Final = 2.0

#: Seconds in which the server of a sticky client may come back.
GRACE: Final = 5.0

# Seconds after which a ping is given up, and another one sent.
_PING_TIMEOUT: Final = 30.0


@dataclass(frozen=True)
class Target:
    """
    A place that a client may connect to.

    Attributes:
        key: The key that the server goes by; see `txremote.registry.ports.Place`.
        name: Its name, for people, and to tell it from others.
        where: The address, as `connect` takes it.
        load: How busy it says it is, or None.
    """

    key: str
    name: str
    where: str | IStreamClientEndpoint
    load: float | None = None


class Member:
    """
    A line with its place.

    Attributes:
        listed: Whether the place is still one of those to choose from.
        asked: Whether it was chosen since it has last answered a ping.
    """

    def __init__(self, line: Line, target: Target) -> None:
        self.line = line
        self.target = target
        self.listed = True
        self.asked = False
        self._pinged: float | None = None  # when the ping was sent that is unanswered
        self._heard = 0.0  # when the last one was answered

    @property
    def connection(self) -> Connection:
        """The connection of a line that is usable."""
        assert self.line.live is not None
        return self.line.live

    @property
    def unanswered(self) -> int:
        """How many of this client's calls it has not answered."""
        return len(self.connection.outbound.pending) - (self._pinged is not None)

    def begin(self) -> None:
        """Begin with a new connection, on which nothing was asked."""
        self.asked, self._pinged = False, None

    def seems_stuck(self, now: float) -> bool:
        """Tell whether it leaves even a ping unanswered. Sends one, if there is a reason."""
        if self._pinged is not None:
            return now - self._pinged >= STUCK_AFTER
        if (self.asked or self.unanswered) and now - self._heard >= STUCK_AFTER:
            self._ping(now)
        return False

    def _ping(self, now: float) -> None:
        connection = self.connection
        self._pinged = now
        clock = self.line.clock

        def answered(result: object) -> None:
            if connection is not self.line.usable:
                return
            if isinstance(result, Failure) and result.check(AsyncResultTimeout):
                self._ping(now)  # it stays a suspect, until one is answered
            else:  # an error is an answer, too
                self.asked, self._pinged, self._heard = False, None, clock.seconds()

        connection.ping(timeout=_PING_TIMEOUT).addBoth(answered)


class Picker(Protocol):
    """
    Says to which places there are lines, and which line has the next call.

    Attributes:
        grace: Seconds without a connection after which another place is tried; None: there is a
            line to each from the beginning.
    """

    grace: float | None

    def wanted(self, targets: Sequence[Target], live: Collection[str]) -> Sequence[Target]:
        """Return the places that there are to be lines to; ``live`` are the keys of live ones."""

    def chosen(self, members: Sequence[Member]) -> Member:
        """Return the one of some usable ones that has the next call."""

    def went_live(self, target: Target) -> None:
        """Take in that a place was reached."""

    def failed(self, target: Target) -> None:
        """Take in that a place was not reached, or not for too long."""


def _key_of(target: Target) -> str:
    return target.key


class RoundRobin:
    """One after the other."""

    grace: float | None = None

    def __init__(self, key: str) -> None:
        self._key = key
        self._turn = 0

    def wanted(self, targets: Sequence[Target], live: Collection[str]) -> Sequence[Target]:
        """Return all, or of very many some that are others at each client."""
        if len(targets) <= MAX_PLACES:
            return targets
        return in_order(self._key, targets, _key_of)[:MAX_PLACES]

    def chosen(self, members: Sequence[Member]) -> Member:
        """Return the next one."""
        self._turn += 1
        return members[self._turn % len(members)]

    def went_live(self, target: Target) -> None:
        """Do nothing: there is a line to each."""

    def failed(self, target: Target) -> None:
        """Do nothing: there is a line to each."""


class LeastBusy(RoundRobin):
    """The one with the fewest calls that are unanswered."""

    def chosen(self, members: Sequence[Member]) -> Member:
        """Return the least busy one."""
        counts = [member.unanswered for member in members]
        least = min(counts)
        free = [member for member, count in zip(members, counts, strict=True) if count == least]
        one = super().chosen(free)
        other = free[(self._turn + 1) % len(free)]
        return other if (other.target.load or 0.0) < (one.target.load or 0.0) else one


class Sticky:
    """The same server for all calls."""

    grace: float | None = GRACE

    def __init__(self, key: str) -> None:
        self._key = key
        self._tried: list[str] = []  # keys of places; one alone from when it is reached
        self._order: list[str] = []

    def wanted(self, targets: Sequence[Target], live: Collection[str]) -> Sequence[Target]:
        """Return the server's place, and the next ones where it was not reached."""
        self._order = [target.key for target in in_order(self._key, targets, _key_of)[:MAX_PLACES]]
        # the one in use is kept, whatever the registry says: it may have been started just now
        self._tried = [key for key in self._tried if key in self._order or key in live]
        if not self._tried:
            self._tried = self._order[:1]
        return [target for target in targets if target.key in self._tried]

    def chosen(self, members: Sequence[Member]) -> Member:
        """Return the server's line; the least busy one, if it has some."""
        of_server = [member for member in members if member.target.key in self._tried[:1]]
        return min(of_server or members, key=lambda member: member.unanswered)

    def went_live(self, target: Target) -> None:
        """Keep to this one."""
        self._tried = [target.key]

    def failed(self, target: Target) -> None:
        """Have the next one tried, too."""
        if target.key in self._tried:
            self._tried += [key for key in self._order if key not in self._tried][:1]


#: The ways to pick, by their names.
PICKERS: Final[Mapping[str, Callable[[str], Picker]]] = {
    "least-busy": LeastBusy,
    "round-robin": RoundRobin,
    "sticky": Sticky,
}
