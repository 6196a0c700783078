"""
The screen of ``txremote top``, by textual, on asyncio.

One task looks at the server once a second, and whenever the user wants to see something else; the
screen shows what it has brought. Where the server is gone the last rows stay, with a line that
says so, and it is tried again. Texts are put into `rich.text.Text`, in which nothing is markup.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, ClassVar

from msgspec import Struct
from rich.text import Text
from textual.app import App, ComposeResult, ScreenStackError
from textual.binding import Binding
from textual.css.query import NoMatches
from textual.widgets import DataTable, Footer, Input, Static

from txremote.monitor.rows import ConnectionRow, Overview, Series, TaskRow
from txremote.monitor.top.dialogs import Output, Question
from txremote.monitor.top.sources import Refused, Source, SourceGone
from txremote.monitor.top.views import (
    VIEWS,
    Choice,
    Table,
    View,
    headline,
    sparklines,
    table_of,
    text,
    view_of,
)
from txremote.wire.naming import one_line

#: Seconds between two looks; between two of the series; until a server that is gone is tried again.
LOOK = 1.0
LOOK_AT_SERIES = 5.0
LONGEST_WAIT = 5.0


class Top(App[None]):
    """The screen."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: 1; }
    #lines { height: 1; color: $accent; }
    #views { height: 1; background: $panel; }
    #message { height: auto; max-height: 4; color: $warning; }
    #filter { display: none; height: 3; }
    DataTable { height: 1fr; }
    """

    BINDINGS: ClassVar[Any] = [
        *(Binding(str(n), f"view({n - 1})", show=False) for n in range(1, len(VIEWS) + 1)),
        Binding("shift+tab", "turn(-1)", show=False, priority=True),
        Binding("tab", "turn(1)", "view", key_display="1-9", priority=True),
        Binding("s", "sort", "sort"),
        Binding("r", "reverse", "reverse"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("escape", "no_filter", show=False),
        Binding("o,enter", "output", "output", key_display="o", priority=True),
        Binding("k", "kill", "kill"),
        Binding("c", "close", "close"),
        Binding("q,ctrl+c", "quit", "quit", key_display="q"),
    ]

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._number = 0
        self._choices = [Choice() for _ in VIEWS]
        self._table = Table([], [], 0)
        self._rows: list[Struct] = []
        self._overview: Overview | None = None
        self._series: Series | None = None
        self._series_due = 0.0
        self._look = asyncio.Event()
        self._filled = -1  # the number of the view that the table shows
        self._keys: list[tuple[object, ...]] = []  # of its rows

    @property
    def view(self) -> View:
        """The view that is looked at, as it is shown of this server."""
        return view_of(VIEWS[self._number], self._overview)

    @property
    def choice(self) -> Choice:
        """How it is looked at."""
        return self._choices[self._number]

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Static(id="head")
        yield Static(id="lines")
        yield Static(id="views")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Static(id="message")
        yield Input(id="filter", placeholder="rows with this text; Enter keeps it, Escape ends it")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(DataTable).focus()
        self._show()
        self.run_worker(self._watch())

    def on_resize(self) -> None:
        """Show all anew."""
        self.call_after_refresh(self._show)

    # -- looking

    async def _watch(self) -> None:
        wait = LOOK
        while True:
            self._look.clear()
            number = self._number
            try:
                await self._bring(number)
            except SourceGone as problem:
                wait = min(2 * wait, LONGEST_WAIT)
                self._say(f"The server is gone: {text(problem)}. It is tried again.")
            except Refused as problem:
                wait = LOOK
                self._say(text(problem))
            else:
                if wait != LOOK:
                    self._say("The server is back.")
                wait = LOOK
            if number == self._number:
                self._show()
            try:
                async with asyncio.timeout(wait):
                    await self._look.wait()
            except TimeoutError:
                pass

    async def _bring(self, number: int) -> None:
        """Bring what is to be shown; raises what a `Source` does."""
        overview, rows = await asyncio.gather(
            self._source.overview(), self._source.rows(VIEWS[number].kind)
        )
        self._overview = overview
        if number == self._number:
            self._rows = rows
        now = asyncio.get_running_loop().time()
        if now >= self._series_due:
            self._series = await self._source.series()
            self._series_due = now + LOOK_AT_SERIES

    # -- showing

    def _say(self, sentence: str) -> None:
        with suppress(NoMatches, ScreenStackError):  # it is just ending
            self.screen_stack[0].query_one("#message", Static).update(Text(one_line(sentence)))

    def _show(self) -> None:
        with suppress(NoMatches, ScreenStackError):  # as above
            self._show_all()

    def _show_all(self) -> None:
        main = self.screen_stack[0]
        width = self.size.width
        if self._overview is not None:
            main.query_one("#head", Static).update(Text(headline(self._overview)[:width]))
        if self._series is not None:
            main.query_one("#lines", Static).update(Text(sparklines(self._series, width)))
        main.query_one("#views", Static).update(self._titles())
        self._table = table_of(self.view, self._rows, self.choice)
        self._fill(main.query_one(DataTable))

    def _titles(self) -> Text:
        found = Text()
        words = [f"/{self.choice.filter}"] if self.choice.filter else []
        if self._table.left_out:
            words.append(f"{self._table.left_out} more")
        needed = sum(len(view.title) + 3 for view in VIEWS) + len(" ".join(words))
        narrow = needed > self.size.width
        for number, view in enumerate(VIEWS):
            here = number == self._number
            name = view.title if here or not narrow else ""
            found.append(f"{number + 1} {name}".rstrip(), "reverse" if here else "")
            found.append(" ")
        return found.append(" ".join(words), "bold")

    def _fill(self, table: DataTable[Text]) -> None:
        """Show the rows, with the cursor on the row where it was."""
        selected = self._selected_key(table)
        heads = []
        for number, column in enumerate(self.view.columns):
            mark = ("▲" if self.choice.turned else "▼") if number == self.choice.column else ""
            heads.append(column.title + mark)
        x, y = table.scroll_x, table.scroll_y
        table.clear(columns=True)
        for head in heads:
            table.add_column(Text(head))
        for cells in self._table.cells:
            table.add_row(
                *(
                    Text(cell, justify="right" if column.right else "left", no_wrap=True)
                    for column, cell in zip(self.view.columns, cells, strict=True)
                )
            )
        self._keys = [self.view.key_of(each) for each in self._table.rows]
        if self._filled != self._number:
            self._filled = self._number
            table.scroll_to(0, 0, animate=False)
            return
        row = table.cursor_row
        if selected is not None and selected in self._keys:
            row = self._keys.index(selected)
        table.move_cursor(row=row, scroll=False)
        table.scroll_to(x, y, animate=False)

    def _selected_key(self, table: DataTable[Text]) -> tuple[object, ...] | None:
        return self._keys[table.cursor_row] if table.cursor_row < len(self._keys) else None

    def _selected(self) -> Struct | None:
        row = self.query_one(DataTable).cursor_row
        return self._table.rows[row] if 0 <= row < len(self._table.rows) else None

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which keys mean something now (textual's)."""
        if len(self.screen_stack) > 1 or isinstance(self.focused, Input):
            return action in ("quit", "no_filter")
        if action in ("output", "kill"):
            return self.view.kind == "tasks"
        return self.view.kind == "connections" if action == "close" else True

    def action_view(self, number: int) -> None:
        """Look at another view."""
        if number != self._number:
            self._number = number
            self._rows = []
            self._keys = []
            self._say("")
            self._show()
            self.refresh_bindings()
            self._look.set()

    def action_turn(self, step: int) -> None:
        """Look at the view beside this one."""
        self.action_view((self._number + step) % len(VIEWS))

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.choice.next_column(self.view)
        self._show()

    def action_reverse(self) -> None:
        """Turn the order around."""
        self.choice.turned = not self.choice.turned
        self._show()

    def action_filter(self) -> None:
        """Ask for a text that rows must have."""
        asked = self.query_one("#filter", Input)
        asked.value = self.choice.filter
        asked.styles.display = "block"
        asked.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        self.choice.filter = event.value
        self._show()

    def on_input_submitted(self) -> None:
        """Keep the filter."""
        self.query_one("#filter", Input).styles.display = "none"
        self.query_one(DataTable).focus()

    def action_no_filter(self) -> None:
        """Show all rows again."""
        self.choice.filter = ""
        self.on_input_submitted()
        self._show()

    def action_output(self) -> None:
        """Follow the output of the task under the cursor."""
        row = self._selected()
        if isinstance(row, TaskRow):
            self.push_screen(Output(self._source, row.console, row.number, row.command))

    def action_kill(self) -> None:
        """Kill the task under the cursor, if the user means it."""
        row = self._selected()
        if isinstance(row, TaskRow):
            what = f"task {row.number} of {text(row.console)}: {text(row.command)}"
            self._ask(f"Kill {what}?", f"killed {what}", row)

    def action_close(self) -> None:
        """Close the connection under the cursor, if the user means it."""
        row = self._selected()
        if isinstance(row, ConnectionRow):
            what = f"connection {row.number} of {text(row.user or 'nobody')} at {text(row.peer)}"
            self._ask(f"Close {what}?", f"closed {what}", row)

    def _ask(self, question: str, done: str, row: TaskRow | ConnectionRow) -> None:
        if self._overview is not None and not self._overview.can_write:
            self._say("Nothing can be changed: the server was started without --admin-write.")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._act(done, row))

        self.push_screen(Question(question), answered)

    async def _act(self, done: str, row: TaskRow | ConnectionRow) -> None:
        try:
            if isinstance(row, TaskRow):
                there = await self._source.kill_task(row.console, row.number)
            else:
                there = await self._source.close_connection(row.number)
        except (SourceGone, Refused) as problem:
            self._say(f"It was not done: {text(problem)}")
            return
        self._say(f"{done}." if there else "It had ended already.")
        self._look.set()


async def run_app(source: Source) -> None:
    """Show the screen until the user leaves."""
    await Top(source).run_async()
