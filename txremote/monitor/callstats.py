"""
Figures of calls: how many, how many failed, and how long they took.

`CallStats.answered` finds the method, and counts in one bucket of its histogram. All else is
summed up when somebody asks. A bucket is a quarter of an octave wide, so a percentile is right to
within 10 %.

Up to `BUSY` calls a second each call is counted. Of more, one in `SAMPLE` is, for `SAMPLE` calls:
the figures of methods are estimates then. Failures are always counted, and so are calls that wait
for something; of those that hold the event loop the watchdog knows.

The table of methods is bounded, for peers make up names: a name enters it with a call that went
well, or that failed where its object's class has that name; past `MOST_METHODS` calls count as
those of "other". A peer's question to the connection
itself, a PING say, is no call. Nor is the reading of a stream or of a topic's events, which takes
as long as its reader wants: it would be the slowest of all calls.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from heapq import heappush, heapreplace
from inspect import getattr_static
from itertools import count
from math import log2
from operator import itemgetter
from typing import Any, Final

from msgspec import structs
from twisted.internet.defer import CancelledError

from txremote.errors import RemoteProtocolError
from txremote.monitor.rows import Ended, MethodRow, SlowCall, plain
from txremote.peer.called import NAMED, called_by, called_text, name_in
from txremote.peer.handlers import HANDLERS
from txremote.peer.naming import address_text
from txremote.peer.observing import TimedRequest
from txremote.service import PREFIX
from txremote.wire.consts import HANDLE_STREAM, HANDLE_SUBSCRIBE

#: Most methods that have a row of their own.
MOST_METHODS: Final = 200

#: The row of all others.
OTHER: Final = "other"

#: How many of the slowest calls are kept, and for how many seconds.
MOST_SLOW: Final = 50
SLOW_FOR: Final = 300.0

#: Seconds below which no call is one of the slowest, however few there are.
NEVER_SLOW: Final = 0.001

#: Calls a second from which on a sample is counted, and one in how many that is: a prime number.
BUSY: Final = 1_000
SAMPLE: Final = 17

# Requests about the connection itself, and those that are answered when something has ended.
_NO_CALLS: Final = frozenset(
    [kind.function for kind in HANDLERS.values() if kind.in_order]
    + [HANDLERS[number].function for number in (HANDLE_STREAM, HANDLE_SUBSCRIBE)]
)

# Most names of methods that are found by a short cut.
_MOST_KNOWN: Final = 1_000

# A method was not found by what ended with one of these.
_NOT_FOUND: Final = (AttributeError, RemoteProtocolError)

# Four buckets an octave of nanoseconds: the last one begins at 500 years.
_BUCKETS: Final = 4 * 64


def bucket_of(nanoseconds: int) -> int:
    """Return the bucket of a duration."""
    return int(4 * log2(nanoseconds + 1))


def seconds_of(bucket: int) -> float:
    """Return the duration in the middle of a bucket."""
    return float(2 ** ((bucket + 0.5) / 4)) / 1e9


def percentile(buckets: Sequence[int], part: float) -> float | None:
    """Return the seconds that a part of the calls took at most, 0.99 say; None of no call."""
    wanted = part * sum(buckets)
    if not wanted:
        return None
    passed = 0
    for bucket, number in enumerate(buckets):
        passed += number
        if passed >= wanted:
            return seconds_of(bucket)
    return None


class MethodStats:
    """The calls of one method; ``buckets`` counts all that have ended, failed ones included."""

    __slots__ = ("buckets", "failed", "name", "slowest")

    def __init__(self, name: str) -> None:
        self.name = name
        self.buckets = [0] * _BUCKETS
        self.failed = 0
        self.slowest = 0  # nanoseconds; 0 where none was slow: its bucket tells it then

    def row(self) -> MethodRow:
        """Return it as a row."""
        last = percentile(self.buckets, 1.0)
        if last is not None and self.slowest and bucket_of(self.slowest) >= self._last_bucket():
            last = self.slowest / 1e9
        return MethodRow(
            method=self.name,
            calls=sum(self.buckets),
            failed=self.failed,
            p50=percentile(self.buckets, 0.5),
            p99=percentile(self.buckets, 0.99),
            slowest=last,
        )

    def _last_bucket(self) -> int:
        return max(bucket for bucket, number in enumerate(self.buckets) if number)


class CallStats:
    """
    The calls of all connections. For the reactor's thread.

    Attributes:
        slow_from: Nanoseconds from which on a call is one of the slowest.
        every: One call in so many is counted: 1 or `SAMPLE`.
        held_loop: How many calls have held the event loop for longer than ``--slow``.
    """

    def __init__(self) -> None:
        self.every = 1
        self._counted = 0  # since the last `adapt`
        self.other = MethodStats(OTHER)
        self.by_name: dict[str, MethodStats] = {}
        self.slow_from = int(NEVER_SLOW * 1e9)
        self.held_loop = 0
        self._slow: list[tuple[float, int, SlowCall]] = []  # a heap, the fastest first
        self._numbers = count()  # so that equal ones are not compared further
        # by the id of the object's class and the name, with the class, so that no other gets
        # that id; its own hash would be code of the program's
        self._known: dict[tuple[int, str], tuple[MethodStats, type]] = {}

    # -- for each call (`txremote.peer.observing.CallObserver`)

    def answered(
        self, request: TimedRequest, nanoseconds: int, error: BaseException | None
    ) -> None:
        """Count a request of the sample, or one that was answered with an ``error``."""
        known = None
        if request.handler in NAMED:
            try:
                target, name = request.args[:2]
            except ValueError:  # it is answered with an error
                name = None
            if type(name) is tuple and len(name) == 1:
                name = name[0]
            if type(name) is str:
                known = self._known.get((id(type(target)), name))
        method = known[0] if known is not None else self._find(request, error)
        if method is None:
            return
        weight = 1 if error is not None else self.every
        method.buckets[int(4 * log2(nanoseconds + 1))] += weight
        self._counted += weight
        if error is not None or nanoseconds > self.slow_from:
            self._note(method, request.inbound.connection, nanoseconds, error)

    def adapt(self, seconds: float) -> None:
        """Count each call, or a sample: by how many there were in the last ``seconds``."""
        a_second = self._counted / seconds
        self._counted = 0
        if a_second > BUSY:
            self.every = SAMPLE
        elif a_second < BUSY / 2:
            self.every = 1

    def method_of(self, request: TimedRequest) -> MethodStats | None:
        """Return the figures of a request's method, None of what is no call."""
        return self._find(request, None)

    def waited(
        self,
        method: MethodStats | None,
        connection: Any,
        nanoseconds: int,
        error: BaseException | None,
    ) -> None:
        """Count a request that was answered when its Deferred had fired."""
        if method is not None:
            method.buckets[bucket_of(nanoseconds)] += 1
            if error is not None or nanoseconds > self.slow_from:
                self._note(method, connection, nanoseconds, error)

    def _find(self, request: TimedRequest, error: BaseException | None) -> MethodStats | None:
        """Find the figures of a request's method the long way; None: it is no call."""
        handler: Any = request.handler
        while type(handler) is partial and handler.args:  # its arguments are values, say
            handler = handler.args[0]
        if handler in _NO_CALLS:
            return None
        # the names of what is passed on to its owner are the peer's, who may make them up
        called = called_by(request) if handler in NAMED else request.args[:1]
        text = called_text(called)
        found = not issubclass(type(error), _NOT_FOUND)
        if error is not None and len(called) > 1 and text not in self.by_name:
            # it may have failed before anything was looked for; of a path that is its first name
            names: Any = called[1]
            first = names[0] if type(names) is tuple and names else names
            found = found and _has(called[0], first)
            text = called_text((called[0], first))
        method = self.method(text, found)
        name = name_in(called)
        if name is not None and method is not self.other:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            kind = type(called[0])
            self._known[id(kind), name] = method, kind
        return method

    def _note(
        self, method: MethodStats, connection: Any, nanoseconds: int, error: BaseException | None
    ) -> None:
        """Note a call that has failed, or that is one of the slowest."""
        ended: Ended = "value"
        if error is not None:
            method.failed += 1
            ended = "cancelled" if issubclass(type(error), CancelledError) else "error"
        if nanoseconds > self.slow_from:
            method.slowest = max(method.slowest, nanoseconds)
            peer = address_text(connection.peer)
            trace = connection.inbound.answers.last_trace
            self.note_slow(method.name, connection.user, peer, nanoseconds / 1e9, ended, "", trace)

    # -- summed up

    def method(self, name: str, found: bool = True) -> MethodStats:
        """Return the figures of a method; those of "other" where it was not ``found``."""
        known = self.by_name.get(name)
        if known is None:
            if not found or len(self.by_name) >= MOST_METHODS:
                return self.other
            known = self.by_name[name] = MethodStats(plain(name))
        return known

    def buckets(self) -> list[int]:
        """Return the histogram of all calls since the beginning."""
        return [sum(each) for each in zip(*(m.buckets for m in self.all_methods()), strict=True)]

    def failed(self) -> int:
        """Return how many have failed since the beginning."""
        return sum(method.failed for method in self.all_methods())

    def all_methods(self) -> Iterable[MethodStats]:
        """Return the figures of all methods, and of "other"."""
        return (self.other, *self.by_name.values())

    def totals(self) -> Iterator[tuple[str, int, int]]:
        """Give each method that was called, with how many calls have ended and have failed."""
        for method in self.all_methods():
            ended = sum(method.buckets)
            if ended:
                yield method.name, ended, method.failed

    def rows(self) -> list[MethodRow]:
        """Return a row for each method that was called, the most called first."""
        rows = [method.row() for method in self.all_methods()]
        return sorted((row for row in rows if row.calls), key=lambda row: -row.calls)

    # -- the slowest

    def note_slow(
        self,
        method: str,
        user: str | None,
        peer: str,
        seconds: float,
        ended: Ended,
        line: str = "",
        trace: str = "",
    ) -> None:
        """Keep a call as one of the slowest; a faster one gives way."""
        row = SlowCall(
            method=plain(method),
            user=None if user is None else plain(user),
            peer=plain(peer),
            at=time.time() - seconds,
            seconds=seconds,
            ended=ended,
            line=plain(line),
            trace=trace,
        )
        entry = (seconds, next(self._numbers), row)
        if len(self._slow) < MOST_SLOW:
            heappush(self._slow, entry)
        elif seconds > self._slow[0][0]:
            heapreplace(self._slow, entry)
        self._set_floor()

    def name_line(self, method: str, line: str, held: float) -> bool:
        """
        Name the line of the last slow call of a method.

        Args:
            held: For how many seconds the event loop was held, most of which was that call.

        Returns:
            Whether there is such a call.
        """
        found = [
            (number, position)
            for position, (seconds, number, row) in enumerate(self._slow)
            if seconds >= held / 2 and row.method == plain(method) and not row.line
        ]
        if not found:
            return False
        position = max(found)[1]
        seconds, number, row = self._slow[position]
        self._slow[position] = seconds, number, structs.replace(row, line=plain(line))
        return True

    def forget_old(self) -> None:
        """Forget the slow calls of long ago; called every few seconds."""
        if not self._slow:
            return
        oldest = time.time() - SLOW_FOR
        # sorted, a list is a heap
        self._slow = sorted(e for e in self._slow if e[2].at + e[2].seconds >= oldest)
        self._set_floor()

    def _set_floor(self) -> None:
        floor = self._slow[0][0] if len(self._slow) >= MOST_SLOW else 0.0
        self.slow_from = int(max(floor, NEVER_SLOW) * 1e9)

    def slowest(self) -> list[SlowCall]:
        """Return the slowest calls of the last minutes, the slowest first."""
        return [row for _s, _n, row in sorted(self._slow, key=itemgetter(0), reverse=True)]


def _has(target: object, name: object) -> bool:
    """Tell whether an object's class has a name, or an exposed one; runs none of its code."""
    if type(name) is not str:
        return False
    spelled = (name, f"{PREFIX}{name}")
    return any(getattr_static(type(target), each, None) is not None for each in spelled)


class CallCounts:
    """The calls since the point before, for the plots. For the reactor's thread."""

    def __init__(self) -> None:
        self._buckets: list[int] = []
        self._failed = self._calls = 0

    def begin(self, stats: CallStats, calls: int) -> None:
        """Count from now on; ``calls`` are all that there were."""
        self._buckets, self._failed, self._calls = stats.buckets(), stats.failed(), calls

    def take(self, stats: CallStats, calls: int) -> dict[str, float | None]:
        """Return the figures of a point that tell of calls, and count from now on."""
        called, failed = calls - self._calls, stats.failed() - self._failed
        # none is below 0, though workers end that had not told all they counted
        new = [max(0, b - a) for a, b in zip(self._buckets, stats.buckets(), strict=True)]
        self.begin(stats, calls)
        return {
            "calls": max(0, called),
            "failed": max(0, failed),
            "p50": percentile(new, 0.5),
            "p99": percentile(new, 0.99),
        }
