"""
Two pipes as one transport: each end has an end of its own.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor, ITransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from zope.interface.verify import verifyObject

from tests.work.child_processes import descriptors, until
from txremote.work.pipes import READ_SIZE, PipeTransport


class Listener(Protocol):
    def __init__(self) -> None:
        self.heard = b""
        self.ends: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ends.append(reason.type)


class Child:
    """The other ends of the pipes."""

    def __init__(self) -> None:
        gc.collect()  # what other tests have left open is closed now, and not amid this one
        self.before = descriptors()
        self.reads, outgoing = os.pipe()
        incoming, self.writes = os.pipe()
        self.protocol = Listener()
        self.transport = PipeTransport(reactor, self.protocol, incoming, outgoing)
        self.transport.open()

    def close(self, *which: str) -> None:
        for name in which or ("reads", "writes"):
            if getattr(self, name) is not None:
                os.close(getattr(self, name))
                setattr(self, name, None)


@pytest.fixture
def child() -> Iterator[Child]:
    found = Child()
    yield found
    found.close()
    found.transport.abortConnection()
    assert descriptors() <= found.before


def test_it_is_a_transport(child: Child) -> None:
    """A Connection finds what it looks for."""
    verifyObject(ITransport, child.transport)
    verifyObject(IReadDescriptor, child.transport._incoming)
    assert child.transport.getPeer() == child.transport.getHost()


@pytest_twisted.ensureDeferred
async def test_bytes_go_both_ways(child: Child) -> None:
    """Written bytes arrive."""
    child.transport.write(b"hello")
    os.write(child.writes, b"hello yourself")
    await until(lambda: child.protocol.heard)
    assert child.protocol.heard == b"hello yourself"
    assert os.read(child.reads, 100) == b"hello"


@pytest_twisted.ensureDeferred
async def test_more_than_a_pipe_holds(child: Child) -> None:
    """Writing never blocks; what does not fit goes when there is room."""
    sent = os.urandom(1 << 20)
    child.transport.write(sent)
    os.set_blocking(child.reads, False)
    found = b""

    def read() -> bool:
        nonlocal found
        try:
            found += os.read(child.reads, 1 << 20)
        except BlockingIOError:
            return False
        return len(found) == len(sent)

    await until(read)
    assert found == sent


@pytest_twisted.ensureDeferred
async def test_reading_pauses_and_goes_on(child: Child) -> None:
    """It is the incoming pipe that is not read meanwhile."""
    child.transport.pauseProducing()
    os.write(child.writes, b"hello")
    for _ in range(3):
        await deferLater(reactor, 0)
    assert child.protocol.heard == b""
    child.transport.resumeProducing()
    await until(lambda: child.protocol.heard)
    assert child.transport not in reactor.getReaders()


@pytest_twisted.ensureDeferred
async def test_what_was_said_before_the_end_is_heard(child: Child) -> None:
    """A child that dies breaks what is written to it, not what it has said."""
    os.write(child.writes, b"x" * 3000)
    child.close("reads")
    child.transport.write(b"are you there?")
    await until(lambda: not child.transport.connected)
    assert child.protocol.ends == []
    await until(lambda: len(child.protocol.heard) == 3000)
    os.write(child.writes, b"and good-bye")
    child.close("writes")
    await until(lambda: child.protocol.ends)
    assert child.protocol.heard.endswith(b"and good-bye")
    assert child.protocol.ends == [ConnectionDone]


@pytest_twisted.ensureDeferred
async def test_the_end_of_what_is_read_is_the_end(child: Child) -> None:
    """It is told once, and closes both sides."""
    child.close("writes")
    await until(lambda: child.protocol.ends)
    assert child.protocol.ends == [ConnectionDone]
    assert os.read(child.reads, 100) == b""


def test_draining(child: Child) -> None:
    """All that is there is read, though somebody else may hold the other end."""
    other = os.dup(child.writes)
    try:
        os.set_blocking(child.writes, False)
        sent = os.write(child.writes, b"y" * (3 * READ_SIZE // 2 - READ_SIZE // 2))
        child.transport.drain()
        assert child.protocol.heard == b"y" * sent
        assert child.protocol.ends == [ConnectionDone]
        child.transport.drain()
        assert child.protocol.ends == [ConnectionDone]
    finally:
        os.close(other)


def test_aborting(child: Child) -> None:
    """Both sides are closed at once, and writing does nothing any more."""
    child.transport.abortConnection()
    assert child.protocol.ends == [ConnectionLost]
    child.transport.write(b"too late")
    assert os.read(child.reads, 100) == b""


@pytest_twisted.ensureDeferred
async def test_closing_when_everything_is_sent(child: Child) -> None:
    """loseConnection lets what is written go out, and hears the other side to its end."""
    child.transport.write(b"the last word")
    child.transport.loseConnection()
    await until(lambda: not child.transport.connected)
    assert os.read(child.reads, 100) == b"the last word"
    assert os.read(child.reads, 100) == b""
    assert child.protocol.ends == []
    child.close("writes")
    await until(lambda: child.protocol.ends)
