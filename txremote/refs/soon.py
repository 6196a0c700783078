"""
`soon`: functions that bring each other about, called in a loop and not one within the other.

Results that depend on each other come in chains. Each link, called within the one before, would
take its part of the stack, and a long chain all of it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class _Due(threading.local):
    """The functions that are to be called in this thread."""

    def __init__(self) -> None:
        self.functions: deque[Callable[[], object]] = deque()
        self.running = False


_due = _Due()


def soon(function: Callable[[], object]) -> None:
    """Call a function that raises nothing: now, or behind the one that is being called so."""
    due = _due
    due.functions.append(function)
    if due.running:
        return
    due.running = True
    try:
        while due.functions:
            due.functions.popleft()()
    finally:
        due.running = False
