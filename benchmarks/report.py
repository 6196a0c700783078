"""
The tables: as text, which is reStructuredText at the same time, and as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.growth import Series
from benchmarks.harness import Effort, Measured, missing, ratio
from benchmarks.peers import PEERS, REQUIREMENTS
from benchmarks.rows.base import Bar, Row

_CPU_NOTE = (
    "Client and server together. Other programs on the machine disturb this far less than "
    "they do the figures above."
)
_POOLS_NOTE = (
    "Of a pool, its own process and its workers together. ampoule's includes the processes that "
    "it replaces."
)

#: Whom txremote is compared with, beside the floor: in the tables of calls, and in
#: those of pools.
BESIDE = {
    False: ("rpyc",),
    True: ("pebble", "futures", "loky", "ampoule", "ampoule-kept", "dask", "plac"),
}

#: A contestant that takes no part in a row.
NOT_APPLICABLE = "n/a"

#: One that does, and is not installed (or was left out by ``--contestant``).
NOT_INSTALLED = "-"


@dataclass
class Run:
    """
    What a run has found.

    Attributes:
        date: The day.
        command: The command line.
        machine: What it was made on, name -> text.
        effort: How much was done.
        rows: Each row with its figures.
        growth: Each series with its figures.
    """

    date: str
    command: str
    machine: dict[str, str]
    effort: Effort
    rows: list[tuple[Row, dict[str, Measured]]] = field(default_factory=list)
    growth: list[tuple[Series, dict[int, Measured]]] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """What went wrong, a text for each contestant that failed."""
        found = []
        for row, measured in self.rows:
            found += [f"{row.name}: {m.error}" for m in measured.values() if m.error]
        for series, sizes in self.growth:
            found += [f"{series.name}: {m.error}" for m in list(sizes.values())[:1] if m.error]
        return found

    def of(self, pools: bool) -> list[tuple[Row, dict[str, Measured]]]:
        """Return the rows of pools, or those of calls."""
        return [(row, measured) for row, measured in self.rows if row.pools is pools]

    @property
    def absent(self) -> list[str]:
        """Which contestants of these rows are not installed, by their names."""
        names = {name for row, _ in self.rows for name in row.contestants}
        return missing(sorted(names))


def number(value: float) -> str:
    """Return a figure with three digits that count."""
    if value >= 10_000:
        return f"{value / 1000:.0f}k" if value >= 100_000 else f"{value / 1000:.1f}k"
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.01 else f"{value:.1g}"


def cell(measured: Measured | None, unit: str) -> str:
    """Return a figure with its unit and its spread."""
    if measured is None:
        return NOT_INSTALLED
    if measured.error:
        return "failed"
    text = number(measured.median) + unit
    if len(measured.values) > 1 and measured.spread >= 0.005:
        text += f" ±{measured.spread:.0%}"
    return f"{text}, {measured.note}" if measured.note else text


def bar_text(bar: Bar, row: Row) -> str:
    """Return what a bar demands, in words."""
    sign = ">=" if row.more_is_better else "<="
    limit = f"{bar.limit:g}"
    return f"{sign} {limit}{row.unit}" if bar.of is None else f"{sign} {limit} of {bar.title}"


def verdict(bars: Sequence[Bar], row: Row, measured: dict[str, Measured]) -> str:
    """Return the bars and whether they are met."""
    words = {True: "met", False: "MISSED", None: "?"}
    if not bars:
        return NOT_APPLICABLE
    return ", ".join(f"{bar_text(b, row)}: {words[row.is_met(b, measured)]}" for b in bars)


def ratio_cell(row: Row, measured: dict[str, Measured], other: str | None) -> str:
    """Return txremote's ratio to another contestant."""
    if other is None or other not in row.contestants:
        return NOT_APPLICABLE
    return cell(ratio(measured.get(row.mine), measured.get(other)), "")


def simple_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table that is reStructuredText and can be read as it is."""
    widths = [max(len(line[i]) for line in (head, *lines)) for i in range(len(head))]
    rule = "  ".join("=" * width for width in widths)

    def show(line: Sequence[str]) -> str:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        return "  ".join(cells).rstrip()

    return "\n".join([rule, show(head), rule, *map(show, lines), rule])


def columns(pools: bool) -> list[str]:
    """Return who may take part in the tables of calls, or of pools: their titles."""
    taking_part = (p.title for p in PEERS.values() if (p.pools if pools else p.module or p.values))
    return list(dict.fromkeys(taking_part))


def figures_table(run: Run, pools: bool = False) -> str:
    """
    Return the table of all contestants' figures.

    Args:
        run: What was measured.
        pools: Which rows: those of pools, or those of calls.
    """
    titles = columns(pools)
    lines = []
    for row, measured in run.of(pools):
        names = {PEERS[name].title: name for name in row.contestants}
        line = [row.name]
        for title in titles:
            taking_part = title in names
            figure = cell(measured.get(names[title]), row.unit) if taking_part else NOT_APPLICABLE
            line.append(figure)
        lines.append(line)
    return simple_table(["row", *titles], lines)


def bars_table(run: Run, pools: bool = False) -> str:
    """Return the table of txremote's ratios and of what it is held to."""
    beside = BESIDE[pools]
    lines = [
        [
            row.name,
            row.work,
            ratio_cell(row, measured, row.floor),
            *(ratio_cell(row, measured, name) for name in beside),
            verdict(row.first, row, measured),
            verdict(row.goal, row, measured),
        ]
        for row, measured in run.of(pools)
    ]
    ratios = [f"of {PEERS[name].title}" for name in beside]
    return simple_table(["row", "work", "of floor", *ratios, "first bar", "goal"], lines)


def cpu_table(run: Run, pools: bool = False) -> str:
    """Return the table of processor time, of the rows that have it."""
    titles = columns(pools)
    beside = ["floor", *(PEERS[name].title for name in BESIDE[pools])]
    lines = []
    for row, measured in run.of(pools):
        spent = {PEERS[name].title: m.both_sides for name, m in measured.items() if m.cpu}
        if not spent:
            continue
        figures = [cell(spent[t], " us") if t in spent else NOT_APPLICABLE for t in titles]
        mine = spent.get(PEERS[row.mine].title)
        ratios = [ratio(mine, spent.get(title)) for title in beside]
        shown = [cell(r, "") if r else NOT_APPLICABLE for r in ratios]
        lines.append([row.name, *figures, *shown])
    what = "processor time of a job" if pools else "processor time of a call"
    head = [what, *titles, *(f"of {title}" for title in beside)]
    return simple_table(head, lines) if lines else ""


def growth_table(run: Run) -> str:
    """Return the table of the series."""
    lines = []
    for series, sizes in run.growth:
        figures = [f"{size:,}: {cell(m, '')}" for size, m in sizes.items()]
        figures += [""] * (3 - len(figures))
        first, *_, last = sizes.values()
        grown = cell(ratio(last, first), "") if first.values else "failed"
        lines.append([series.name, series.unit, *figures, grown])
    return simple_table(["what grows", "cost", "few", "more", "many", "last / first"], lines)


def notes(run: Run) -> list[str]:
    """Return what has to be said below the tables."""
    rounds = run.effort.rounds
    found = [
        f"Figures are medians of {rounds} round{'s' * (rounds > 1)}, ± half the way from the "
        "lowest to the highest. Ratios are txremote's figure divided by the other's in the same "
        "round, and the median of those."
    ]
    if run.absent:
        titles = ", ".join(PEERS[name].title for name in run.absent)
        found.append(f"- : not installed ({titles}): pip install -r {REQUIREMENTS}")
    if run.effort.apart:
        found.append("Servers kept to one core, clients to another.")
    if run.effort.quick:
        found.append("A quick run: sizes and counts are too small for a record.")
    return found


def as_text(run: Run) -> str:
    """Return the report for a terminal."""
    parts = ["; ".join(f"{key} {text}" for key, text in run.machine.items())]
    for pools in (False, True):
        if run.of(pools):
            parts += [table(run, pools) for table in (figures_table, bars_table, cpu_table)]
    if run.growth:
        parts.append(growth_table(run))
    return "\n\n".join(part for part in parts + notes(run) if part)


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"{text[0].upper()}{text[1:]}\n{'-' * len(text)}"


def as_rst(run: Run) -> str:
    """Return the report as a document."""
    parts = [
        "Benchmark results\n=================",
        ".. Written by the harness (--rst). Do not edit; run it again.",
        f"Recorded on {run.date} with::\n\n    {run.command}",
        "\n".join(f":{key}: {text}" for key, text in run.machine.items()),
    ]
    for pools, prefix, note in ((False, "", _CPU_NOTE), (True, "Pools: ", _POOLS_NOTE)):
        if run.of(pools):
            parts += [heading(prefix + "figures"), figures_table(run, pools)]
            parts += [heading(prefix + "ratios and bars"), bars_table(run, pools)]
            if cpu := cpu_table(run, pools):
                parts += [heading(prefix + "processor time"), note, cpu]
    if run.growth:
        parts += ["Growth\n------", growth_table(run)]
    parts += ["Notes\n-----", *(note.replace("- : ", "``-``: ") for note in notes(run))]
    if run.failures:
        parts.append("Failures\n--------")
        parts += [f"* {text.strip().splitlines()[-1]}" for text in run.failures]
    return "\n\n".join(parts) + "\n"


def _figures(measured: Measured | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    if not measured.values:
        return {"error": measured.error}
    return {
        "median": measured.median,
        "low": min(measured.values),
        "high": max(measured.values),
        "values": measured.values,
        "note": measured.note,
        "client_cpu_us": [client for client, _server in measured.cpu],
        "server_cpu_us": [server for _client, server in measured.cpu],
    }


def _bars(bars: Sequence[Bar], row: Row, measured: dict[str, Measured]) -> list[dict[str, Any]]:
    return [
        {
            "limit": bar.limit,
            "of": bar.of,
            "text": bar_text(bar, row),
            "met": row.is_met(bar, measured),
        }
        for bar in bars
    ]


def as_json(run: Run) -> dict[str, Any]:
    """Return the report as what `json.dump` takes."""
    rows = [
        {
            "name": row.name,
            "work": row.work,
            "unit": row.unit.strip(),
            "more_is_better": row.more_is_better,
            "floor": row.floor,
            "contestants": {name: _figures(measured.get(name)) for name in row.contestants},
            "ratios": {
                name: _figures(ratio(measured.get(row.mine), measured.get(name)))
                for name in row.contestants
                if name != row.mine
            },
            "first_bar": _bars(row.first, row, measured),
            "goal": _bars(row.goal, row, measured),
        }
        for row, measured in run.rows
    ]
    growth = [
        {
            "name": series.name,
            "unit": series.unit,
            "sizes": {str(size): _figures(m) for size, m in sizes.items()},
        }
        for series, sizes in run.growth
    ]
    return {
        "date": run.date,
        "command": run.command,
        "machine": run.machine,
        "rounds": run.effort.rounds,
        "quick": run.effort.quick,
        "apart": run.effort.apart,
        "missing": run.absent,
        "rows": rows,
        "growth": growth,
        "failures": run.failures,
    }
