"""
Two checkouts beside each other: what is called worse, and whose txremote runs.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import compare, harness
from benchmarks.compare import (
    NoCheckout,
    Side,
    lines_of,
    look_at,
    only_benchmarks,
    status_of,
    table,
)
from benchmarks.harness import Effort, Measured, Program, Sample
from benchmarks.peers import PEERS
from benchmarks.rows.base import Row
from benchmarks.verdict import judge
from tests.processes import run

ROOT = Path(__file__).resolve().parent.parent


class Told(Row):
    """A row without processes: the figures of each side are ready."""

    name = "told"
    work = "say it"
    unit = " us"
    more_is_better = False
    contestants = ("txremote",)

    def __init__(self, **figures):
        self.figures = figures
        self.order = []

    def prepare(self, stage, peer, effort):
        side = effort.program.python
        return side, iter(self.figures[side])

    def measure(self, state, effort):
        side, figures = state
        self.order.append(side)
        figure = next(figures)
        if isinstance(figure, Exception):
            raise figure
        return Sample(figure, "a note", (figure / 4, figure / 4))


def told(rounds=3, **figures):
    """Return the row and what it has measured of both sides."""
    row = Told(**figures)
    both = {
        side: (PEERS["txremote"], Effort(rounds=rounds, program=Program(side))) for side in figures
    }
    return row, harness.run_in_turn(row, both, rounds)


# -- the arithmetic


@pytest.mark.parametrize(
    ("old", "new", "more_is_better", "said"),
    [
        ([100, 100, 100], [102.9, 102.9, 102.9], False, "same"),
        ([100, 100, 100], [104, 104, 104], False, "WORSE"),
        ([100, 100, 100], [96, 96, 96], False, "better"),
        ([100, 100, 100], [104, 104, 104], True, "better"),
        ([100, 100, 100], [96, 96, 96], True, "WORSE"),
        ([100, 100, 100], [98, 98, 98], True, "same"),
        # 10 % more, but the rounds differ by as much: half of 1.22 - 1.0
        ([100, 100, 100], [100, 110, 122], False, "same"),
        ([100, 100, 100], [101, 112, 122], False, "WORSE"),
        ([100, 100, 100], [78, 90, 100], True, "same"),
        ([100, 100, 100], [79, 88, 99], True, "WORSE"),
        # a bad moment of the machine hits both: the ratio is taken within a round
        ([100, 200, 100], [105, 210, 105], False, "WORSE"),
        ([100, 200, 300], [101, 202, 303], False, "same"),
        # one bad round moves no median, and says how little the rounds can tell
        ([100, 100, 100], [104, 104, 190], False, "same"),
        ([0, 0], [0, 0], False, "same"),
        ([0, 0], [1, 1], False, "WORSE"),
        ([0, 0], [1, 1], True, "better"),
    ],
)
def test_a_change_counts_beyond_three_percent_and_the_spread(old, new, more_is_better, said):
    """Both have to be exceeded, in the direction that is no gain to be worse."""
    verdict = judge(Measured(old), Measured(new), more_is_better)
    assert str(verdict) == said
    assert verdict.worse is (said == "WORSE")


def test_the_change_and_the_spread_are_of_the_ratios():
    """Half the way from the lowest to the highest, and the median less one."""
    verdict = judge(Measured([100, 200, 50]), Measured([110, 240, 45]), False)
    assert verdict.change == pytest.approx(0.1)
    assert verdict.spread == pytest.approx(0.15)


def test_a_figure_that_is_missing_is_not_compared():
    """There is no verdict without both."""
    with pytest.raises(ValueError, match="cannot be compared"):
        judge(Measured([1.0]), Measured([]), False)


# -- rounds, lines and the status


def test_the_sides_are_measured_in_turn():
    """Each round has both; who is first changes."""
    row, _measured = told(old=[1.0] * 3, new=[1.0] * 3)
    assert row.order == ["old", "new", "new", "old", "old", "new"]


def test_the_processor_time_stands_beside_the_clock():
    """It has a line and a verdict of its own, whichever way the row's figure goes."""
    row, measured = told(old=[100.0] * 3, new=[110.0] * 3)
    row.more_is_better = True
    clock, processor = lines_of(row, measured)
    assert (clock.name, str(clock.verdict)) == ("told", "better")
    assert (processor.name, str(processor.verdict)) == ("told: processor", "WORSE")
    assert processor.old.values == [50.0] * 3
    assert status_of([clock, processor]) == compare.WORSE
    assert status_of([clock]) == 0


def test_the_table_has_medians_spread_change_and_verdict():
    """All that is needed to judge it stands in a line."""
    row, measured = told(old=[100.0, 90.0, 110.0], new=[120.0, 110.0, 130.0])
    line = table(lines_of(row, measured)).splitlines()[3]
    assert " ".join(line.split()) == "told 100 us ±10% 120 us ±8% +20.0% ±2.0% WORSE"


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_side_that_fails_is_not_called_equal(side):
    """The line says so, and the exit status is not that of a good comparison."""
    figures = {"old": [100.0] * 3, "new": [100.0] * 3}
    figures[side][1] = harness.ContestantFailed("no such method")
    row, measured = told(**figures)
    lines = lines_of(row, measured)
    assert measured[side].error == "no such method"
    assert status_of(lines) == compare.NOT_COMPARED
    assert "failed" in table(lines)
    assert "not compared" in table(lines)


def test_a_row_that_a_side_cannot_do_is_left_out(capsys):
    """A checkout of before has not failed by lacking what is new."""
    sides = {
        "old": Side(Program("old"), "of before", frozenset()),
        "new": Side(Program("new"), "of now", frozenset(["value"])),
    }
    assert compare.measure(sides, Effort(rounds=1), ["records"]) == []
    assert "left out: no txremote.value in old" in capsys.readouterr().err


# -- checkouts


def test_each_side_runs_its_own_txremote(tmp_path):
    """A checkout without an environment comes before what is installed; the work is ours."""
    for name in ("old", "new"):
        shutil.copytree(ROOT / "txremote", tmp_path / name / "txremote")
        (tmp_path / name / "benchmarks").mkdir()  # its own is not used
    with (tmp_path / "new" / "txremote" / "__init__.py").open("a") as file:
        file.write("\nraise ImportError('the new one')\n")
    with only_benchmarks() as folder:
        side = look_at(tmp_path / "old", folder)
        assert side.program.python == sys.executable
        assert side.about.startswith("no commit, Python 3.")
        with harness.Stage(program=side.program) as stage:
            assert stage.serve("benchmarks.peers.txr").first > 0
        with pytest.raises(NoCheckout, match="ImportError: the new one"):
            look_at(tmp_path / "new", folder)


def test_a_folder_without_txremote_is_refused(tmp_path):
    """What is installed would be measured in its place, twice."""
    with only_benchmarks() as folder, pytest.raises(NoCheckout, match="has no txremote"):
        look_at(tmp_path, folder)


def test_the_command_compares_a_checkout_with_itself():
    """From its arguments to its table and its status, with a row that counts and times nothing."""
    words = ["--quick", "--rounds", "2", "--row", "objects"]
    command = [sys.executable, ROOT / "benchmarks" / "compare.py", ROOT, ROOT, *words]
    status, text, errors = run(*command, cwd="/", timeout=60)
    assert status == 0, errors
    assert " ".join(text.splitlines()[6].split()) == "objects 1 1 +0.0% ±0.0% same"


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--row", "nothing"], ["--seconds", "0"]])
def test_a_command_line_that_means_nothing_is_refused(words):
    """Before anything is started."""
    with pytest.raises(SystemExit):
        compare.arguments(["a", "b", *words])
