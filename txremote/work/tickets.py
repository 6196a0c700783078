"""
Tickets: how two processes agree, without a word, on which jobs have begun.

A worker process is given some jobs ahead, so that it need not wait for its parent between two
short ones. That must not cost what a pool promises: a job that is cancelled before it began never
runs, a job whose worker died runs nowhere else, and a short job does not wait behind a long one
while another worker is idle. So parent and child must know of each job whether it has begun, even
when the child is in the middle of C code, and even when it is dead.

For each job the parent writes a ticket, its number, into a pipe of which *both* hold the reading
end. The child takes a ticket before it begins a job; the parent, when it wants jobs back, takes
what tickets there are. The kernel gives each ticket to one of them. Numbers grow, and a child that
takes ticket n drops what it holds of lower numbers: their tickets went back.

Since a child sends off the outcome of a job before it takes the next ticket, at most one job of a
worker has begun and has no outcome: the last whose ticket was taken. If the child dies, that is
the one that is lost.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

_TICKET = struct.Struct("<Q")

#: Most tickets in a pipe: one write of them is atomic (POSIX's least PIPE_BUF).
MOST_TICKETS = 512 // _TICKET.size


def take_ticket(reading_end: int) -> int | None:
    """Take the next ticket, a job's number, if there is one: the child's side. It never blocks."""
    try:
        data = os.read(reading_end, _TICKET.size)
    except BlockingIOError:
        return None
    return int(_TICKET.unpack(data)[0]) if data else None


class TicketPipe:
    """
    The parent's side. To be closed; it closes itself where its loop has ended before it could be.
    The child gets its `reading_end` as well.
    """

    _open = False  # as long as there are none

    def __init__(self) -> None:
        self.reading_end, self._writing_end = os.pipe()
        self._open = True
        os.set_blocking(self.reading_end, False)
        os.set_blocking(self._writing_end, False)

    def put(self, numbers: Iterable[int]) -> None:
        """Allow jobs to begin, in this order: at most `MOST_TICKETS` numbers, growing."""
        os.write(self._writing_end, b"".join([_TICKET.pack(number) for number in numbers]))

    def take_back(self) -> set[int]:
        """Take every ticket that the child has not taken: those jobs do not begin."""
        try:
            data = os.read(self.reading_end, MOST_TICKETS * _TICKET.size)
        except BlockingIOError:
            return set()
        return {number for (number,) in _TICKET.iter_unpack(data)}

    def close(self) -> None:
        """Give the descriptors back."""
        if self._open:
            self._open = False
            os.close(self.reading_end)
            os.close(self._writing_end)

    __del__ = close
