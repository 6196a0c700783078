"""
`nothing_collected`: what is needed to read the stack of another thread.

Before Python 3.12 the garbage collector may run where a frame's object is made, which is when it is
first asked for. A finalizer that lets the other thread go on there leaves that object without
its frame, and whatever is read of it ends the process.
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
