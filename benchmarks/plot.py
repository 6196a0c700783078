"""
Draws the ratios of a run beside txremote's peers, and writes them as the README's table.

    python benchmarks/run.py --apart --json benchmarks/RATIOS.json
    python benchmarks/plot.py benchmarks/RATIOS.json docs/_static/ratios.svg README.rst

The plot has a group of bars for each row, and a bar for each peer that takes part: how many times
as good txremote is, so that longer is better and 1 is a draw. The README gets the figures of it,
between its two comments. Both come from the one file, so that they cannot tell two stories.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

#: The rows that are shown, and what they are called where nobody knows the harness.
ROWS = {
    "pipelined": "100 calls in flight",
    "sequential": "one awaited call after the other",
    "blocking": "a blocking call of a script",
    "events": "events to a client",
    "connections": "memory of an idle connection",
}

#: The peers, with a colour each that people who see few colours can tell apart.
PEERS = {
    "rpyc": ("RPyC", "#0072b2"),
    "pb": ("PB", "#e69f00"),
    "amp": ("AMP", "#009e73"),
    "foolscap": ("foolscap", "#cc79a7"),
    "pyro5": ("Pyro5", "#999999"),
}

_TABLE = re.compile(
    r"(?<=\.\. ratios: benchmarks/plot\.py writes this table\n\n).*?(?=\.\. end of the ratios)",
    re.DOTALL,
)


def advantages(run: dict[str, Any]) -> dict[str, dict[str, float]]:
    """
    Return how many times as good txremote is, from the JSON of a run: row -> peer -> times.

    Rows that were not run, and peers that take no part in a row, are left out.
    """
    found: dict[str, dict[str, float]] = {}
    for row in run["rows"]:
        if row["name"] not in ROWS:
            continue
        ours = row["contestants"]["txremote"]["median"]
        for peer in PEERS:
            theirs = row["contestants"].get(peer)
            if theirs:
                times = ours / theirs["median"]
                times = times if row["more_is_better"] else 1 / times
                found.setdefault(row["name"], {})[peer] = times
    return {name: found[name] for name in ROWS if name in found}


def draw(times: dict[str, dict[str, float]], path: Path) -> None:
    """Write the plot as SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # texts stay texts, and the same figures give the same file
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "txremote"})
    figure, axes = pyplot.subplots(figsize=(8, 0.3 * sum(len(row) + 1 for row in times.values())))
    place, ticks, seen = 0, [], set()
    for name, row in times.items():
        ticks.append((place + (len(row) - 1) / 2, ROWS[name]))
        for peer, factor in row.items():
            label, colour = PEERS[peer]
            axes.barh(place, factor, color=colour, label=None if peer in seen else label)
            axes.text(factor * 1.04, place, f"{factor:.1f}", va="center", fontsize=8)
            seen.add(peer)
            place += 1
        place += 1
    axes.set_yticks([middle for middle, _ in ticks], [name for _, name in ticks])
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.minorticks_off()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("times as fast as the peer, or as small (longer is better)")
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def table(times: dict[str, dict[str, float]]) -> str:
    """Return the same as a table of reStructuredText."""
    peers = [peer for peer in PEERS if any(peer in row for row in times.values())]
    lines = [["txremote beside", *(PEERS[peer][0] for peer in peers)]]
    for name, row in times.items():
        cells = [f"{row[peer]:.1f}" if peer in row else "n/a" for peer in peers]
        lines.append([ROWS[name], *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    text = [
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([rule, text[0], rule, *text[1:], rule]) + "\n"


def main() -> None:
    """Draw, and write."""
    options = argparse.ArgumentParser(description=__doc__.strip().split("\n")[0])
    options.add_argument("results", type=Path, help="a file of run.py --json")
    options.add_argument("svg", type=Path, help="the plot")
    options.add_argument("page", type=Path, help="the page that has the table")
    given = options.parse_args()
    times = advantages(json.loads(given.results.read_text()))
    draw(times, given.svg)
    page, found = _TABLE.subn(f"{table(times)}\n", given.page.read_text())
    if not found:
        options.error(f"{given.page} has no place for the table: its two comments")
    given.page.write_text(page)


if __name__ == "__main__":
    main()
