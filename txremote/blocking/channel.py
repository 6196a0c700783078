"""
Byte channels for a plain thread: a socket, TLS over a socket, a pair of pipes.

A thread blocks in `ByteChannel.wait` only; `send` and `receive_now` never block. One thread
reads and one writes at a time, perhaps two different ones: `ChannelIO` sees to that. Any
thread may end the channel by `shutdown`, which wakes the others; `close` closes the
descriptors, and is for the time when no thread is in it any more.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
from collections.abc import Callable

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from txremote.eventloop import tcp

READ_SIZE = 65536
_LONG_READ_SIZE = 262144  # while long messages of a stream may come
_LONGEST = 1e9  # milliseconds: poll takes no more than 2**31, and who waits for longer asks again
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


def _milliseconds(timeout: float | None) -> float | None:
    """Return what poll takes for some seconds."""
    return None if timeout is None else min(max(0.0, timeout * 1000), _LONGEST)


class ByteChannel:
    """Carries a connection's bytes, and waits on its descriptors."""

    peer: IAddress
    host: IAddress  # of this end
    acknowledge: Callable[[], object] | None = None  # of TCP: see `SocketChannel`
    read_size = READ_SIZE  # bytes that are received at once, at most

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._reading = select.poll()
        self._reading.register(incoming, select.POLLIN)
        self._both = select.poll()
        self._both.register(outgoing, select.POLLOUT)
        if incoming == outgoing:
            self._both.modify(incoming, select.POLLIN | select.POLLOUT)
        else:
            self._both.register(incoming, select.POLLIN)
        self._writing = select.poll()
        self._writing.register(outgoing, select.POLLOUT)
        self._interrupter: tuple[int, int] | None = None
        self._interrupting = threading.Lock()  # it may be closed meanwhile

    def interruptible(self) -> None:
        """Make `interrupt` work for waits for bytes that begin from now on."""
        with self._interrupting:
            if self._interrupter is None:
                self._interrupter = os.pipe()
                for end in self._interrupter:
                    os.set_blocking(end, False)
                for polling in (self._reading, self._both):
                    polling.register(self._interrupter[0], select.POLLIN)

    def interrupt(self) -> None:
        """End the wait of the thread that waits for bytes, or else the next such wait."""
        with self._interrupting:
            if self._interrupter is not None:
                try:
                    os.write(self._interrupter[1], b"!")
                except BlockingIOError:  # enough of these are waiting already
                    return

    def wait(self, timeout: float | None, *, writable: bool = False) -> bool:
        """
        Sleep until there may be bytes to read, for some seconds at most; with ``writable``
        also until bytes can be sent. Tells whether there are bytes to read.
        """
        polling = self._both if writable else self._reading
        readable = False
        for descriptor, events in polling.poll(_milliseconds(timeout)):
            if descriptor == self._incoming:
                readable = bool(events & _READABLE)
            elif self._interrupter is not None and descriptor == self._interrupter[0]:
                os.read(descriptor, 100)
        return readable

    def wait_writable(self, timeout: float | None) -> None:
        """Sleep until bytes can be sent, or the time is over."""
        self._writing.poll(_milliseconds(timeout))

    def read_long(self, long: bool) -> None:
        """Receive more at once, or as much as ever."""
        self.read_size = _LONG_READ_SIZE if long else READ_SIZE

    def fileno(self) -> int:
        """Return the descriptor to wait on for reading."""
        raise NotImplementedError

    def receive_now(self) -> bytes | None:
        """Return the bytes that are there, ``b""`` at the end, None if there are none."""
        raise NotImplementedError

    def send(self, data: bytes | memoryview) -> int:
        """Send what can be sent now, and return how much that was."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """End the channel; a thread that waits on it wakes up."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the descriptors."""
        raise NotImplementedError

    def leave(self) -> None:
        """Close the descriptors in a forked process, whose parent goes on with its own."""
        self._interrupting = threading.Lock()  # a thread that is not here may have had it
        self.close()

    def peer_certificate_bytes(self) -> bytes | None:
        """Return the peer's certificate in DER; None if there is none, or no TLS."""
        return None

    def _close_interrupter(self) -> None:
        with self._interrupting:
            if self._interrupter is not None:
                for end in self._interrupter:
                    os.close(end)
                self._interrupter = None


class SocketChannel(ByteChannel):
    """A connected socket, which the channel owns from now on."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        super().__init__(sock.fileno(), sock.fileno())
        self._socket = sock
        self.peer = address_of(sock, sock.getpeername)
        self.host = address_of(sock, sock.getsockname)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive_now(self) -> bytes | None:
        try:
            return self._socket.recv(self.read_size)
        except (BlockingIOError, InterruptedError):
            return None

    def acknowledge(self) -> None:
        """Have TCP acknowledge at once what was received, and not 40 ms later."""
        if self._socket.family != socket.AF_UNIX:
            tcp.acknowledge(self._socket.setsockopt)

    def send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    def shutdown(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # not connected any more
            return

    def close(self) -> None:
        self._socket.close()
        self._close_interrupter()


class TLSChannel(SocketChannel):
    """A socket with TLS, after the handshake."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self._tls = sock
        sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]  # see receive_now
        # reading and writing share the TLS state
        self._exclusive = threading.Lock()

    def peer_certificate_bytes(self) -> bytes | None:
        with self._exclusive:
            return self._tls.getpeercert(binary_form=True)

    def wait(self, timeout: float | None, *, writable: bool = False) -> bool:
        with self._exclusive:
            if self._tls.pending():
                return True
        return super().wait(timeout, writable=writable)

    def receive_now(self) -> bytes | None:
        with self._exclusive:
            try:
                return self._tls.recv(READ_SIZE)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return None
            except ssl.SSLEOFError:  # without TLS's own end: anyone on the way can have cut it
                raise ConnectionResetError("the TLS connection was cut off") from None

    def send(self, data: bytes | memoryview) -> int:
        with self._exclusive:
            try:
                return self._tls.send(data)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return 0


class PipeChannel(ByteChannel):
    """Two pipes, such as the standard streams of a child process, by their descriptors."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        super().__init__(incoming, outgoing)
        os.set_blocking(incoming, False)
        os.set_blocking(outgoing, False)
        self.interruptible()  # a pipe has no other way to wake a thread that waits on it
        self.peer = self.host = UNIXAddress("pipe")
        self._descriptors = {incoming, outgoing}
        self._ended = False

    def fileno(self) -> int:
        return self._incoming

    def receive_now(self) -> bytes | None:
        if self._ended:
            return b""
        try:
            return os.read(self._incoming, self.read_size)
        except (BlockingIOError, InterruptedError):
            return None

    def send(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._outgoing, data)
        except (BlockingIOError, InterruptedError):
            return 0

    def wait(self, timeout: float | None, *, writable: bool = False) -> bool:
        return self._ended or super().wait(timeout, writable=writable) or self._ended

    def shutdown(self) -> None:
        self._ended = True
        self.interrupt()

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())
        self._close_interrupter()


def address_of(
    sock: socket.socket, read: Callable[[], tuple[str, int] | str | bytes]
) -> IPv4Address | IPv6Address | UNIXAddress:
    """Return an address of a socket, that of its peer or its own, which ``read`` gives."""
    try:
        name = read()
    except OSError:  # the peer has hung up already; reading will say why
        name = ("0.0.0.0", 0) if sock.family == socket.AF_INET else ("::", 0)
        name = "" if sock.family == getattr(socket, "AF_UNIX", None) else name
    if isinstance(name, str | bytes):  # bytes: an abstract name of Linux
        return UNIXAddress(name)
    kind = IPv4Address if sock.family == socket.AF_INET else IPv6Address
    return kind("TCP", *name[:2])
