"""
A worker's link in the parent, turned by hand; with real processes it is tested in test_child.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost
from txremote.work import plainphase
from txremote.work.workerlink import NotReady, WorkerLink

MOST = 1000


class Peer:
    """Takes the transport, and the bytes that are the wire's."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = False

    def makeConnection(self, transport: StringTransport) -> None:
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, _reason: Failure) -> None:
        self.lost = True


class Worker:
    """Notes what its link tells."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.told.append((name, *args))


@pytest.fixture
def link() -> Any:
    """A link that is connected."""
    made: Any = WorkerLink(Worker(), MOST, Peer)  # type: ignore[arg-type]
    made.makeConnection(StringTransport())
    return made


def packed(*message: object) -> bytes:
    """Return a message as the process sends it."""
    data = plainphase.pack(message, MOST)
    assert data is not None
    return data


def failure_of(waiting: Deferred[Any]) -> Any:
    """Return the error of a Deferred that has failed."""
    found: list[Failure] = []
    waiting.addErrback(found.append)
    return found[0].value


def test_the_settings_are_answered(link: Any) -> None:
    """The process is ready, or says why not."""
    ready: list[object] = []
    link.prepare(["path"], 10, 100, 0).addCallback(ready.append)
    assert link.transport.value() == packed(plainphase.PREPARE, ["path"], 10, 100, 0)
    link.dataReceived(packed(plainphase.READY))
    assert ready == [None]
    refused = link.prepare(["path"], 10, 100, -5)
    link.dataReceived(packed(plainphase.NOT_READY, "not allowed"))
    error = failure_of(refused)
    assert isinstance(error, NotReady)
    assert str(error) == "not allowed"


def test_events_of_jobs(link: Any) -> None:
    """They reach the worker in their order."""
    told = [
        (plainphase.LOADED, 3),
        (plainphase.RETURNED, 3),
        (plainphase.OUTCOME, 3, 1, b"x"),
        (plainphase.NEED_PEER,),
    ]
    link.dataReceived(b"".join(packed(*each) for each in told))
    assert link._events.told == [
        ("job_loaded", 3),
        ("job_returned", 3),
        ("job_outcome", 3, 1, b"x"),
        ("peer_needed",),
    ]


def test_the_change_to_a_peer(link: Any) -> None:
    """Outcomes before it are heard; all that comes after it is the peer's."""
    peers: list[Peer] = []
    link.become_peer().addCallback(peers.append)
    assert link.transport.value() == packed(plainphase.PEER)
    assert not link.plain
    link.dataReceived(packed(plainphase.OUTCOME, 1, 1, b"x") + packed(plainphase.PEER) + b"wi")
    link.dataReceived(b"re")
    assert [peer.heard for peer in peers] == [b"wire"]
    assert link._events.told == [("job_outcome", 1, 1, b"x")]
    link.connectionLost(Failure(ConnectionLost()))
    assert peers[0].lost


def test_nothing_waits_for_a_process_that_is_gone(link: Any) -> None:
    """Neither who waits already, nor who comes late."""
    early = link.prepare([], 10, 100, 0)
    link.connectionLost(Failure(ConnectionLost()))
    for waiting in (early, link.become_peer()):
        assert isinstance(failure_of(waiting), ConnectionLost)
    assert link._events.told == [("link_lost",)]


@pytest.mark.parametrize(
    "data", [b"\xff" * 8, packed(plainphase.PEER), packed(plainphase.OUTCOME, 1)[:8] + b"\xff" * 9]
)
def test_nonsense(link: Any, data: bytes) -> None:
    """The worker hears of it, once, and of nothing that comes after it."""
    link.dataReceived(data + b"\0" * 100)
    link.dataReceived(packed(plainphase.OUTCOME, 1, 1, b"x"))
    assert [each[0] for each in link._events.told] == ["nonsense"]
