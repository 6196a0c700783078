"""`RowTable`: the table on the screen, whose cursor stays on its row though the rows change."""

from __future__ import annotations

from msgspec import Struct
from rich.text import Text
from textual.widgets import DataTable

from txremote.monitor.top.views import Choice, Table, View


class RowTable(DataTable[Text]):
    """The rows of one view. For the loop's thread."""

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True)
        self._shown_kind = ""  # of its rows; none at first
        self._shown_rows: list[Struct] = []
        self._shown_keys: list[tuple[object, ...]] = []

    @property
    def selected(self) -> Struct | None:
        """The row under the cursor, if there is one."""
        row = self.cursor_row
        return self._shown_rows[row] if 0 <= row < len(self._shown_rows) else None

    def show(self, view: View, table: Table, choice: Choice) -> None:
        """Show the rows of a view: a new one from the top, else from where the user was."""
        keys = self._shown_keys
        selected = keys[self.cursor_row] if self.cursor_row < len(keys) else None
        x, y = self.scroll_x, self.scroll_y
        self.clear(columns=True)
        for number, column in enumerate(view.columns):
            mark = ("▲" if choice.turned else "▼") if number == choice.column else ""
            self.add_column(Text(column.title + mark))
        for cells in table.cells:
            self.add_row(
                *(
                    Text(cell, justify="right" if column.right else "left", no_wrap=True)
                    for column, cell in zip(view.columns, cells, strict=True)
                )
            )
        self._shown_rows = table.rows
        self._shown_keys = keys = [view.key_of(each) for each in table.rows]
        if self._shown_kind != view.kind:
            self._shown_kind = view.kind
            self.scroll_to(0, 0, animate=False)
            return
        row = keys.index(selected) if selected in keys else self.cursor_row
        self.move_cursor(row=row, scroll=False)
        self.scroll_to(x, y, animate=False)
