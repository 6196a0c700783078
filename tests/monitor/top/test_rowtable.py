"""
The table on the screen, without a terminal: where its cursor is when the rows change.
"""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("textual", reason="the extra 'top' is not installed")

from textual.app import App, ComposeResult

from txremote.monitor.rows import ObjectRow
from txremote.monitor.top.rowtable import RowTable
from txremote.monitor.top.views import VIEWS, Choice, table_of

OBJECTS = next(view for view in VIEWS if view.kind == "objects")
METHODS = next(view for view in VIEWS if view.kind == "methods")


class Screen(App[None]):
    """Nothing but the table."""

    def compose(self) -> ComposeResult:
        """Make it."""
        yield RowTable()


def test_the_cursor_stays_on_its_row_though_others_come_before_it() -> None:
    """A row that is gone, or another view, has it at the top."""

    def show(table: RowTable, *names: str) -> None:
        rows = [ObjectRow(name, 1, 0.0, 1) for name in names]
        choice = Choice(column=0)
        table.show(OBJECTS, table_of(OBJECTS, rows, choice), choice)

    def selected(table: RowTable) -> str | None:
        row = table.selected
        return row.class_name if isinstance(row, ObjectRow) else None

    async def look() -> None:
        app = Screen()
        async with app.run_test():
            table = app.query_one(RowTable)
            assert table.selected is None
            show(table, "Bee", "Cow", "Dog")
            heads = [column.label.plain for column in table.ordered_columns]
            assert heads[0] == f"{OBJECTS.columns[0].title}▼"
            table.move_cursor(row=1)
            show(table, "Ant", "Bee", "Cow", "Dog")
            assert selected(table) == "Cow"
            show(table, "Ant", "Bee")
            assert selected(table) == "Ant"
            table.move_cursor(row=1)
            table.show(METHODS, table_of(METHODS, [], Choice()), Choice())
            assert table.selected is None

    asyncio.run(look())
