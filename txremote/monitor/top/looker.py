"""
`Looker`: the eyes of ``txremote top``.

One task looks at the server once a second, and at once when it is told to. Where the server is gone
the last rows stay, with a line that says so, and it is tried again, ever less often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from txremote.monitor.rows import Overview, Series
from txremote.monitor.top.sources import Refused, Source, SourceGone
from txremote.monitor.top.views import text

#: Seconds between two looks; between two of the series; until a server that is gone is tried again.
LOOK = 1.0
LOOK_AT_SERIES = 5.0
LONGEST_WAIT = 5.0


class Looker:
    """
    Brings what the screen shows. For the loop's thread.

    Args:
        say: Called with a sentence for the user.
        show: Called when there is something new.

    Attributes:
        kind: The kind of rows that are wanted.
        rows: Those that were brought last, of that kind.
        overview: The server as a whole, once it was seen.
        series: Its figures of the last hour, once they were seen.
    """

    def __init__(
        self,
        source: Source,
        kind: str,
        say: Callable[[str], object],
        show: Callable[[], object],
    ) -> None:
        self.kind = kind
        self.rows: list[Struct] = []
        self.overview: Overview | None = None
        self.series: Series | None = None
        self._source = source
        self._say = say
        self._show = show
        self._series_due = 0.0
        self._now = asyncio.Event()

    def look_at(self, kind: str) -> None:
        """Want other rows from now on."""
        self.kind = kind
        self.rows = []
        self.look()

    def look(self) -> None:
        """Look now."""
        self._now.set()

    async def run(self) -> None:
        """Look until this is cancelled."""
        wait = LOOK
        while True:
            self._now.clear()
            kind = self.kind
            try:
                await self._bring(kind)
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
            if kind == self.kind:
                self._show()
            try:
                async with asyncio.timeout(wait):
                    await self._now.wait()
            except TimeoutError:
                pass

    async def _bring(self, kind: str) -> None:
        """Bring what is to be shown; raises what a `Source` does."""
        overview, rows = await asyncio.gather(self._source.overview(), self._source.rows(kind))
        self.overview = overview
        if kind == self.kind:
            self.rows = rows
        now = asyncio.get_running_loop().time()
        if now >= self._series_due:
            self.series = await self._source.series()
            self._series_due = now + LOOK_AT_SERIES
