"""Rows of the table of commands."""

from __future__ import annotations

import pytest

from txremote.cli import commands
from txremote.commands.command import DONE, FAILED, INTERRUPTED, NOT_MADE, complain


def test_a_command_has_a_name_and_a_summary_of_its_own() -> None:
    """Else one of two would hide the other, and a list of them would not help."""
    rows = [*commands()]
    assert len({row.name for row in rows}) == len({row.summary for row in rows}) == len(rows)
    assert all(row.description.endswith(".") for row in rows)
    assert all(len(row.summary) < 75 and not row.summary.endswith(".") for row in rows)


def test_each_way_to_end_has_a_status_of_its_own() -> None:
    """A shell's script tells them apart."""
    assert (DONE, FAILED, NOT_MADE, INTERRUPTED) == (0, 1, 2, 130)


def test_a_complaint_is_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Results alone are on standard output."""
    complain("there is no such task")
    assert capsys.readouterr() == ("", "txremote: there is no such task\n")


def test_a_complaint_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A server, or who has taken its port, may have said it."""
    complain("refused: \x1b]0;title\x07\x9b2J\r\u202e\nsee there")
    assert capsys.readouterr().err == "txremote: refused:  ]0;title  2J  \nsee there\n"
