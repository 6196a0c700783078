"""
``/events``: what has changed, once a second, for each page that is open (server-sent events).

A page looks at one view, and gets the tables of that view alone: all rows first, then those that
are new or have changed, and the keys of those that are gone. The plots' points come the same way.
The pages that are open share what is read of the monitor.

The loop belongs to the calls. So a second's news is put off where the one before has taken long:
all pages together take `SHARE` of the loop's time at most. A page that does not read is sent
nothing more, and dropped by `txremote.monitor.web.channel`; what it missed is in the news that
it gets when it reads again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from twisted.internet.interfaces import IPushProducer
from twisted.web.http import Request
from zope.interface import implementer

from txremote.levels import Logger
from txremote.monitor.monitor import Monitor
from txremote.monitor.rows import Series
from txremote.monitor.web.tables import Choice, choose, keyed, read_table

_log = Logger("txremote")

#: Streams at once.
MOST_STREAMS: Final = 16

#: The part of the loop's time that all streams together may take.
SHARE: Final = 0.02

#: Seconds after which a page has to come again, and show that it may.
STREAM_SECONDS: Final = 900.0

#: The tables of each view.
VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "overview": ("listeners", "slowest", "pools"),
    "connections": ("connections",),
    "calls": ("calls", "slowest", "methods"),
    "objects": ("objects",),
    "pools": ("pools",),
    "tasks": ("tasks",),
    "log": ("log",),
    "certificates": ("certificates", "listeners"),
    "topics": ("topics",),
}

_WITH_SERIES: Final = "overview"


class Snapshot:
    """The monitor's rows at one time, each table read once, when it is first asked for."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._rows: dict[str, Any] = {}
        self._cuts: dict[tuple[str, Choice], tuple[dict[str, bytes], int]] = {}
        self._overview: msgspec.Raw | None = None
        self._series: Series | None = None

    def overview(self) -> msgspec.Raw:
        """Return the overview, in JSON."""
        if self._overview is None:
            self._overview = msgspec.Raw(msgspec.json.encode(self._monitor.overview()))
        return self._overview

    def series(self) -> Series:
        """Return the points of the plots."""
        if self._series is None:
            self._series = self._monitor.series()
        return self._series

    def table(self, name: str, choice: Choice) -> tuple[dict[str, bytes], int]:
        """Return the rows of a client's choice in JSON, by key, and how many there are in all."""
        found = self._cuts.get((name, choice))
        if found is None:
            if name not in self._rows:
                self._rows[name] = read_table(self._monitor, name)
            cut = choose(self._rows[name], choice)
            found = self._cuts[name, choice] = keyed(name, cut.rows), cut.total
        return found


@implementer(IPushProducer)
class Stream:
    """The news for one page. Its request is open for as long as the page is."""

    def __init__(self, request: Request, view: str, choice: Choice, until: float) -> None:
        self.until = until
        self._request = request
        self._view = view
        self._choice = choice
        self._sent: dict[str, dict[str, bytes]] = {}
        self._totals: dict[str, int] = {}
        self._last_point: float | None = None
        self._paused = False

    def send(self, snapshot: Snapshot) -> None:
        """Send what has changed since the last time; nothing while the page does not read."""
        if self._paused:
            return
        news: dict[str, object] = {"overview": snapshot.overview(), "tables": {}}
        tables = {name: self._changes(snapshot, name) for name in VIEWS[self._view]}
        news["tables"] = {name: changes for name, changes in tables.items() if changes}
        if self._view == _WITH_SERIES and (points := self._points(snapshot.series())):
            news["series"] = points
        self._request.write(b"data: " + msgspec.json.encode(news) + b"\n\n")

    def _changes(self, snapshot: Snapshot, name: str) -> dict[str, object] | None:
        # a choice is of the first table of a view: that which may be long
        choice = self._choice if name == VIEWS[self._view][0] else Choice()
        now, total = snapshot.table(name, choice)
        before = self._sent.get(name)
        if before is now or (before == now and self._totals[name] == total):
            return None
        self._sent[name] = now
        self._totals[name] = total
        old = before or {}
        changed = [(key, msgspec.Raw(row)) for key, row in now.items() if old.get(key) != row]
        gone = [key for key in old if key not in now]
        return {"total": total, "whole": before is None, "set": changed, "gone": gone}

    def _points(self, series: Series) -> Series | None:
        last = self._last_point
        new = len(series.at) if last is None else sum(1 for at in series.at if at > last)
        if not new:
            return None
        self._last_point = series.at[-1]
        first = len(series.at) - new
        columns = {name: values[first:] for name, values in series.columns.items()}
        return Series(series.step, series.at[first:], columns)

    def end(self) -> None:
        """End it; the page comes again by itself."""
        self._request.unregisterProducer()
        self._request.finish()

    def pauseProducing(self) -> None:
        """Called by the channel: the page does not read."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Called by the channel: it reads again."""
        self._paused = False

    def stopProducing(self) -> None:
        """Called by the channel: the page is gone."""


class Streams:
    """
    All streams of a site. For the reactor's thread.

    Args:
        timer: Gives seconds that only go forward.
    """

    def __init__(self, monitor: Monitor, timer: Callable[[], float] = time.perf_counter) -> None:
        self._monitor = monitor
        self._timer = timer
        self._streams: set[Stream] = set()
        self._not_before = 0.0
        self._stop_listening: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, request: Request, view: str, choice: Choice) -> None:
        """Begin a stream, in answer to a request."""
        stream = Stream(request, view, choice, self._timer() + STREAM_SECONDS)
        request.registerProducer(stream, True)
        request.write(b"retry: 1000\n\n")
        stream.send(Snapshot(self._monitor))
        self._streams.add(stream)
        request.notifyFinish().addBoth(lambda _end: self._forget(stream))
        if self._stop_listening is None:
            self._stop_listening = self._monitor.on_news(self._tell)

    def _forget(self, stream: Stream) -> None:
        self._streams.discard(stream)
        if not self._streams and self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None

    def _tell(self) -> None:
        began = self._timer()
        if began < self._not_before:
            return
        snapshot = Snapshot(self._monitor)
        for stream in list(self._streams):
            try:
                stream.send(snapshot)
                if began > stream.until:
                    stream.end()
            except Exception:
                _log.failure("the page's news could not be sent")
                stream.end()
        ended = self._timer()
        self._not_before = ended + (ended - began) * (1 / SHARE - 1)

    def end_all(self) -> None:
        """End every stream."""
        for stream in list(self._streams):
            stream.end()
