"""
Bytes between a connection and its channel, in the threads of the program.

Two *roles* say which thread may use the channel: one thread reads and one sends at a time. A
thread that finds another one sending leaves its bytes in `PumpTransport.out`: the sender
checks for more after it has released its role.

Sending never blocks for ever. While the socket is full the sender also reads, if no thread
does: two peers that send each other much at once must both get on.

The end of the connection, which the channel or the transport's ``ending`` brings, fails what
is pending and wakes every sleeper. The last thread that leaves the channel closes the
descriptors. `txremote.blocking.pump` describes the locks and their order.
"""

from __future__ import annotations

import ssl
import threading
from collections import deque
from collections.abc import Iterable
from time import monotonic

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost as TwistedConnectionLost,
)
from twisted.internet.interfaces import IAddress, IProtocol, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.blocking.channel import ByteChannel
from txremote.blocking.inbox import Inbox, PendingAnswer
from txremote.peer.connection import Connection
from txremote.peer.lifecycle import CLOSED


@implementer(ITransport)
class PumpTransport:
    """A `Connection` writes to this: bytes gather in ``out`` and `ChannelIO` sends them."""

    def __init__(self, channel: ByteChannel) -> None:
        self._channel = channel
        self.out: deque[bytes | memoryview] = deque()
        self.ending: Exception | None = None  # why the connection is to end when all is sent

    def write(self, data: bytes | memoryview) -> None:
        """Have bytes sent."""
        self.out.append(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Have bytes sent."""
        self.out.extend(data)

    def loseConnection(self) -> None:
        """Close when everything is sent."""
        self.ending = self.ending or ConnectionDone()

    def abortConnection(self) -> None:
        """Close at once."""
        self.out.clear()
        self.ending = ConnectionAborted()

    def getPeer(self) -> IAddress:
        """Return the peer's address."""
        return self._channel.peer

    def getHost(self) -> IAddress:
        """Return this end's address."""
        return self._channel.host

    def peer_certificate_bytes(self) -> bytes | None:
        """Return the peer's certificate in DER; None if there is none."""
        return self._channel.peer_certificate_bytes()


class ChannelIO:
    """Sends and reads the bytes of one connection, in any thread that has the role for it."""

    connection: Connection  # from `attach` on

    def __init__(self, channel: ByteChannel, lock: threading.RLock, inbox: Inbox) -> None:
        self.channel = channel
        self.transport = PumpTransport(channel)
        self.reading = threading.Lock()
        self.sending = threading.Lock()
        self._lock = lock
        self._inbox = inbox
        self._closing = threading.Lock()

    def attach(self, connection: Connection) -> None:
        """Start to send and read for a connection."""
        self.connection = connection
        protocol: IProtocol = connection
        with self._lock:
            protocol.makeConnection(self.transport)

    # -- reading

    def read(self, timeout: float | None) -> None:
        """Wait some seconds for bytes and give them to the connection. Only for the reader."""
        try:
            readable = self.channel.wait(timeout, writable=bool(self.transport.out))
        except (OSError, ValueError):  # closed by another thread
            return
        if readable:
            self.read_available()

    def read_available(self) -> None:
        """Give the connection the bytes that are there. Only for the reader."""
        try:
            data = self.channel.receive_now()
        except OSError as error:
            if self.connection.state is not CLOSED:
                self.lost(_how_lost(error))
            return
        if data:
            with self._lock:
                self.connection.dataReceived(data)
        elif data is not None:
            self.lost(ConnectionDone())

    def release_role(self, role: threading.Lock) -> None:
        """Stop being the reader, or the sender."""
        role.release()
        if self.connection.state is CLOSED:
            self._close_channel()
        if self._inbox.sleeping:  # tested here: mostly no thread sleeps, and a call is saved
            self._inbox.wake_one()

    # -- sending

    def flush(self, deadline: float | None = None, waiter: PendingAnswer | None = None) -> None:
        """
        Send the unsent bytes. Any thread, without the lock. At the deadline, or when the
        waiter is interrupted, the rest is left to the next flush or read.
        """
        out = self.transport.out
        # checked again after each release: a thread that wrote meanwhile left its bytes to us
        while out:
            if not self.sending.acquire(blocking=False):
                return
            try:
                if not self._send(deadline, waiter):
                    return
            finally:
                self.release_role(self.sending)
        if self.transport.ending is not None and self.connection.state is not CLOSED:
            self.lost(self.transport.ending)

    def flush_soon(self) -> None:
        """Send without waiting for the peer to read. Any thread, without the lock."""
        self.flush(monotonic())
        if self.transport.out and self.connection.state is not CLOSED:
            # no thread may wait for long, and this one may be a reactor's
            threading.Thread(target=self.flush, name="txremote sender", daemon=True).start()

    def _send(self, deadline: float | None, waiter: PendingAnswer | None) -> bool:
        """Send all. Only for the sender. Returns False if the deadline came, or the end."""
        out = self.transport.out
        while out:
            try:
                chunk = out.popleft()
            except IndexError:  # aborted
                break
            try:
                sent = self.channel.send(chunk)
            except OSError as error:
                self._broken(error)
                return False
            if sent < len(chunk):
                out.appendleft(memoryview(chunk)[sent:])
                if not sent:
                    if waiter is not None and waiter.interrupted:
                        return False
                    if not self._wait_to_send(deadline):
                        return False
        return True

    def _broken(self, error: OSError) -> None:
        """
        End the connection, for nothing can be sent any more. First read what the peer
        has sent, which may say why: an RPyC 5 hangs up on what it does not understand.
        """
        if not self.reading.acquire(blocking=False):
            return  # the reader will come to the end
        try:
            while self.connection.state is not CLOSED and self.channel.wait(0):
                self.read_available()
        except (OSError, ValueError):  # closed by another thread
            return
        finally:
            self.release_role(self.reading)
        self.lost(_how_lost(error))

    def _wait_to_send(self, deadline: float | None) -> bool:
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            return False
        if not self.reading.acquire(blocking=False):
            # another thread reads; try again soon, it may stop
            self.channel.wait_writable(0.05 if left is None else min(left, 0.05))
            return True
        try:
            if self.channel.wait(left, writable=True):
                self.read_available()
        except (OSError, ValueError):  # closed by another thread
            return False
        finally:
            self.release_role(self.reading)
        return self.connection.state is not CLOSED

    # -- ending

    def lost(self, reason: Exception) -> None:
        """End the connection, unless it has ended. Any thread, without the lock."""
        with self._lock:
            if self.connection.state is CLOSED:
                return
            self.transport.out.clear()
            self.connection.connectionLost(Failure(reason))
        self.channel.shutdown()
        self._close_channel()
        for _ in range(len(self._inbox.sleeping)):
            self._inbox.wake_one()

    def _close_channel(self) -> None:
        """
        Close the channel unless a thread is in it: its descriptors may be another file's
        from then on. A thread that is in it calls this on leaving.
        """
        with self._closing:
            if self.reading.acquire(blocking=False):
                if self.sending.acquire(blocking=False):
                    self.channel.close()
                    self.sending.release()
                self.reading.release()
        # a thread may have gone to sleep because it found the reader's role taken by us
        self._inbox.wake_one()


def _how_lost(error: OSError) -> Exception:
    """Return how a connection was lost, by the same exceptions as in a reactor."""
    return error if isinstance(error, ssl.SSLError) else TwistedConnectionLost(str(error))
