"""
`nothing_collected`: what is needed to read the stack of another thread.

Before Python 3.12 the garbage collector may run in the middle of that, and with it finalizers of
the program's: servers have ended by a segmentation fault there. From 3.12 on it runs elsewhere.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Keep the garbage collector off, where it may run while a frame's object is made."""
    off = sys.version_info < (3, 12) and gc.isenabled()
    if off:
        gc.disable()
    try:
        yield
    finally:
        if off:
            gc.enable()
