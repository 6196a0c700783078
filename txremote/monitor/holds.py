"""The log of what held the event loop, kept short: a method is told of once in ten seconds."""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime

from txremote.levels import Logger
from txremote.monitor.callstats import CallStats
from txremote.monitor.loopwatch import Held
from txremote.monitor.rows import plain
from txremote.peer.logging import RateLimitedCount

_log = Logger("txremote.slow")

#: Seconds between two events about one method.
EVERY: Final = 10.0

# Most methods that are told apart.
_MOST: Final = 200

_WAY_OUT: Final = (
    "nobody else is served meanwhile: have it run in a thread (@threaded) or in a pool "
    "(@offloaded), or await what it waits for"
)


class HoldLog:
    """Logs what held the event loop, and names its line among the slowest calls."""

    def __init__(self, stats: CallStats, clock: IReactorTime) -> None:
        self._stats = stats
        self._clock = clock
        self._limits: dict[str, RateLimitedCount] = {}

    def report(self, held: Held) -> None:
        """Report a hold: in the loop's thread, or in the watchdog's where it has not ended."""
        seen = held.seen
        about = {
            "method": plain(seen.method),
            "line": plain(seen.line),
            "seconds": held.seconds,
            "caller": f", called by {plain(seen.who)}" if seen.who else "",
            "way_out": _WAY_OUT,
        }
        if not held.ended:
            _log.warn(
                "{method}{caller} has held the event loop for {seconds:.1f} s, and still does, at "
                "{line}; {way_out}",
                **about,
            )
            return
        self._stats.held_loop += 1
        if not self._stats.name_line(seen.method, seen.line, held.seconds):
            self._stats.note_slow(seen.method, None, seen.who, held.seconds, "value", seen.line)
        if len(self._limits) >= _MOST:
            self._limits.clear()
        limit = self._limits.setdefault(seen.method, RateLimitedCount(EVERY))
        count = limit.one_more(self._clock.seconds())
        if count:
            _log.warn(
                "{method}{caller} held the event loop for {seconds:.2f} s, at {line}{others}"
                "{times}; {way_out}",
                others=", and others in turn" if held.others else "",
                times="" if count == 1 else f" ({count} times since the last such line)",
                count=count,
                **about,
            )
