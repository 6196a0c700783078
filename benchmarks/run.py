"""
The command: ``python benchmarks/run.py`` or ``python -m benchmarks``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import signal
import sys
from pathlib import Path

if not __package__:  # run as a file: its own folder is no place to import from
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import growth, harness, machine, report
from benchmarks.peers import PEERS, REQUIREMENTS
from benchmarks.rows import ROWS


def arguments(argv: list[str]) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="txremote beside its peers. Contestants that are not installed are left "
        f"out; pip install -r {REQUIREMENTS} installs them.",
    )
    names = [row.name for row in ROWS]
    parser.add_argument(
        "--row", action="append", choices=names, help="only this row (repeatable)", default=[]
    )
    parser.add_argument(
        "--contestant",
        action="append",
        choices=list(PEERS),
        help="only this contestant (repeatable)",
    )
    parser.add_argument("--growth", action="store_true", help="the growth series too")
    far = "those of them that go to 100,000 connections and 1,000,000 objects, that far"
    parser.add_argument("--growth-far", action="store_true", help=far)
    parser.add_argument(
        "--rounds", type=int, default=harness.Effort.rounds, help="measurements of each (9)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=harness.Effort.seconds,
        help="how long one takes, about (0.3)",
    )
    parser.add_argument(
        "--apart", action="store_true", help="keep servers on one core and clients on another"
    )
    parser.add_argument("--quick", action="store_true", help="small counts, for a look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    parser.add_argument("--rst", type=Path, metavar="FILE", help="write the tables to a file")
    options = parser.parse_args(argv)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds are positive")
    if options.apart and len(harness.cores()) < 2:
        parser.error("--apart needs two cores, and a system that lets a process keep to one")
    return options


def command_line(options: argparse.Namespace) -> str:
    """Return the command that measures the same again, less where it wrote to."""
    words = ["python", "benchmarks/run.py"]
    for option in ("quick", "growth", "growth_far", "apart"):
        words += [f"--{option}".replace("_", "-")] * getattr(options, option)
    for option in ("rounds", "seconds"):
        value = getattr(options, option)
        if value != getattr(harness.Effort, option):
            words += [f"--{option}", str(value)]
    for name in options.row:
        words += ["--row", name]
    for name in options.contestant or ():
        words += ["--contestant", name]
    return shlex.join(words)


def interrupted(*_signal: object) -> None:
    """End as after Ctrl-C: what was started is ended first."""
    raise KeyboardInterrupt


def measure(options: argparse.Namespace) -> report.Run:
    """Do all that the options ask for."""
    seconds = min(options.seconds, 0.05) if options.quick else options.seconds
    effort = harness.Effort(options.rounds, seconds, options.quick, options.apart)
    run = report.Run(
        datetime.date.today().isoformat(), command_line(options), machine.describe(), effort
    )
    for row in ROWS:
        if row.name in options.row or not options.row:
            print(f"{row.name}: {row.work}", file=sys.stderr)
            if not machine.offers(row.needs):
                print(f"left out: this txremote has no {row.needs}", file=sys.stderr)
                continue
            run.rows.append((row, harness.run_row(row, effort, options.contestant)))
    if options.growth:
        for series in growth.SERIES:
            print(f"growth: {series.name}", file=sys.stderr)
            run.growth.append((series, growth.run_series(series, effort)))
    if options.growth_far:
        for series in growth.SERIES:
            if series.far_sizes:
                print(f"growth, far: {series.name}", file=sys.stderr)
                run.growth.append((series, growth.run_series(series, effort, far=True)))
    run.machine["load"] += f" at the start, {machine.load()} at the end"
    return run


def main(argv: list[str] | None = None) -> int:
    """
    Run the benchmarks and print the tables.

    Returns:
        The exit status: 1 if a contestant failed. A bar that is missed is no
        failure; the table shows it.
    """
    options = arguments(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, interrupted)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, interrupted)
    try:
        run = measure(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(report.as_text(run))
    if options.json:
        options.json.write_text(json.dumps(report.as_json(run), indent=2) + os.linesep)
    if options.rst:
        options.rst.write_text(report.as_rst(run))
    for failure in run.failures:
        print(f"\nfailed: {failure}", file=sys.stderr)
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
