"""Dialogs over the screen of ``txremote top``: a question, and the output of a task."""

from __future__ import annotations

import asyncio

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, RichLog, Static

from txremote.monitor.top.sources import Refused, Source, SourceGone
from txremote.monitor.top.views import text

#: Seconds between two looks at a task's output.
LOOK = 0.5

#: Lines of output that are kept on the screen.
MOST_LINES = 10_000


class Question(ModalScreen[bool]):
    """Asks whether something is to be done; y does it, and any other key does not."""

    CSS = """
    Question { align: center middle; }
    Question > Vertical {
        width: 60; max-width: 90%; height: auto; padding: 1 2; border: round $warning;
        background: $surface;
    }
    """

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        with Vertical():
            yield Static(Text(self._question))
            yield Static(Text("\ny: yes    any other key: no", style="dim"))

    def on_key(self, event: object) -> None:
        """Answer."""
        event.stop()  # type: ignore[attr-defined]
        self.dismiss(getattr(event, "key", "") in ("y", "Y"))


class Output(ModalScreen[None]):
    """Follows the output of a task until it has ended."""

    CSS = """
    Output { background: $background; }
    Output > #title { background: $primary; color: $text; height: 1; padding: 0 1; }
    """

    BINDINGS = [
        Binding("escape,q,o", "dismiss(None)", "back"),
        Binding("end", "end", "follow"),
    ]

    def __init__(self, source: Source, console: str, number: int, command: str) -> None:
        super().__init__()
        self._source = source
        self._task_of = console, number
        self._what = f"task {number} of {text(console)}: {text(command)}"

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Static(id="title")
        yield RichLog(max_lines=MOST_LINES, wrap=True, markup=False, highlight=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow."""
        self._tell("")
        self.query_one(RichLog).focus()
        self.run_worker(self._follow())

    def action_end(self) -> None:
        """Go to the last line."""
        self.query_one(RichLog).scroll_end(animate=False)

    def _tell(self, state: str) -> None:
        for title in self.query("#title").results(Static):  # none any more, if it is left
            title.update(Text(f"{self._what}  {state}".rstrip()))

    async def _follow(self) -> None:
        following = 0
        while self.is_attached:
            try:
                output = await self._source.task_output(*self._task_of, following)
            except Refused as problem:
                self._tell(f"[{text(problem)}]")
                return
            except SourceGone as problem:
                self._tell(f"[the server is gone: {text(problem)}]")
                await asyncio.sleep(2)
                continue
            log = next(iter(self.query(RichLog)), None)
            if log is None:  # it was left meanwhile: its widgets go before it does
                return
            if output.first > following and output.lines:
                log.write(Text(f"... {output.first - following} lines are not kept any more ..."))
            for line in output.lines:
                log.write(Text(text(line)))
            following = output.next
            if output.ended:
                self._tell("[ended]")
                return
            await asyncio.sleep(0 if output.lines else LOOK)
