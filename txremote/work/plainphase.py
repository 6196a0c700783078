"""
How a worker process and its parent speak before they are peers: messages of plain values.

To be a peer takes Twisted, whose import takes most of a process's start, and most jobs need none: a
call as bytes goes there, and bytes come back. So both sides begin with messages: 8 bytes of length,
and a tuple as `marshal` has it, whose first item is its kind. The parent sends PREPARE, and JOBs;
the child answers READY or NOT_READY, and with an OUTCOME for each job.

A job with a time-out is LOADED when its time begins. It has RETURNED when its outcome takes an
import of what plain jobs do without, which is none of its time.

Either side may need more: a reference in a job or a result, a value that is too large for one
message. The child says NEED_PEER then; the parent says PEER, and nothing until the child has said
PEER, too. All that follows, in both directions, is the wire. Jobs that were sent before it have
their outcomes as calls of the parent's root.

Nobody but the program's two halves has these pipes. The interpreter is the same, so `marshal` is.
"""

from __future__ import annotations

import marshal
import struct
from typing import Any, Final

#: The descriptors that a worker inherits, beside the standard ones. The last two are files of
#: shared memory, for large jobs and for large results, or no regular files where there are none.
REQUESTS, ANSWERS, TICKETS, LARGE_JOBS, LARGE_RESULTS = 3, 4, 5, 6, 7

#: The environment variable that tells a worker its parent's `sys.path`.
PATH_VARIABLE = "TXREMOTE_PATH"

#: The number of the job that sets up a worker: before all others.
INITIALIZER = 0

#: The first item of a reply to a job.
DONE, FAILED, DROPPED = 1, 0, -1

#: A value larger than this travels in parts of this size, in bytes: a frame of the
#: wire has a 32-bit length.
PART = 1 << 30

#: The first item of a message of the parent: (PREPARE, path, level, size of parts, nice, names that
#: the path hides), (JOB, number, name, timed, payload).
PREPARE, JOB = 1, 2

#: Of both.
PEER = 3

#: Of the child: (READY,), (NOT_READY, why), (LOADED, number), (RETURNED, number),
#: (OUTCOME, number, *reply), (NEED_PEER,).
READY, NOT_READY, LOADED, RETURNED, OUTCOME, NEED_PEER = 4, 5, 6, 7, 8, 9

#: Most bytes of a message, beside the payload of a job or result.
BESIDE: Final = 1 << 16

Message = tuple[Any, ...]
_HEADER: Final = struct.Struct("<Q")


def pack(message: Message, most: int) -> bytes | None:
    """Return a message as bytes, or None if it is longer than that, or holds no plain values."""
    try:
        body = marshal.dumps(message)
    except ValueError:
        return None
    return _HEADER.pack(len(body)) + body if len(body) <= most + BESIDE else None


class _ThisProcess:
    is_worker = False  # whether it is a worker process of a pool


this_process = _ThisProcess()


class Messages:
    """
    Cuts bytes into messages. `rest` is what belongs to none yet.

    Args:
        most: Longest payload, in bytes.
    """

    def __init__(self, most: int) -> None:
        self.rest = bytearray()
        self._most = most

    def feed(self, data: bytes) -> None:
        """Take in bytes."""
        self.rest += data

    def next(self) -> Message | None:
        """Return the next message, if it is whole. ValueError: that is none."""
        rest = self.rest
        if len(rest) < _HEADER.size:
            return None
        (size,) = _HEADER.unpack_from(rest)
        if size > self._most + BESIDE:
            raise ValueError(f"a message of {size} bytes")
        end = _HEADER.size + size
        if len(rest) < end:
            return None
        try:
            with memoryview(rest) as view:
                message = marshal.loads(view[_HEADER.size : end])
        except (EOFError, TypeError) as problem:
            raise ValueError(str(problem)) from None
        del rest[:end]
        if type(message) is not tuple or not message:
            raise ValueError("a message that is no tuple")
        return message
