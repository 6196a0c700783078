"""
A binary file as an iterator of its pieces.

A file on a disk is read where its stream is sent, a piece at a time: that takes some microseconds.
A pipe, a terminal or a socket may have nothing to read for long, so it is read in a thread.
"""

from __future__ import annotations

import os
import stat
from typing import Any, Final

#: Bytes of a piece. With its head, one fits a message that is read in one go.
CHUNK: Final = 1 << 16


class FileChunks:
    """
    Gives the rest of a file in pieces, and closes it.

    Args:
        file: Opened for reading in binary mode.
        size: The most bytes of a piece; None for `CHUNK`, or less where a reader has little room.

    Raises:
        ValueError: it is a pipe that does not block.
    """

    __slots__ = ("_file", "_fits", "_read", "_size")

    def __init__(self, file: Any, size: int | None) -> None:
        self._file = file
        self._fits = size is None
        waits = may_wait(file)
        if waits and not _blocks(file):
            raise ValueError(
                "a stream of a pipe that does not block, and so would seem to end wherever it is "
                "empty: os.set_blocking(file.fileno(), True) before"
            )
        # of a pipe what is there, and not as much as was asked for
        self._read = file.read1 if waits and hasattr(file, "read1") else file.read
        self._size = CHUNK if size is None else size

    def fit(self, room: int) -> None:
        """Have no piece longer than a reader has room for, unless a length was asked for."""
        if self._fits:
            self._size = min(CHUNK, room)

    def __iter__(self) -> FileChunks:
        return self

    def __next__(self) -> bytes:
        try:
            data = self._piece()
        except BaseException:  # a stream that fails has ended
            self.close()
            raise
        if not data:
            self.close()
            raise StopIteration
        return data

    def _piece(self) -> bytes:
        data = self._read(self._size)
        if type(data) is bytes:
            return data
        if isinstance(data, (bytes, bytearray, memoryview)):
            return bytes(data)
        if data is None:
            raise BlockingIOError("a file that does not block has nothing to read now")
        raise TypeError(
            f"a file that gives {type(data).__name__}, not bytes: open it with mode 'rb'"
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._read = _nothing


def _nothing(_size: int) -> bytes:
    return b""


def _blocks(file: Any) -> bool:
    """Tell whether a pipe waits until there is something to read; a socket says if it does not."""
    number = file.fileno()
    return os.get_blocking(number) or stat.S_ISSOCK(os.fstat(number).st_mode)


def may_wait(file: Any) -> bool:
    """Tell whether reading a file may wait for somebody, as of a pipe or a socket."""
    try:
        number = file.fileno()
    except (AttributeError, OSError, ValueError):  # in memory, or in an archive
        return False
    if type(number) is not int:
        return False
    kind = os.fstat(number).st_mode
    return not (stat.S_ISREG(kind) or stat.S_ISBLK(kind))
