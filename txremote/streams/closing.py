"""`CloseInTurn`: a plain iterator is closed when it is not at work, in whichever thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

T = TypeVar("T")


class CloseInTurn:
    """
    Takes turns between the steps of an iterator and its end.

    A step may call the reader, and serve it while it waits for the answer; and the reader leaves.
    So the end comes within a step, or in another thread, and is behind that step then.
    """

    __slots__ = ("_close", "_turn")

    def __init__(self) -> None:
        self._turn = Lock()
        self._close: Callable[[], object] | None = None

    def step(self, function: Callable[[], T]) -> T | None:
        """Take a step, and return what it returns; None: the iterator is being closed."""
        if not self._turn.acquire(blocking=False):
            return None
        try:
            return function()
        finally:
            self._turn.release()
            self._close_if_free()

    def close(self, close: Callable[[], object]) -> None:
        """Call a function, which raises nothing, once: now, or behind the step that is taken."""
        self._close = close
        self._close_if_free()

    def _close_if_free(self) -> None:
        # one that finds the turn taken leaves it to the other, which looks again afterwards
        while self._close is not None and self._turn.acquire(blocking=False):
            try:
                close, self._close = self._close, None
                if close is not None:
                    close()
            finally:
                self._turn.release()
