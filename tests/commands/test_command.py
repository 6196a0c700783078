"""Rows of the table of commands."""

from __future__ import annotations

from txremote.cli import commands


def test_a_command_has_a_name_and_a_summary_of_its_own() -> None:
    """Else one of two would hide the other, and a list of them would not help."""
    rows = [*commands()]
    assert len({row.name for row in rows}) == len({row.summary for row in rows}) == len(rows)
    assert all(row.description.endswith(".") for row in rows)
    assert all(len(row.summary) < 75 and not row.summary.endswith(".") for row in rows)
