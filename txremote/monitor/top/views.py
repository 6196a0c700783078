"""
The tables of ``txremote top``: their columns, how each value is shown, sorting and filtering.

Plain text only, for the screen and for ``--once`` alike. The columns that matter most come first,
as a narrow terminal shows those.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from msgspec import Struct

from txremote.monitor.rows import Overview, plain

#: Rows of a table that are shown; a filter finds the others.
MOST_SHOWN: Final = 300


def span(seconds: float | None) -> str:
    """Return a time span: ``1.2 ms``, ``45 s``, ``3 h 05``; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 59.5:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02}" if hours < 48 else f"{hours // 24} d"


def size(number: float | None) -> str:
    """Return a number of bytes: ``12 kB``; nothing for None."""
    if number is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def count(number: float | None) -> str:
    """Return a number as it is; nothing for None."""
    return "" if number is None else f"{number:.10g}"


def rate(number: float) -> str:
    """Return how fast something grows: ``+1.5``."""
    return "0" if abs(number) < 0.05 else f"{number:+.4g}"


def since(at: float | None) -> str:
    """Return how long ago a unix time was."""
    return "" if at is None else span(max(0.0, time.time() - at))


def clock(at: float | None) -> str:
    """Return the time of day of a unix time."""
    return "" if at is None else time.strftime("%H:%M:%S", time.localtime(at))


def text(value: object) -> str:
    """Return a text that may be hostile, as it may be shown."""
    return "" if value is None else plain(str(value))


def progress(row: Any) -> str:
    """Return how far a task is: ``30/100, 5.2/s, 14 s left``, or its own words."""
    if row.done_count is None:
        return text(row.progress_text)
    done = count(row.done_count) + ("" if row.total is None else f"/{count(row.total)}")
    rate = "" if row.rate is None else f"{row.rate:.3g}/s"
    left = "" if row.eta is None or row.ended is not None else f"{span(row.eta)} left"
    return ", ".join(filter(None, (done, rate, left)))


def lasted(row: Any) -> float | None:
    """Return how long a task has run."""
    if row.started is None:
        return None
    return float(max(0.0, (row.ended or time.time()) - row.started))


class Column(NamedTuple):
    """
    A column of a table.

    Attributes:
        title: Its head.
        value: A field's name, or what gives the value of a row, by which it is sorted.
        show: Makes text of a value.
        right: Whether it is a figure, whose end is aligned; those sort the largest first.
    """

    title: str
    value: str | Callable[[Any], Any]
    show: Callable[[Any], str] = text
    right: bool = False

    def of(self, row: Struct) -> Any:
        """Return the value of a row."""
        return getattr(row, self.value) if isinstance(self.value, str) else self.value(row)

    def shown(self, row: Struct) -> str:
        """Return the text of a row."""
        return self.show(self.of(row))


def _figure(title: str, value: str, show: Callable[[Any], str] = count) -> Column:
    return Column(title, value, show, True)


# Shown where there are workers.
_WORKER: Final = _figure("worker", "worker")


class View(NamedTuple):
    """A table: the kind of its rows, its columns, and the fields that name one row."""

    kind: str
    title: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    def key_of(self, row: Struct) -> tuple[object, ...]:
        """Return what tells a row from others."""
        return tuple(getattr(row, name) for name in self.key)


VIEWS: Final = (
    View(
        "connections",
        "connections",
        (
            _figure("no", "number"),
            Column("user", "user"),
            Column("peer", "peer"),
            _WORKER,
            _figure("for", "since", since),
            _figure("requests", "requests"),
            _figure("running", "running"),
            _figure("waiting", "waiting"),
            Column("waits for", "waits_for"),
            _figure("unsent", "unsent", size),
            _figure("in", "bytes_in", size),
            _figure("out", "bytes_out", size),
            _figure("exports", "exports"),
            _figure("imports", "imports"),
            Column("speaks", "dialect"),
            Column("state", "state"),
            Column("server", "server"),
        ),
        ("number",),
    ),
    View(
        "calls",
        "calls",
        (
            _figure("age", "age", span),
            Column("method", "method"),
            Column("user", "user"),
            Column("runs in", lambda row: "waits" if row.waiting else row.where),
            Column("waits for", "waits_for"),
            _figure("items", "items"),
            _figure("sent", "bytes_out", size),
            _figure("connection", "connection"),
            _WORKER,
        ),
    ),
    View(
        "slowest",
        "slow",
        (
            _figure("took", "seconds", span),
            Column("method", "method"),
            Column("user", "user"),
            Column("ended by", "ended"),
            _figure("at", "at", clock),
            Column("peer", "peer"),
            Column("held the loop in", "line"),
            _WORKER,
        ),
    ),
    View(
        "methods",
        "methods",
        (
            Column("method", "method"),
            _figure("calls", "calls"),
            _figure("failed", "failed"),
            _figure("p50", "p50", span),
            _figure("p99", "p99", span),
            _figure("slowest", "slowest", span),
        ),
        ("method",),
    ),
    View(
        "objects",
        "objects",
        (
            Column("class", "class_name"),
            _figure("objects", "count"),
            _figure("a minute", "growth_per_minute", rate),
            _figure("holders", "holders"),
        ),
        ("class_name",),
    ),
    View(
        "pools",
        "pools",
        (
            Column("pool", "name"),
            Column("kind", "kind"),
            Column("state", "state"),
            _figure("workers", "workers"),
            _figure("busy", "busy"),
            _figure("queued", "queued"),
            _figure("done", "done"),
            _figure("failed", "failed"),
            _figure("killed", "killed"),
            _figure("restarted", "restarted"),
        ),
        ("name",),
    ),
    View(
        "tasks",
        "tasks",
        (
            _figure("no", "number"),
            Column("status", "status"),
            Column("command", "command"),
            Column("progress", progress),
            Column("ran for", lasted, span, True),
            Column("owner", "owner"),
            _figure("lines", "lines"),
            Column("console", "console"),
        ),
        ("console", "number"),
    ),
    View(
        "log",
        "log",
        (
            _figure("at", "at", clock),
            Column("level", "level"),
            Column("text", "text"),
            Column("namespace", "namespace"),
        ),
    ),
    View(
        "topics",
        "topics",
        (
            Column("topic", "name"),
            _WORKER,
            _figure("subscribers", "subscribers"),
            _figure("published", "published"),
            _figure("delivered", "delivered"),
            _figure("lagging", "lagging"),
            _figure("buffered", "buffered"),
            _figure("dropped", "dropped"),
            _figure("missed", "missed"),
            Column("bus", "bus"),
        ),
        ("name", "worker"),
    ),
)


def view_of(view: View, overview: Overview | None) -> View:
    """Return a view as it is shown of a server: one without workers has no column of theirs."""
    if overview is not None and overview.workers:
        return view
    return view._replace(columns=tuple(each for each in view.columns if each is not _WORKER))


@dataclass
class Choice:
    """
    How a user looks at a table.

    Attributes:
        filter: A text that one of a row's cells has in it, in any letters.
        column: The number of the column to sort by; None for the server's order.
        turned: Whether the order is the other way around.
    """

    filter: str = ""
    column: int | None = None
    turned: bool = False

    def next_column(self, view: View) -> None:
        """Sort by the next column; behind the last one by none."""
        following = 0 if self.column is None else self.column + 1
        self.column = following if following < len(view.columns) else None
        self.turned = False


class Table(NamedTuple):
    """The part of a view that is shown: rows, their cells, and how many rows there are besides."""

    rows: list[Struct]
    cells: list[list[str]]
    left_out: int


def table_of(view: View, rows: Sequence[Struct], choice: Choice) -> Table:
    """Return what a user wants to see of some rows."""
    found = [(row, [column.shown(row) for column in view.columns]) for row in rows]
    if choice.filter:
        wanted = choice.filter.casefold()
        found = [each for each in found if any(wanted in cell.casefold() for cell in each[1])]
    if choice.column is not None and choice.column < len(view.columns):
        column = view.columns[choice.column]
        largest_first = column.right and column.show is not since
        found.sort(
            key=lambda each: _rank(column.of(each[0])), reverse=largest_first != choice.turned
        )
    shown = found[:MOST_SHOWN]
    return Table([row for row, _ in shown], [cells for _, cells in shown], len(found) - len(shown))


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, int | float) else (2, str(value).casefold())
