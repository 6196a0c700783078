"""
The screen of ``txremote top``, by textual, on asyncio.

It shows what the `Looker` has brought, and does what keys say. Texts are put into `rich.text.Text`,
in which nothing is markup.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult, ScreenStackError
from textual.binding import Binding
from textual.css.query import NoMatches
from textual.widgets import Footer, Input, Static

from txremote.monitor.rows import ConnectionRow, TaskRow
from txremote.monitor.top.dialogs import Output, Question
from txremote.monitor.top.lines import headline, sparklines, titles
from txremote.monitor.top.looker import Looker
from txremote.monitor.top.rowtable import RowTable
from txremote.monitor.top.sources import Refused, Source, SourceGone
from txremote.monitor.top.views import VIEWS, Choice, View, table_of, text, view_of
from txremote.wire.naming import one_line


class Top(App[None]):
    """The screen."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: 1; }
    #lines { height: 1; color: $accent; }
    #views { height: 1; background: $panel; }
    #message { height: auto; max-height: 4; color: $warning; }
    #filter { display: none; height: 3; }
    RowTable { height: 1fr; }
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
        self._looker = Looker(source, VIEWS[0].kind, self._say, self._show)

    @property
    def view(self) -> View:
        """The view that is looked at, as it is shown of this server."""
        return view_of(VIEWS[self._number], self._looker.overview)

    @property
    def choice(self) -> Choice:
        """How it is looked at."""
        return self._choices[self._number]

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Static(id="head")
        yield Static(id="lines")
        yield Static(id="views")
        yield RowTable()
        yield Static(id="message")
        yield Input(id="filter", placeholder="rows with this text; Enter keeps it, Escape ends it")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(RowTable).focus()
        self._show()
        self.run_worker(self._looker.run())

    def on_resize(self) -> None:
        """Show all anew."""
        self.call_after_refresh(self._show)

    # -- showing

    def _say(self, sentence: str) -> None:
        with suppress(NoMatches, ScreenStackError):  # it is just ending
            self.screen_stack[0].query_one("#message", Static).update(Text(one_line(sentence)))

    def _show(self) -> None:
        with suppress(NoMatches, ScreenStackError):  # as above
            main, seen, width = self.screen_stack[0], self._looker, self.size.width
            if seen.overview is not None:
                main.query_one("#head", Static).update(Text(headline(seen.overview)[:width]))
            if seen.series is not None:
                main.query_one("#lines", Static).update(Text(sparklines(seen.series, width)))
            view, choice = self.view, self.choice
            table = table_of(view, seen.rows, choice)
            line = [Text(*each) for each in titles(view, choice, table.left_out, width)]
            main.query_one("#views", Static).update(Text(" ").join(line))
            main.query_one(RowTable).show(view, table, choice)

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
            self._looker.look_at(VIEWS[number].kind)
            self._say("")
            self._show()
            self.refresh_bindings()

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
        self.query_one(RowTable).focus()

    def action_no_filter(self) -> None:
        """Show all rows again."""
        self.choice.filter = ""
        self.on_input_submitted()
        self._show()

    def action_output(self) -> None:
        """Follow the output of the task under the cursor."""
        row = self.query_one(RowTable).selected
        if isinstance(row, TaskRow):
            self.push_screen(Output(self._source, row.console, row.number, row.command))

    def action_kill(self) -> None:
        """Kill the task under the cursor, if the user means it."""
        row = self.query_one(RowTable).selected
        if isinstance(row, TaskRow):
            what = f"task {row.number} of {text(row.console)}: {text(row.command)}"
            kill = partial(self._source.kill_task, row.console, row.number)
            self._ask(f"Kill {what}?", f"killed {what}", kill)

    def action_close(self) -> None:
        """Close the connection under the cursor, if the user means it."""
        row = self.query_one(RowTable).selected
        if isinstance(row, ConnectionRow):
            what = f"connection {row.number} of {text(row.user or 'nobody')} at {text(row.peer)}"
            close = partial(self._source.close_connection, row.number)
            self._ask(f"Close {what}?", f"closed {what}", close)

    def _ask(self, question: str, done: str, act: Callable[[], Awaitable[bool]]) -> None:
        """Do something if the user says yes, and tell what came of it."""
        overview = self._looker.overview
        if overview is not None and not overview.can_write:
            self._say("Nothing can be changed: the server was started without --admin-write.")
            return

        async def do() -> None:
            try:
                there = await act()
            except (SourceGone, Refused) as problem:
                self._say(f"It was not done: {text(problem)}")
                return
            self._say(f"{done}." if there else "It had ended already.")
            self._looker.look()

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(do())

        self.push_screen(Question(question), answered)


async def run_app(source: Source) -> None:
    """Show the screen until the user leaves."""
    await Top(source).run_async()
