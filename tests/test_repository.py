"""The files of the repository that are for contributors and for machines, held against the rest."""

from __future__ import annotations

import configparser
import re
import runpy
import sys
import tomllib
from itertools import combinations, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from docutils import nodes

from benchmarks.rows import ROWS
from tests.document_runner import doctree
from tests.drivers import DRIVERS
from tests.processes import ROOT
from tests.reactors import REACTORS
from tests.test_architecture import ROOMS

GITHUB = ROOT / ".github"
FRAGMENTS = ROOT / "docs" / "newsfragments"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


def steps(workflow: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs of a workflow."""
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def hooks() -> list[dict[str, Any]]:
    """Return what runs before a commit."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    return [hook for repo in config["repos"] for hook in repo["hooks"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_what_runs_anywhere(workflow: Path) -> None:
    """The hosted CI has no script of its own: it calls .ci/run, or the matrix of noxfile.py."""
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    known = [line for line in commands if re.match(r"\.ci/run$|pipx run nox -s tests\b", line)]
    assert known
    assert commands == known


def matrix(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the names of noxfile.py, which is run without nox: the tests do not need it."""
    same = lambda *_args, **_names: lambda function: function  # noqa: E731
    nox = SimpleNamespace(options=SimpleNamespace(), session=same(), parametrize=same)
    monkeypatch.setitem(sys.modules, "nox", nox)
    nox.Session = object
    return runpy.run_path(str(ROOT / "noxfile.py"))


def test_every_two_of_the_matrix_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python, each Twisted and each reactor is tried with each of the other two kinds."""
    names = matrix(monkeypatch)
    values = names["PYTHONS"], names["TWISTED"], names["REACTORS"]
    for one, other in combinations(range(3), 2):
        wanted = set(product(values[one], values[other]))
        assert {(cell[one], cell[other]) for cell in names["CELLS"]} == wanted


def test_the_matrix_has_what_the_package_says_it_supports(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Pythons of the classifiers, the reactors of the plugin, the bounds of setup.cfg."""
    names = matrix(monkeypatch)
    setup = (ROOT / "setup.cfg").read_text()
    assert re.findall(r"Python :: (3\.\d+)", setup) == [*names["PYTHONS"]]
    assert set(names["REACTORS"]) == set(REACTORS)
    assert set(names["DRIVERS"]) == set(DRIVERS)
    assert "Twisted==24.11" in names["lowest"]("3.12")
    assert set(names["lowest"]("3.11")) > set(names["lowest"]("3.12"))


def test_what_runs_before_a_commit_is_what_ci_runs() -> None:
    """The same tools, and no version of them but the one in setup.cfg."""
    script = (ROOT / ".ci" / "run").read_text()
    for hook in hooks():
        assert re.search(rf"^lint {hook['name']}\b", script, re.MULTILINE), hook["name"]
        assert hook["language"] == "system"


@pytest.mark.parametrize(
    "template", sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.md")), ids=lambda path: path.name
)
def test_an_issue_template_has_a_name_and_says_what_it_is_about(template: Path) -> None:
    """GitHub shows no template without them, and no error either."""
    _before, head, body = template.read_text().split("---\n", 2)
    assert {"name", "about"} <= set(yaml.safe_load(head))
    assert body.strip()


def test_editors_break_lines_where_ruff_does() -> None:
    """One length of a line, in .editorconfig and in pyproject.toml."""
    editors = configparser.ConfigParser()
    editors.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    assert (
        f"line-length = {editors['*.py']['max_line_length']}\n"
        in (ROOT / "pyproject.toml").read_text()
    )


def contributing() -> nodes.document:
    """Return CONTRIBUTING.rst, parsed."""
    return doctree(ROOT / "CONTRIBUTING.rst")


def test_the_map_has_every_room() -> None:
    """In the order of `ROOMS`, which is the order in which rooms may import each other."""
    (table,) = contributing().findall(nodes.tbody)
    shown = [{name.astext() for name in row[0].findall(nodes.literal)} for row in table]
    assert shown == [{name or "__init__" for name in rooms} for rooms in ROOMS]


def test_the_commands_for_contributors_name_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, tests, rows of the benchmarks and cells of the matrix."""
    commands = "".join(node.astext() + "\n" for node in contributing().findall(nodes.literal_block))
    for path in re.findall(r"\b(?:tests|benchmarks)/[\w/.]+", commands):
        assert (ROOT / path).exists(), path
    for path, words in re.findall(r"(tests/\S+\.py) -k (\w+)", commands):
        assert words in (ROOT / path).read_text()
    rows = re.findall(r"--row (\w+)", commands)
    assert rows and {*rows} <= {row.name for row in ROWS}
    cells = re.findall(r'nox -s "tests\((.*)\)"', commands)
    assert cells and {*cells} <= {"-".join(cell) for cell in matrix(monkeypatch)["CELLS"]}


def test_files_that_are_named_for_contributors_are_there() -> None:
    """What CONTRIBUTING.rst and SECURITY.rst call by a path, from the top or from the package."""
    for page in (contributing(), doctree(ROOT / "SECURITY.rst")):
        names = [name.astext() for name in page.findall(nodes.literal)]
        paths = [name for name in names if re.fullmatch(r"[\w./]+/[\w./]+", name)]
        missing = [
            path
            for path in paths
            if "ROOM" not in path
            and not path.startswith("build/")  # what is made
            and not any((folder / path).exists() for folder in (ROOT, ROOT / "txremote"))
        ]
        assert missing == []


def kinds_of_changes() -> list[str]:
    """Return the kinds of changes that towncrier knows."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    assert ROOT / settings["directory"] == FRAGMENTS
    return [kind["directory"] for kind in settings["type"]]


def test_the_name_of_a_change_says_its_kind() -> None:
    """towncrier passes over a file of another name, and the change is told to nobody."""
    good = rf"(\+[a-z0-9_]+|\d+)\.({'|'.join(kinds_of_changes())})\.rst"
    names = {path.name for path in FRAGMENTS.iterdir()} - {"README.rst"}
    assert [name for name in names if not re.fullmatch(good, name)] == []


def test_a_change_is_text_that_renders() -> None:
    """It becomes an item of a list: it begins with words, and links start from CHANGES.rst."""
    for path in FRAGMENTS.glob("[+0-9]*.rst"):
        doctree(path)
        assert re.match(r"[\w`]", path.read_text()), path.name


def test_the_kinds_of_changes_are_told_to_who_adds_one() -> None:
    """The page beside the fragments has each kind that the settings have."""
    told = re.findall(r"^``(\w+)``$", (FRAGMENTS / "README.rst").read_text(), re.MULTILINE)
    assert told == kinds_of_changes()
