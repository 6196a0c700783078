"""
How fast an address may guess passwords: `LoginThrottle`, of which a listener has one.

The logins of an address stand in a line. After a failure the next one is looked at no
sooner than `FAILURE_DELAY` seconds after that one was; each further failure takes twice
as long, up to a bound. So many guesses take the sum of their delays, over however many
connections they come, and whether or not anybody waits for the answers. Only so many
may wait; more are refused at once. Different addresses never wait for each other.

An address of IPv6 is its first 64 bits, all of which one machine can have; an IPv4
address is itself, also where it is written as one of IPv6. Peers on UNIX sockets are
one address: nothing tells them apart.

Behind a NAT, a proxy or a UNIX socket there are honest users too. Who has logged in
from an address before has a line of his own there, which his next login empties; so a
neighbour who guesses keeps him waiting only by guessing his name. Others wait as long
as the guessing goes on. Lines and users are forgotten, the oldest first, when there
are too many of them.

All of it is for the reactor's thread.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txremote.peer.logging import RateLimitedCount

_log = Logger("txremote")

#: Seconds that the first failure of an address takes, and how many doublings
#: that may come to.
FAILURE_DELAY = 1.0
MOST_DOUBLINGS = 5

#: Seconds after which an address's failures are forgotten, and how many lines and
#: users are remembered.
FORGOTTEN_AFTER = 300.0
MOST_REMEMBERED = 10_000

#: How many logins of an address may wait for their turn.
MOST_WAITING = 100

#: How many are looked at at once while none has failed: a checker may take its time,
#: and many clients come at once where a server was started anew.
AT_ONCE = 10


class Line:
    """
    Logins that take turns.

    Args:
        clock: Where time comes from.
        own: Whether it is one user's, who has logged in before.
    """

    __slots__ = (
        "_clock",
        "_failures",
        "_last",
        "_looked_at",
        "_looking",
        "_not_before",
        "_own",
        "_timer",
        "_waiting",
    )

    def __init__(self, clock: IReactorTime, own: bool) -> None:
        self._clock = clock
        self._own = own
        self._failures = 0
        self._last = self._not_before = clock.seconds()
        self._waiting: deque[Deferred[Turn]] = deque()
        self._looked_at = 0
        self._looking = False
        self._timer: IDelayedCall | None = None

    @property
    def is_over(self) -> bool:
        """Whether what is known of it is to be forgotten."""
        unused = not self._waiting and not self._looked_at
        return unused and self._clock.seconds() - self._last > FORGOTTEN_AFTER

    def turn(self) -> Deferred[Turn]:
        """
        Return a Deferred of a login's turn. To cancel it is to leave the line.

        Raises:
            ConnectionRefusedError: the line is full.
        """
        if len(self._waiting) >= MOST_WAITING:
            # no UnauthorizedLogin, for the password may be right: a RemoteClient tries again
            raise ConnectionRefusedError("too many logins at once from this address")
        turn: Deferred[Turn] = Deferred(self._left)
        self._waiting.append(turn)
        self._look()
        return turn

    def _left(self, turn: Deferred[Turn]) -> None:
        self._waiting.remove(turn)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._looking:  # a turn has ended before its callback has
            return
        self._looking = True
        while self._waiting and self._looked_at < (1 if self._failures else AT_ONCE):
            now = self._clock.seconds()
            if now < self._not_before:
                if self._timer is None:
                    self._timer = self._clock.callLater(self._not_before - now, self._rung)
                break
            self._looked_at += 1
            self._waiting.popleft().callback(Turn(self, now))
        self._looking = False

    def _rung(self) -> None:
        self._timer = None
        self._look()

    def succeeded(self) -> None:
        """End a turn well."""
        if self._own:
            self._failures = 0
        self._looked_at -= 1
        self._look()

    def failed(self, begun: float) -> float:
        """
        End a turn badly.

        Args:
            begun: When it began.

        Returns:
            How many seconds there are to wait until it is answered.
        """
        delay = FAILURE_DELAY * float(2 ** min(self._failures, MOST_DOUBLINGS))
        self._failures += 1
        self._last = now = self._clock.seconds()
        # from when it began: how long a checker takes may tell something
        self._not_before = max(self._not_before, begun) + delay
        left = max(0.0, self._not_before - now)
        self._looked_at -= 1
        self._look()
        return left


class Turn:
    """
    The turn of a login. It is ended once.

    Args:
        line: Whose.
        begun: When it began.
    """

    __slots__ = ("_begun", "_line")

    def __init__(self, line: Line, begun: float) -> None:
        self._line = line
        self._begun = begun

    def succeeded(self) -> None:
        """End it well."""
        self._line.succeeded()

    def failed(self) -> float:
        """End it badly; return how many seconds there are to wait until it is answered."""
        return self._line.failed(self._begun)


class LoginThrottle:
    """
    The lines of all addresses.

    Args:
        clock: Where time comes from.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._lines: OrderedDict[Any, Line] = OrderedDict()
        self._known: OrderedDict[tuple[Any, str], None] = OrderedDict()
        self._refused = RateLimitedCount()

    def turn(self, address: Any, user: str) -> Deferred[Turn]:
        """
        Return a Deferred of a login's turn. To cancel it is to leave the line.

        Args:
            address: Where it comes from, as a transport tells it.
            user: Who it says it is.

        Raises:
            ConnectionRefusedError: too many of that address wait.
        """
        host = host_of(address)
        own = (host, user) in self._known
        key = (host, user) if own else host
        line = self._lines.get(key)
        if line is None or line.is_over:
            line = self._lines[key] = Line(self._clock, own)
        _remember(self._lines, key)  # who waits in one that is dropped has his turn all the same
        try:
            return line.turn()
        except ConnectionRefusedError:
            self._tell(address)
            raise

    def _tell(self, address: Any) -> None:
        count = self._refused.one_more(self._clock.seconds())
        if count:
            _log.warn(
                "refused {count} logins, the last of {peer}, where {most} wait already",
                count=count,
                peer=address,
                most=MOST_WAITING,
            )

    def logged_in(self, address: Any, user: str) -> None:
        """Note that a user has logged in from an address."""
        key = (host_of(address), user)
        self._known[key] = None
        _remember(self._known, key)


def _remember(those: OrderedDict[Any, Any], key: Any) -> None:
    those.move_to_end(key)
    if len(those) > MOST_REMEMBERED:
        those.popitem(last=False)


def host_of(address: Any) -> Any:
    """
    Return what the addresses of one peer have in common.

    Args:
        address: An `IAddress`, such as `IPv4Address`.

    Returns:
        The host; of IPv6 the network of 64 bits; None where there is neither.
    """
    host = getattr(address, "host", None)
    try:
        found = ipaddress.ip_address(str(host))
    except ValueError:  # no address of IP
        return host
    if found.version == 4:
        return host
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), 64), strict=False))
