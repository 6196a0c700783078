"""
Two checkouts beside each other: ``python benchmarks/compare.py OLD NEW``.

The rows are those of `benchmarks.run`, with txremote as the only contestant, once from each
checkout. Both are up together and are measured in turn, round by round. What they do is the same
code, that of the checkout whose ``compare.py`` this is; a row that the old txremote cannot do fails
there and is not compared. `benchmarks.verdict` has the arithmetic.

A checkout runs in its own ``.venv`` where it has one, and otherwise in the interpreter that runs
this. In both cases the checkout itself is in front on the import path, so it does not matter what
the environment has installed as txremote; which file is imported is looked at before anything
is measured. The working directory of all processes is a folder with nothing in it but this
``benchmarks``: in the root of a checkout, its txremote would come first.

``--short`` looks at the rows that matter most, within a minute, and compares this checkout with
what was there before (`benchmarks.before`). It says what is worse, and fails nothing: ``.ci/run``
ends with it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from time import monotonic

if not __package__:  # run as a file: its own folder is no place to import from
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import harness, report
from benchmarks.before import NoHistory, commit_before, unpacked
from benchmarks.harness import ROOT, Effort, Measured, Program
from benchmarks.peers import PEERS
from benchmarks.rows import ROWS
from benchmarks.rows.base import Row
from benchmarks.run import interrupted
from benchmarks.verdict import MARGIN, Verdict, judge

#: The exit status if a row is worse, and if none is but not all could be compared.
WORSE, NOT_COMPARED = 1, 2

#: The rows of the short form; how often each is measured, and for how long.
SHORT_ROWS = ("pipelined", "sequential", "blocking", "events", "connections")
SHORT_ROUNDS, SHORT_SECONDS = 5, 0.2

#: Seconds after which the short form begins no other row.
SHORT_TIME = 40.0

_LOOK = """
import json, platform, sys, twisted, txremote
from importlib.util import find_spec
has = []
for name in sys.argv[1:]:
    try:
        if hasattr(txremote, name) or find_spec(f"txremote.{name}"):
            has.append(name)
    except ModuleNotFoundError:  # what it is a part of is not there
        pass
print(json.dumps([txremote.__file__, platform.python_version(), twisted.__version__, has]))
"""


class NoCheckout(Exception):
    """A folder cannot be compared. The text says why."""


@dataclass(frozen=True)
class Side:
    """
    One of the two.

    Attributes:
        program: What runs its processes.
        about: Which commit, Python and Twisted they are.
        has: Which of the names that rows need its txremote has.
    """

    program: Program
    about: str
    has: frozenset[str]


@dataclass(frozen=True)
class Line:
    """
    A figure of both sides.

    Attributes:
        name: The row, and what of it.
        unit: What a figure counts.
        old: The rounds of the old side.
        new: Those of the new one.
        verdict: What they say; None if a side has failed.
    """

    name: str
    unit: str
    old: Measured
    new: Measured
    verdict: Verdict | None


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/compare.py",
        description="Two checkouts of txremote beside each other. The exit status is "
        f"{WORSE} if a row is worse, {NOT_COMPARED} if none is but not all could be compared.",
    )
    parser.add_argument("old", type=Path, nargs="?", help="the folder of the old checkout")
    parser.add_argument("new", type=Path, nargs="?", help="that of the new one")
    parser.add_argument(
        "--short",
        action="store_true",
        help="this checkout and the last tag, or the last commit of an earlier day: "
        f"{', '.join(SHORT_ROWS)}; the exit status is 0",
    )
    names = [row.name for row in ROWS]
    parser.add_argument(
        "--row", action="append", choices=names, help="only this row (repeatable)", default=[]
    )
    parser.add_argument("--rounds", type=int, help="measurements of each (9)")
    parser.add_argument("--seconds", type=float, help="how long one takes, about (0.3)")
    parser.add_argument(
        "--apart", action="store_true", help="keep servers on one core and clients on another"
    )
    parser.add_argument("--quick", action="store_true", help="small counts, for a look")
    options = parser.parse_args(argv)
    if options.short == (options.new is not None) or (options.old and not options.new):
        parser.error("OLD and NEW are two checkouts; --short knows which")
    usual = (SHORT_ROUNDS, SHORT_SECONDS) if options.short else (Effort.rounds, Effort.seconds)
    options.rounds = usual[0] if options.rounds is None else options.rounds
    options.seconds = usual[1] if options.seconds is None else options.seconds
    if options.short and not options.row:
        options.row = list(SHORT_ROWS)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds are positive")
    if options.apart and len(harness.cores()) < 2:
        parser.error("--apart needs two cores, and a system that lets a process keep to one")
    return options


def look_at(checkout: Path, folder: Path) -> Side:
    """
    Find out how to run a checkout.

    Args:
        checkout: Its folder.
        folder: The working directory, which has `benchmarks` in it.

    Raises:
        NoCheckout: its txremote cannot be imported.
    """
    checkout = checkout.resolve()
    own = checkout / ".venv" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    program = Program(python, folder, (str(checkout),))
    looked = subprocess.run(
        [python, "-c", _LOOK, *{row.needs for row in ROWS if row.needs}],
        cwd=folder,
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if looked.returncode:
        raise NoCheckout(f"{checkout}: txremote cannot be imported\n{looked.stderr.rstrip()}")
    file, version, twisted, has = json.loads(looked.stdout)
    if Path(file).resolve().parent != checkout / "txremote":
        raise NoCheckout(f"{checkout} has no txremote; {python} imports {file}")
    about = f"{commit(checkout)}, Python {version}, Twisted {twisted}"
    return Side(program, about, frozenset(has))


def commit(checkout: Path) -> str:
    """Return the commit of a checkout, with a mark where files differ from it, or "no commit"."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return "no commit"


@contextlib.contextmanager
def only_benchmarks() -> Iterator[Path]:
    """Give a folder with nothing in it but `benchmarks`."""
    with tempfile.TemporaryDirectory(prefix="compare-") as name:
        folder = Path(name)
        (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
        yield folder


def lines_of(row: Row, measured: Mapping[str, Measured]) -> list[Line]:
    """Return what is compared of a row: its figure, and the processor time where it has that."""
    old, new = measured["old"], measured["new"]
    if old.error or new.error:
        return [Line(row.name, row.unit, old, new, None)]
    found = [Line(row.name, row.unit, old, new, judge(old, new, row.more_is_better))]
    old_cpu, new_cpu = old.both_sides, new.both_sides
    if old_cpu is not None and new_cpu is not None:
        verdict = judge(old_cpu, new_cpu, more_is_better=False)
        found.append(Line(f"{row.name}: processor", " us", old_cpu, new_cpu, verdict))
    return found


def measure(
    sides: Mapping[str, Side], effort: Effort, names: Sequence[str], within: float = inf
) -> list[Line]:
    """Measure the rows of these names, or all, on both sides in turn; begin none after a time."""
    until = monotonic() + within
    efforts = {name: replace(effort, program=side.program) for name, side in sides.items()}
    found = []
    for row in ROWS:
        if row.name in names or not names:
            if monotonic() > until:
                print(f"left out, for want of time: {row.name}", file=sys.stderr)
                continue
            print(f"{row.name}: {row.work}", file=sys.stderr)
            if lacks := [name for name, side in sides.items() if {row.needs} - {""} - side.has]:
                print(
                    f"left out: no txremote.{row.needs} in {' and '.join(lacks)}", file=sys.stderr
                )
                continue
            both = {name: (PEERS[row.mine], each) for name, each in efforts.items()}
            found += lines_of(row, harness.run_in_turn(row, both, effort.rounds))
    return found


def table(lines: Sequence[Line]) -> str:
    """Return the table of all lines."""
    shown = []
    for line in lines:
        figures = [report.cell(replace(m, note=""), line.unit) for m in (line.old, line.new)]
        said = ["-", "-", "not compared"]
        if (verdict := line.verdict) is not None:
            said = [f"{verdict.change:+.1%}", f"±{verdict.spread:.1%}", str(verdict)]
        shown.append([line.name, *figures, *said])
    return report.simple_table(["row", "old", "new", "change", "spread", "verdict"], shown)


def status_of(lines: Sequence[Line]) -> int:
    """Return the exit status."""
    if any(line.verdict is not None and line.verdict.worse for line in lines):
        return WORSE
    return NOT_COMPARED if any(line.verdict is None for line in lines) else 0


def worse_of(lines: Sequence[Line]) -> str:
    """Return a sentence that names what is worse."""
    worse = [
        f"{line.name} ({line.verdict.change:+.1%})"
        for line in lines
        if line.verdict is not None and line.verdict.worse
    ]
    return f"WORSE than before: {', '.join(worse)}" if worse else "No row is worse than before."


@contextlib.contextmanager
def checkouts_of(options: argparse.Namespace) -> Iterator[dict[str, Path]]:
    """Give the folders of both sides. NoHistory: the short form has nothing to compare with."""
    if not options.short:
        yield {"old": options.old, "new": options.new}
        return
    before = commit_before(ROOT)
    with unpacked(ROOT, before) as folder:
        print(f"compared with commit {before[:12]}", file=sys.stderr)
        yield {"old": folder, "new": ROOT}


def main(argv: Sequence[str] | None = None) -> int:
    """
    Compare, and print the table.

    Returns:
        The exit status.
    """
    options = arguments(argv)
    signal.signal(signal.SIGTERM, interrupted)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, interrupted)
    seconds = min(options.seconds, 0.05) if options.quick else options.seconds
    effort = Effort(options.rounds, seconds, options.quick, options.apart)
    within = SHORT_TIME if options.short else inf
    try:
        with checkouts_of(options) as checkouts, only_benchmarks() as folder:
            sides = {name: look_at(checkout, folder) for name, checkout in checkouts.items()}
            lines = measure(sides, effort, options.row, within)
    except (NoCheckout, NoHistory) as error:
        print(f"nothing to compare: {error}" if options.short else error, file=sys.stderr)
        return 0 if options.short else NOT_COMPARED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    for name, side in sides.items():
        print(f"{name}: {side.about}")
    print(f"\n{table(lines)}\n")
    print(
        f"Medians of {effort.rounds} rounds in turn. Change and spread are of the new figure "
        "divided by the old one\n"
        "of the same round. Worse or better: by more than both "
        f"{MARGIN:.0%} and the spread."
    )
    for line in lines:
        for name, measured in (("old", line.old), ("new", line.new)):
            if measured.error:
                print(f"{os.linesep}failed: {line.name}, {name}: {measured.error}", file=sys.stderr)
    if options.short:
        print(f"\n{worse_of(lines)}")
    return 0 if options.short else status_of(lines)


if __name__ == "__main__":
    sys.exit(main())
