"""The files of the repository that are for contributors and for machines, held against the rest."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.document_runner import doctree
from tests.processes import ROOT

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
def test_a_workflow_runs_commands_that_are_there(workflow: Path) -> None:
    """The hosted CI has no script of its own: it runs .ci/run, which runs anywhere."""
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    scripts = [word for line in commands for word in line.split() if "/" in word]
    assert ".ci/run" in scripts
    assert [name for name in scripts if not (ROOT / name).exists()] == []


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
