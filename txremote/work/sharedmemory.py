"""
Large values between a pool and its processes: files that are only memory, and have no name.

Both sides have such a file open from the start. The sender writes a value's bytes into it and sends
the *place* where they are; the receiver copies them from there into memory of its own, so that it
may change them, and nobody else sees that. A pool has one file for the jobs of all its processes,
and one for the results of each.

The file grows with every value. Its part that is done with is punched out, which gives the memory
back, and a place is never used twice. The parent does that for both directions, when it knows that
nobody reads there any more: a child may die at any time. When the last process that has the file
open is gone, however it ended, so is the memory. It has no name that could be left behind, and does
not depend on the size of ``/dev/shm``; the memory counts as its processes' own.

Linux only. Where there is no such file, and when it cannot take a value (no memory, a limit on the
size of files, too much that waits to be read), `SharedMemory.put` says so, and the value goes by
the pipe, whole.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import stat
from collections.abc import Callable, Sequence
from functools import cache
from threading import RLock

from txremote.wire.pages import fresh
from txremote.work.buffers import LEAST

#: Where the bytes of a value are: the offset of the first part, and of each part its size in
#: bytes and whether it may not be written to. The first part is the pickle.
Place = tuple[int, tuple[tuple[int, bool], ...]]

#: Most bytes of results that the parent has not read yet, if a child goes on ahead of it.
MOST_AHEAD = 1 << 30

_HUGE = 1 << 22  # bytes of a copy that is worth pages of its own
_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # of fallocate(2)
_Fallocate = Callable[[int, int, int, int], int]


class SharedMemory:
    """One file, as one of its processes has it. To be closed. For one thread at a time."""

    def __init__(self, descriptor: int, most: int | None = None) -> None:
        self.descriptor = descriptor
        self._most = most
        self._home = os.getpid()  # what a fork of it forgets is in use here
        self._end = 0
        self._read = 0
        # The collector may forget a value in any thread, and in the middle of anything: no hole
        # may be punched where the descriptor's number is another file's by now.
        self._lock = RLock()

    @classmethod
    def create(cls) -> SharedMemory | None:
        """Return a new file; None if the system has none, or no descriptor is left."""
        if _fallocate() is None:
            return None
        try:
            return cls(os.memfd_create("txremote"))
        except OSError:
            return None

    @classmethod
    def inherited(cls, descriptor: int, most: int | None = None) -> SharedMemory | None:
        """Return the file that the parent has opened; None if it had none to give."""
        return cls(descriptor, most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None

    def put(self, parts: Sequence[bytes | memoryview]) -> Place | None:
        """Copy the parts of a value; return where they are, or None if they cannot be taken."""
        begin = position = self._end
        views = [memoryview(part) for part in parts]
        try:
            if self._is_too_much(sum(view.nbytes for view in views)):
                return None
            for view in views:
                written = 0
                while written < view.nbytes:
                    count = os.pwrite(self.descriptor, view[written:], position)
                    position += count
                    written += count
        except OSError:  # no memory, or a limit on the size of files
            self._punch(begin, _whole_pages(position))
            return None
        self._end = _whole_pages(position)
        return begin, tuple((view.nbytes, view.readonly) for view in views)

    def _is_too_much(self, size: int) -> bool:
        if self._most is None:
            return False
        used = self.used()
        return bool(used) and used + size > self._most

    def take(self, place: Place) -> tuple[bytes | memoryview, list[memoryview]]:
        """
        Return the first part and copies of the others, for as long as the place is not freed.

        Raises:
            OSError: no memory is left.
        """
        position, ((size, _), *others) = place
        first = self._view(position, size) if size >= LEAST else self._copy(position, size)
        copies = []
        for length, readonly in others:
            position, size = position + size, length
            copy = self._copy(position, size)
            copies.append(copy.toreadonly() if readonly else copy)
        return first, copies

    def _view(self, position: int, size: int) -> memoryview:
        try:
            view = mmap.mmap(self.descriptor, size, access=mmap.ACCESS_READ, offset=position)
        except OSError:  # no descriptor is left
            return self._copy(position, size)
        return memoryview(view)

    def _copy(self, position: int, size: int) -> memoryview:
        copy = memoryview(fresh(size) if size >= _HUGE else bytearray(size))
        rest = copy
        while rest:
            count = os.preadv(self.descriptor, [rest], position)
            if not count:
                raise OSError(errno.EIO, "the shared memory is shorter than its sender said")
            position += count
            rest = rest[count:]
        return copy

    def free(self, place: Place) -> None:
        """Give the memory of a value back. The parent's side."""
        self._punch(place[0], _end(place))

    def free_until(self, place: Place) -> None:
        """Give the memory of a value back, and of all before it: for results, read in order."""
        self._punch(self._read, _end(place))
        self._read = _end(place)

    def _punch(self, begin: int, end: int) -> None:
        punch = _fallocate()
        with self._lock:
            ours = self.descriptor >= 0 and self._home == os.getpid()
            if ours and end > begin and punch is not None:
                punch(self.descriptor, _KEEP_SIZE | _PUNCH_HOLE, begin, end - begin)

    def used(self) -> int:
        """Return how many bytes of memory it takes."""
        return os.fstat(self.descriptor).st_blocks * 512

    def close(self) -> None:
        """Give the descriptor back, and the memory if nobody else has it open."""
        with self._lock:
            descriptor, self.descriptor = self.descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)

    __del__ = close


class Stored:
    """A value of the parent's in shared memory, until it is released or forgotten."""

    __slots__ = ("_memory", "place")

    def __init__(self, memory: SharedMemory, place: Place) -> None:
        self._memory: SharedMemory | None = memory
        self.place = place

    def release(self) -> None:
        """Give its memory back. May be called again."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.free(self.place)

    __del__ = release


def _end(place: Place) -> int:
    return _whole_pages(place[0] + sum(size for size, _readonly in place[1]))


def _whole_pages(position: int) -> int:
    return -(-position // mmap.PAGESIZE) * mmap.PAGESIZE


@cache
def _fallocate() -> _Fallocate | None:
    """Return fallocate(2), which Python's own `os` cannot have punch holes; None without it."""
    if not hasattr(os, "memfd_create") or ctypes.sizeof(ctypes.c_long) < ctypes.sizeof(
        ctypes.c_longlong
    ):
        return None
    function = getattr(ctypes.CDLL(None), "fallocate", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    return function
