"""
How fast an address may guess passwords: `LoginThrottle`, one for a listener.

The logins of an address stand in a queue. After a failed login the next is checked
`FAILURE_DELAY` seconds later at the earliest; each further failure takes twice as long, up to
a bound. So guesses take the sum of their delays, over any number of connections, and whether
or not anybody waits for the answers. Different addresses never wait for each other.

Behind a NAT, a proxy or a UNIX socket there are honest users too. A user who has logged in
from an address before has a queue of their own there, which their next login empties; so a
neighbour who guesses keeps them waiting only by guessing their name. Others wait as long as
the guessing goes on. All of it is for the loop's thread.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.eventloop.connection_limits import host_of
from txremote.levels import Logger
from txremote.peer.logging import RateLimitedCount
from txremote.peer.naming import address_text

_log = Logger("txremote")

#: Seconds that the first failure of an address takes, and how often that may double.
FAILURE_DELAY = 1.0
MOST_DOUBLINGS = 5

#: Seconds after which failures are forgotten, and how many queues and users are remembered.
FORGOTTEN_AFTER = 300.0
MOST_REMEMBERED = 10_000

#: How many logins of an address may wait for their turn.
MOST_WAITING = 100

#: How many are checked at once while none has failed: a checker may take its time, and many
#: clients come at once where a server was started anew.
AT_ONCE = 10

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LoginQueue:
    """Logins that take turns: those of an address, or (``own``) of one user there."""

    __slots__ = (
        "_checking",
        "_clock",
        "_failures",
        "_last_failure",
        "_not_before",
        "_own",
        "_starting",
        "_timer",
        "_waiting",
    )

    def __init__(self, clock: IReactorTime, own: bool) -> None:
        self._clock = clock
        self._own = own
        self._failures = 0
        self._last_failure = self._not_before = clock.seconds()
        self._waiting: deque[Deferred[Turn]] = deque()
        self._checking = 0
        self._starting = False
        self._timer: IDelayedCall | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is unused, and its failures are to be forgotten."""
        unused = not self._waiting and not self._checking
        return unused and self._clock.seconds() - self._last_failure > FORGOTTEN_AFTER

    def turn(self) -> Deferred[Turn]:
        """Do as `LoginThrottle.turn`."""
        if len(self._waiting) >= MOST_WAITING:
            # no UnauthorizedLogin, for the password may be right: a RemoteClient tries again
            raise ConnectionRefusedError("too many logins at once from this address")
        turn: Deferred[Turn] = Deferred(self._leave)
        self._waiting.append(turn)
        self._start_waiting()
        return turn

    def _leave(self, turn: Deferred[Turn]) -> None:
        self._waiting.remove(turn)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_waiting(self) -> None:
        if self._starting:  # a turn has ended before its callback has
            return
        self._starting = True
        while self._waiting and self._checking < (1 if self._failures else AT_ONCE):
            now = self._clock.seconds()
            if now < self._not_before:
                if self._timer is None:
                    self._timer = self._clock.callLater(self._not_before - now, self._timer_due)
                break
            self._checking += 1
            self._waiting.popleft().callback(Turn(self, now))
        self._starting = False

    def _timer_due(self) -> None:
        self._timer = None
        self._start_waiting()

    def succeeded(self) -> None:
        """End a turn well."""
        if self._own:
            self._failures = 0
        self._checking -= 1
        self._start_waiting()

    def failed(self, begun: float) -> float:
        """End the turn that began at some time badly; return the seconds until its answer."""
        delay = FAILURE_DELAY * float(2 ** min(self._failures, MOST_DOUBLINGS))
        self._failures += 1
        self._last_failure = now = self._clock.seconds()
        # from when it began: how long a checker takes may tell something
        self._not_before = max(self._not_before, begun) + delay
        left = max(0.0, self._not_before - now)  # before another one fails
        self._checking -= 1
        self._start_waiting()
        return left


class Turn:
    """The turn of a login, which is being checked. It is ended once."""

    __slots__ = ("_begun", "_queue")

    def __init__(self, queue: LoginQueue, begun: float) -> None:
        self._queue = queue
        self._begun = begun

    def succeeded(self) -> None:
        """End it well."""
        self._queue.succeeded()

    def failed(self) -> float:
        """End it badly; return the seconds until it is to be answered."""
        return self._queue.failed(self._begun)


class LoginThrottle:
    """The login queues of all addresses."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._queues: OrderedDict[Hashable, LoginQueue] = OrderedDict()
        self._known_users: OrderedDict[tuple[str | None, str], None] = OrderedDict()
        self._refused = RateLimitedCount()

    def turn(self, address: object, user: str) -> Deferred[Turn]:
        """
        Return a Deferred of the turn of a user's login. Cancelling it leaves the queue.

        Raises:
            ConnectionRefusedError: `MOST_WAITING` wait in it already.
        """
        host = host_of(address)
        own = (host, user) in self._known_users
        key = (host, user) if own else host
        queue = self._queues.get(key)
        if queue is None or queue.is_over:
            queue = self._queues[key] = LoginQueue(self._clock, own)
        _remember(self._queues, key)  # logins in a dropped queue have their turn all the same
        try:
            return queue.turn()
        except ConnectionRefusedError:
            if count := self._refused.one_more(self._clock.seconds()):
                _log.warn(
                    "refused {count} logins, the last of {peer}, where {most} wait already",
                    count=count,
                    peer=address_text(address),
                    most=MOST_WAITING,
                )
            raise

    def logged_in(self, address: object, user: str) -> None:
        """Note that a user has logged in from an address."""
        key = (host_of(address), user)
        self._known_users[key] = None
        _remember(self._known_users, key)


def _remember(those: OrderedDict[K, V], key: K) -> None:
    those.move_to_end(key)
    if len(those) > MOST_REMEMBERED:
        those.popitem(last=False)
