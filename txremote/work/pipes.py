"""
Two pipes to a child process as one transport.

Reading and writing end apart from each other: a broken write is no end, since the other pipe may
still hold what a dead child has said, and only the end of what can be read is.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.work.ports import IPoolReactor

READ_SIZE = 65536


class PipeTransport(FileDescriptor):
    """The transport of a protocol that reads `incoming`; its own descriptor is `outgoing`."""

    def __init__(
        self, reactor: IPoolReactor, protocol: IProtocol, incoming: int, outgoing: int
    ) -> None:
        super().__init__(reactor)
        self._protocol = protocol
        self._outgoing = outgoing
        self._incoming = _Incoming(reactor, self, protocol, incoming)
        os.set_blocking(outgoing, False)
        self.connected = 1

    def open(self) -> None:
        """Connect the protocol, and begin to read."""
        self._protocol.makeConnection(self)
        self.reactor.addReader(self._incoming)

    def fileno(self) -> int:
        """Return the descriptor that is written to."""
        return self._outgoing

    def writeSomeData(self, data: bytes) -> int | BaseException:
        """Write what can be written now."""
        try:
            return os.write(self._outgoing, data)
        except BlockingIOError:
            return 0
        except OSError:
            return CONNECTION_LOST

    def connectionLost(self, reason: Failure) -> None:
        """Close the writing side; what can still be read is read."""
        if not self.disconnected:
            super().connectionLost(reason)  # type: ignore[no-untyped-call]
            os.close(self._outgoing)

    def pauseProducing(self) -> None:
        """Read nothing until `resumeProducing`."""
        self.reactor.removeReader(self._incoming)

    def resumeProducing(self) -> None:
        """Go on to read."""
        if not self._incoming.ended:
            self.reactor.addReader(self._incoming)

    def abortConnection(self) -> None:
        """Close both sides now."""
        self._incoming.connectionLost(Failure(CONNECTION_LOST))

    def drain(self) -> None:
        """Read what is there, and close: the child has ended, though others may hold its end."""
        incoming = self._incoming
        while not incoming.ended and incoming.read_some():
            continue
        incoming.connectionLost(Failure(CONNECTION_DONE))

    def getPeer(self) -> UNIXAddress:
        """Return an address that is of this machine."""
        return UNIXAddress(b"pipe")

    getHost = getPeer


@implementer(IReadDescriptor)
class _Incoming:
    """The reading side."""

    def __init__(
        self, reactor: IPoolReactor, outgoing: PipeTransport, protocol: IProtocol, fd: int
    ) -> None:
        self._reactor = reactor
        self._outgoing = outgoing
        self._protocol = protocol
        self._fd = fd
        self.ended = False
        os.set_blocking(fd, False)

    def fileno(self) -> int:
        return -1 if self.ended else self._fd

    def logPrefix(self) -> str:
        return "txremote"

    def read_some(self) -> bool:
        """Read once; tell whether there was anything."""
        try:
            data = os.read(self._fd, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        if data:
            self._protocol.dataReceived(data)
        return bool(data)

    def doRead(self) -> Any:  # an exception, which Twisted takes for the end
        try:
            data = os.read(self._fd, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self._protocol.dataReceived(data)
        return None

    def connectionLost(self, reason: Failure) -> None:
        if self.ended:
            return
        self.ended = True
        self._reactor.removeReader(self)
        os.close(self._fd)
        self._outgoing.connectionLost(reason)
        gone = ConnectionDone if reason.check(ConnectionDone) else ConnectionLost
        self._protocol.connectionLost(Failure(gone()))
