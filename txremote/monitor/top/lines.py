"""
The lines above the table of ``txremote top``: the server as a whole, its last minutes, the views.

Plain text only. Each fits the width of a terminal, and has first what matters most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from txremote.monitor.rows import Overview, Series
from txremote.monitor.top.views import VIEWS, Choice, View, count, size, span, text

_BARS: Final = "▁▂▃▄▅▆▇█"


def titles(view: View, choice: Choice, left_out: int, width: int) -> list[tuple[str, str]]:
    """
    Return the titles of all views in a line of some width, each with how it stands out.

    Args:
        view: The view that is looked at; where the line is too short only this one has its name.
        choice: How it is looked at: its filter comes last.
        left_out: How many rows there are beside those that are shown.
    """
    words = [f"/{choice.filter}"] if choice.filter else []
    if left_out:
        words.append(f"{left_out} more")
    told = " ".join(words)
    narrow = sum(len(each.title) + 3 for each in VIEWS) + len(told) > width
    found = []
    for number, each in enumerate(VIEWS, 1):
        here = each.kind == view.kind
        name = each.title if here or not narrow else ""
        found.append((f"{number} {name}".rstrip(), "reverse" if here else ""))
    return [*found, (told, "bold")]


def headline(overview: Overview) -> str:
    """Return a process as a whole, in a line; what matters most comes first."""
    each = overview
    streams = each.streams_sent + each.streams_read
    parts = [
        text(each.state),
        *([f"{each.workers} workers"] if each.workers else []),
        f"{each.connections} connection{'' if each.connections == 1 else 's'}",
        f"{count(round(each.calls_per_second, 1))} calls/s",
        f"{each.calls_running} running",
        *([f"{streams} streams"] if streams else []),
        f"{each.calls_failed} failed",
        f"p50 {span(each.p50) or '-'}",
        f"p99 {span(each.p99) or '-'}",
        f"loop {span(each.loop_lag)}",
        size(each.rss),
        f"{each.open_files}/{each.max_files} files",
        f"{each.threads} threads",
        f"up {span(each.uptime)}",
        f"pid {each.pid}",
        f"txremote {text(each.version)}",
    ]
    return " · ".join(parts)


#: Columns of the series that are drawn, and their names.
DRAWN: Final = (
    ("calls", "calls"),
    ("p99", "p99"),
    ("loop_lag", "loop"),
    ("rss", "memory"),
    ("connections", "clients"),
)


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Return the last values as bars, from none to the largest; a gap where there was none."""
    last = list(values)[-width:] if width > 0 else []
    largest = max((value for value in last if value is not None), default=0.0)
    if largest <= 0:
        return "".join(" " if value is None else _BARS[0] for value in last)
    top = len(_BARS) - 1
    return "".join(
        " " if value is None else _BARS[max(0, min(top, round(value / largest * top)))]
        for value in last
    )


def sparklines(series: Series, width: int) -> str:
    """Return the figures of the last minutes in a line of some width."""
    drawn = [(name, series.columns.get(column) or []) for column, name in DRAWN]
    each = width // len(drawn) - 2
    if each < 12:  # a narrow terminal has room for two
        drawn, each = drawn[:2], width // 2 - 2
    parts = [f"{name} {sparkline(values, each - len(name) - 1)}" for name, values in drawn]
    return "  ".join(part.ljust(each) for part in parts)[: max(width, 0)].rstrip()
