"""
Large buffers of a job or its result, such as a numpy array's memory, kept out of its pickle.

Pickle's protocol 5 hands them over as views, so that their bytes are not copied into the pickle and
out of it. A small one costs less in the pickle. The views show the sender's own memory, so they
are copied once, by `txremote.work.sharedmemory`, before anyone may change it.
"""

from __future__ import annotations

from pickle import PickleBuffer

#: Bytes from which a buffer, or a whole pickle, goes by shared memory.
LEAST = 1 << 18


class Buffers(list[memoryview]):
    """The large buffers of one pickle, in order, each as a view of single bytes."""

    def take(self, buffer: PickleBuffer) -> bool:
        """Keep a buffer if it is large; tell whether it is to go into the pickle: pickle asks."""
        view = buffer.raw()
        if view.nbytes < LEAST:
            return True
        self.append(view)
        return False
