"""
Two checkouts beside each other: what is called worse, and whose txremote runs.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import compare, harness
from benchmarks.before import NoHistory, commit_before, unpacked
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


def test_a_command_line_names_two_checkouts_or_asks_for_the_short_form():
    """Nothing is guessed."""
    for words in ([], ["a"], ["--short", "a", "b"], ["--short", "a"]):
        with pytest.raises(SystemExit):
            compare.arguments(words)
    assert compare.arguments(["--short"]).row == list(compare.SHORT_ROWS)


# -- the short form


class Repository:
    """A repository of git's, whose commits each have a file with their own name in it."""

    def __init__(self, folder):
        self.folder = folder
        self.git("init", "-q")

    def git(self, *words, day="2026-01-01"):
        """Run a command of git's at noon of a day."""
        when = f"{day}T12:00:00"
        env = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
        status, text, errors = run(
            "git", "-C", self.folder, *who, *words, env={**os.environ, **env}
        )
        assert status == 0, errors
        return text.strip()

    def commit(self, name, day):
        """Commit a file; return the commit."""
        (self.folder / "name").write_text(name)
        self.git("add", "name")
        self.git("commit", "-q", "-m", name, day=day)
        return self.git("rev-parse", "HEAD")


def test_the_short_form_compares_with_the_last_tag_or_the_day_before(tmp_path):
    """Else with the commit before; a repository of one commit has nothing to compare with."""
    repository = Repository(tmp_path)
    first = repository.commit("first", "2026-01-01")
    with pytest.raises(NoHistory, match="one commit and no history"):
        commit_before(tmp_path)
    repository.commit("second", "2026-01-01")
    assert commit_before(tmp_path) == first
    third = repository.commit("third", "2026-01-01")
    repository.commit("fourth", "2026-01-02")
    repository.commit("fifth", "2026-01-02")
    assert commit_before(tmp_path) == third
    repository.git("tag", "v1", first)
    assert commit_before(tmp_path) == first
    with unpacked(tmp_path, first) as folder:
        assert (folder / "name").read_text() == "first"
    assert not folder.exists()
    with pytest.raises(NoHistory, match="does not have the files"), unpacked(tmp_path, "a" * 40):
        pass


def test_a_clone_without_history_is_content(tmp_path, monkeypatch, capsys):
    """The short form says so and goes on: it is there to tell, not to fail."""
    (tmp_path / "origin").mkdir()
    repository = Repository(tmp_path / "origin")
    repository.commit("first", "2026-01-01")
    repository.commit("second", "2026-01-02")
    run("git", "clone", "-q", "--depth", "1", f"file://{tmp_path}/origin", tmp_path / "shallow")
    for folder, said in ((tmp_path / "shallow", "shallow clone"), (tmp_path, "no repository")):
        monkeypatch.setattr(compare, "ROOT", folder)
        assert compare.main(["--short"]) == 0
        assert said in capsys.readouterr().err


def test_what_is_worse_is_named():
    """In one line, with how much."""
    row, measured = told(old=[100.0] * 3, new=[110.0] * 3)
    lines = lines_of(row, measured)
    assert compare.worse_of(lines) == "WORSE than before: told (+10.0%), told: processor (+10.0%)"
    row, measured = told(old=[100.0] * 3, new=[100.0] * 3)
    assert compare.worse_of(lines_of(row, measured)) == "No row is worse than before."


def test_no_row_is_begun_when_the_time_is_over(capsys):
    """The short form takes no longer than it may."""
    sides = {name: Side(Program(name), "", frozenset()) for name in ("old", "new")}
    assert compare.measure(sides, Effort(rounds=1), ["pipelined"], within=-1) == []
    assert "left out, for want of time: pipelined" in capsys.readouterr().err
