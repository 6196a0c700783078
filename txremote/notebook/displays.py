"""
Displays of their own, for what happens while no cell, or any cell, runs.

The text of a callback belongs to no cell: a notebook shows it in the cell that made the
connection, or nowhere. So news go into a display, which stays in the cell that made it and is
redrawn where it is, at most `PER_SECOND` times a second however fast they come.

``LiveDisplay``  the frame: something that is drawn again when it has changed
``ProgressBar``  a bar, to be given as a callback
``EventTable``   the last events, to be given as a callback

In IPython in a terminal nothing can be redrawn: there the news are printed as they come.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from math import isfinite
from typing import Any, Final

from IPython.core.getipython import get_ipython
from IPython.display import display

from txremote.notebook.markup import escaped, in_short, printable, shortened, table
from txremote.service import exposed

#: How often a display is redrawn, at most.
PER_SECOND: Final = 10

#: Longest text on a bar, in characters.
_LONGEST_TEXT = 200

Bundle = dict[str, str]


def redraws() -> bool:
    """Tell whether this is a notebook, where what has been shown can be redrawn."""
    shell: Any = get_ipython()
    return hasattr(shell, "kernel")


class LiveDisplay:
    """
    Something that is drawn again when it has changed. Made in a cell; changed by any thread.

    Args:
        draw: Returns how it looks now, as text by MIME type.
        show: Shows a bundle, and returns what redraws it.
    """

    def __init__(
        self,
        draw: Callable[[], Bundle],
        show: Callable[[Bundle], Callable[[Bundle], object]] | None = None,
    ) -> None:
        self._draw = draw
        self._loop = asyncio.get_running_loop()
        # what is shown later belongs to the cell that runs now
        self._context = contextvars.copy_context()
        self._due: asyncio.TimerHandle | None = None
        self._lock = threading.Lock()
        self._waits = False
        self._redraw = (_show if show is None else show)(draw())

    def changed(self) -> None:
        """Redraw it, soon."""
        with self._lock:
            if self._waits:
                return
            self._waits = True
        with suppress(RuntimeError):  # the loop has ended, and nobody sees it
            self._loop.call_soon_threadsafe(self._wait)

    def _wait(self) -> None:
        self._due = self._loop.call_later(1 / PER_SECOND, self.finish, context=self._context)

    def finish(self) -> None:
        """Redraw it now. In the loop's thread."""
        with self._lock:
            self._waits = False
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._context.copy().run(self._redraw, self._draw())


def _show(bundle: Bundle) -> Callable[[Bundle], object]:
    handle: Any = display(bundle, raw=True, display_id=True)

    def redraw(new: Bundle) -> None:
        handle.update(new, raw=True)

    return redraw


class ProgressBar:
    """
    A progress bar, to be given as a callback: ``await root.crunch(10, ProgressBar("crunching"))``.

    It is called with how much is done, of how much (None: nobody knows), and a few words, all as
    the peer likes: a wrong figure is an error that goes back to the peer.

    Args:
        title: The words before it.

    Attributes:
        done: How much is done.
        total: How much there is to do, or None.
        text: The words.
    """

    def __init__(self, title: str = "") -> None:
        self.title = title
        self.done = 0.0
        self.total: float | None = None
        self.text = ""
        self._display = LiveDisplay(self.draw) if redraws() else None

    @exposed
    def __call__(self, done: float, total: float | None = None, text: str = "") -> None:
        """Show how far it has come."""
        self.set(done, total, text)
        if self._display is not None:
            self._display.changed()
        else:
            say(self.draw()["text/plain"])

    def set(self, done: float, total: float | None = None, text: str = "") -> None:
        """
        Note how far it has come.

        Raises:
            TypeError: those are no figures.
        """
        for figure in (done, 0.0 if total is None else total):
            if type(figure) not in (int, float) or not isfinite(figure):
                raise TypeError(f"progress is told by finite numbers, not {figure!r:.100}")
        self.done, self.total = float(done), None if total is None else float(total)
        self.text = shortened(str(text), _LONGEST_TEXT)

    def draw(self) -> Bundle:
        """Return how it looks now."""
        words = " ".join([each for each in (self.title, self.figures(), self.text) if each])
        known = self.total is not None and self.total > 0
        part = f' value="{self.fraction():.4f}"' if known else ""
        bar = f'<progress max="1"{part}></progress>'
        return {
            "text/plain": printable(words),
            "text/html": f'<div class="tex2jax_ignore mathjax_ignore">{bar} {escaped(words)}</div>',
        }

    def fraction(self) -> float:
        """Return the part that is done, from 0.0 to 1.0."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total else 0.0

    def figures(self) -> str:
        """Return the figures as text."""
        return f"{self.done:g}" if self.total is None else f"{self.done:g}/{self.total:g}"


class EventTable:
    """
    The last events, to be given as a callback: ``await root.subscribe(EventTable("events"))``.

    It takes whatever it is called with. It is shown where it is made, and the newest event is on
    top.

    Args:
        title: The line above it.
        most: How many events are kept.
        now: Returns the time of an event.

    Attributes:
        events: The last events: pairs of the time, and what it was called with as a tuple.
        count: How many there have been.
    """

    def __init__(
        self, title: str = "events", most: int = 20, now: Callable[[], datetime] = datetime.now
    ) -> None:
        self.title = title
        self.events: deque[tuple[datetime, tuple[object, ...]]] = deque(maxlen=most)
        self.count = 0
        self._now = now
        self._display = LiveDisplay(self.draw) if redraws() else None

    @exposed
    def __call__(self, *args: object, **kwargs: object) -> None:
        """Add an event."""
        self.count += 1
        self.events.append((self._now(), (*args, *kwargs.items())))
        if self._display is not None:
            self._display.changed()
        else:
            say(f"{self.title}: {self._line(args)}")

    def draw(self) -> Bundle:
        """Return how it looks now."""
        newest = list(reversed(self.events))
        rows = [(f"{when:%H:%M:%S}", self._line(what)) for when, what in newest]
        told = f"{self.title}: {self.count}"
        plain = "\n".join([told, *[printable(" ".join(row)) for row in rows]])
        return {"text/plain": plain, "text/html": table(("", told), rows)}

    @staticmethod
    def _line(what: tuple[object, ...]) -> str:
        return shortened(", ".join([in_short(each) for each in what[:10]]))


def say(text: str) -> None:
    """Print a line, in a terminal."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()
