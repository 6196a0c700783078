"""Tests of objects that an asyncio loop watches as a reactor does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone, ConnectionFdescWentAway
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from tests.aio.running import NewLoop, each_loop, run, until
from tests.work.doubles import logged
from txremote.aio.descriptors import Descriptors


class End:
    """One end of a pipe."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False
        self.read: list[bytes] = []
        self.writes = 0
        self.lost: list[BaseException | None] = []
        self.serve: Callable[[], Any] | None = None

    def fileno(self) -> int:
        return self.number

    def logPrefix(self) -> str:
        return "end"

    def close(self) -> None:
        """Close it once: its number may be another's from then on."""
        if not self.closed:
            self.closed = True
            os.close(self.number)

    def doRead(self) -> Any:
        if self.serve is not None:
            return self.serve()
        data = os.read(self.number, 100)
        self.read.append(data)
        return None if data else CONNECTION_DONE

    def doWrite(self) -> Any:
        self.writes += os.write(self.number, b"x")

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason.value)


@contextmanager
def pipe() -> Iterator[tuple[Any, Any]]:
    ends = os.pipe()
    try:
        yield End(ends[0]), End(ends[1])
    finally:
        for number in ends:
            try:
                os.close(number)
            except OSError:  # the test has closed it
                continue


@each_loop
def test_what_can_be_read_and_written_is_told(new_loop: NewLoop) -> None:
    async def main() -> None:
        loop = Descriptors(asyncio.get_running_loop())
        with pipe() as (reads, writes):
            loop.addReader(reads)
            loop.addReader(reads)
            loop.addWriter(writes)
            loop.addWriter(writes)
            assert (loop.getReaders(), loop.getWriters()) == ([reads], [writes])
            await until(lambda: writes.writes and reads.read)
            loop.removeWriter(writes)
            loop.removeWriter(writes)
            seen = writes.writes
            await until(lambda: len(b"".join(reads.read)) == seen)
            loop.removeReader(reads)
            os.write(writes.number, b"unread")
            await asyncio.sleep(0.02)
            assert (writes.writes, len(b"".join(reads.read))) == (seen, seen)
            loop.addReader(reads)
            await until(lambda: reads.read[-1] == b"unread")
            writes.close()
            await until(lambda: reads.lost)
            assert [type(why) for why in reads.lost] == [ConnectionDone]
            assert loop.removeAll() == []

    run(main, new_loop)


@each_loop
def test_one_that_fails_or_has_closed_itself_is_dropped(new_loop: NewLoop) -> None:
    def fail() -> None:
        raise ValueError("broken")

    async def main() -> None:
        loop = Descriptors(asyncio.get_running_loop())
        with pipe() as (broken, writes), pipe() as (gone, others):
            for end, other in ((broken, writes), (gone, others)):
                loop.addReader(end)
                os.write(other.number, b"x")
            broken.serve = fail
            gone.fileno = lambda: -1
            await until(lambda: broken.lost and gone.lost)
            assert [type(end.lost[0]) for end in (broken, gone)] == [
                ValueError,
                ConnectionFdescWentAway,
            ]
            assert loop.removeAll() == []

    with logged() as lines:
        run(main, new_loop)
    assert len(lines) == 1
    assert "broken" in lines[0]


@each_loop
def test_a_closed_loop_watches_nothing(new_loop: NewLoop) -> None:
    """All that it watched has been told, and may be taken out still."""
    loop = new_loop()

    async def main() -> Descriptors:
        ours = Descriptors(loop)
        ours.addSystemEventTrigger("before", "shutdown", lambda: None)
        ours.addReader(reads)
        return ours

    with pipe() as (reads, _writes):
        ours = loop.run_until_complete(main())
        loop.close()
        ours.removeReader(reads)
        ours.removeWriter(reads)
        assert [str(why) for why in reads.lost] == [
            "Connection to the other side was lost in a non-clean fashion: the event loop was "
            "closed."
        ]


def test_what_a_loop_cannot_do_is_refused() -> None:
    async def main() -> None:
        loop = Descriptors(asyncio.get_running_loop())
        with pytest.raises(ValueError, match="not of 'startup'"):
            loop.addSystemEventTrigger("before", "startup", print)
        with pytest.raises(ValueError, match="usePTY"):
            loop.spawnProcess(None, "true", usePTY=True)  # type: ignore[arg-type]
        called: list[int] = []
        loop.callWhenRunning(called.append, 1)
        assert called == [1]

    run(main, asyncio.new_event_loop)
