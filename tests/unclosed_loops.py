"""
Loops of asyncio's that nobody closed. Not a test file.

Such a loop keeps two sockets until it is collected: in the middle of a later test perhaps, in
another file, which then fails now and then. A `LoopWatch` tells which test made it.
"""

from __future__ import annotations

import gc
import os
import weakref
from asyncio.base_events import BaseEventLoop
from typing import Any


class LoopWatch:
    """
    Notes each loop of asyncio's that is made from now on, and in which test.

    It puts functions in the place of two methods of `BaseEventLoop`, from which all loops that are
    written in Python derive.
    """

    def __init__(self) -> None:
        self._made: list[weakref.ref[BaseEventLoop]] = []
        self._lost: list[str] = []
        made, lost = BaseEventLoop.__init__, BaseEventLoop.__del__

        def make(loop: Any) -> None:
            made(loop)
            loop.made_in = os.environ.get("PYTEST_CURRENT_TEST", "no test")
            self._made.append(weakref.ref(loop))

        def lose(loop: Any, *args: Any) -> None:
            if not loop.is_closed():
                self._lost.append(loop.made_in)
            lost(loop, *args)

        BaseEventLoop.__init__ = make
        BaseEventLoop.__del__ = lose

    def lost(self) -> list[str]:
        """
        Return the tests that made loops that are gone and were not closed. Each is told once.

        A loop that somebody still has, such as one of a session's fixture, is none of them.
        """
        made, self._made[:] = self._made[:], []
        if any((loop := each()) is not None and not loop.is_closed() for each in made):
            loop = None
            gc.collect()
        found, self._lost[:] = self._lost[:], []
        return found
