"""
Streams and channels as programs handle them: RPyC's ``SocketStream``, ``PipeStream``
and ``Channel`` (``rpyc.core.stream``, ``rpyc.core.channel``).

A program makes one and hands it to `connect_stream`, `connect_channel` or `Connection`, which
owns the socket or pipe from then on. Until then the program can read and write it, in
blocking calls: a `Channel` in RPyC's frames.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import sys
from typing import IO, Any, Self, TypeAlias

from txremote.blocking.channel import ByteChannel, PipeChannel, SocketChannel, TLSChannel
from txremote.blocking.sockets import CONNECT_TIMEOUT, open_socket, tls_context
from txremote.errors import RemoteProtocolError
from txremote.wire.framing import FrameReader, compress_frame, frame
from txremote.wire.limits import DEFAULT_LIMITS

#: Most bytes of one read or write.
CHUNK = 64_000
#: An open file, or its descriptor.
File: TypeAlias = IO[bytes] | int
_HEAD = 5
_FLUSHER = 1


class Stream:
    """A stream of bytes, both ways (``rpyc.core.stream.Stream``)."""

    MAX_IO_CHUNK = CHUNK

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        raise NotImplementedError

    def close(self) -> None:
        """Close it."""
        raise NotImplementedError

    def fileno(self) -> int:
        """Return the descriptor to wait on for reading."""
        raise NotImplementedError

    def _receive(self, count: int) -> bytes:
        raise NotImplementedError

    def _send(self, data: memoryview) -> int:
        raise NotImplementedError

    def poll(self, timeout: float | None) -> bool:
        """Tell whether there is something to read within some seconds; None waits for ever."""
        readable, _, _ = select.select([self.fileno()], [], [], timeout)
        return bool(readable)

    def read(self, count: int) -> bytes:
        """Read a number of bytes, or raise EOFError if the stream ends before."""
        found = bytearray()
        while len(found) < count:
            try:
                part = self._receive(min(self.MAX_IO_CHUNK, count - len(found)))
            except TimeoutError:
                continue
            except OSError as error:
                self.close()
                raise EOFError(str(error)) from error
            if not part:
                self.close()
                raise EOFError("connection closed by peer")
            found += part
        return bytes(found)

    def write(self, data: bytes) -> None:
        """Write all of it, or raise EOFError if the other end is gone."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._send(rest[: self.MAX_IO_CHUNK]) :]
            except OSError as error:
                self.close()
                raise EOFError(str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class SocketStream(Stream):
    """A connected socket, plain or with TLS (``rpyc.SocketStream``)."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        *,
        family: int = socket.AF_INET,
        socktype: int = socket.SOCK_STREAM,
        proto: int = 0,
        timeout: float | None = CONNECT_TIMEOUT,
        nodelay: bool = True,
        keepalive: bool | int = False,
        ipv6: bool = False,
    ) -> Self:
        """
        Connect over TCP, or raise OSError; as RPyC's, with a time-out of 30 seconds in
        place of 3.
        """
        found = open_socket(
            host,
            port,
            family=socket.AF_INET6 if ipv6 else family,
            socktype=socktype,
            proto=proto,
            timeout=timeout,
            nodelay=nodelay,
            keepalive=keepalive,
        )
        found.settimeout(None)
        return cls(found)

    @classmethod
    def unix_connect(cls, path: str, timeout: float | None = CONNECT_TIMEOUT) -> Self:
        """Connect to a UNIX socket, or raise OSError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(path)
            sock.settimeout(None)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    @classmethod
    def ssl_connect(cls, host: str, port: int, ssl_kwargs: dict[str, Any], **kwargs: Any) -> Self:
        """
        Connect over TLS; other arguments are those of `connect`.

        Args:
            ssl_kwargs: RPyC's: ``certfile`` ``keyfile`` ``ca_certs`` ``cert_reqs``
                ``ssl_version`` ``ciphers`` ``check_hostname``; others go to
                `ssl.SSLContext.wrap_socket`.

        Raises:
            OSError: it cannot be reached, or TLS fails.
        """
        context, options = tls_context(ssl_kwargs)
        plain = cls.connect(host, port, **kwargs)
        try:
            plain.sock.settimeout(kwargs.get("timeout", CONNECT_TIMEOUT))
            plain.sock = context.wrap_socket(plain.sock, server_hostname=host, **options)
            plain.sock.settimeout(None)
        except BaseException:
            plain.close()
            raise
        return plain

    @property
    def closed(self) -> bool:
        return self.sock.fileno() < 0

    def close(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # it was not connected any more
            pass
        self.sock.close()

    def fileno(self) -> int:
        """Return the socket's descriptor, or raise EOFError if it is closed."""
        if self.closed:
            raise EOFError("stream has been closed")
        return self.sock.fileno()

    def poll(self, timeout: float | None) -> bool:
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        return super().poll(timeout)

    def _receive(self, count: int) -> bytes:
        return self.sock.recv(count)

    def _send(self, data: memoryview) -> int:
        return self.sock.send(data)


class PipeStream(Stream):
    """Two pipes, one for each direction (``rpyc.core.PipeStream``)."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        outgoing.flush()
        self.incoming = incoming
        self.outgoing = outgoing

    @classmethod
    def from_std(cls) -> Self:
        """Take the standard streams; the program's prints go to standard error then."""
        taken = cls(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
        quiet = os.open(os.devnull, os.O_RDONLY)
        os.dup2(quiet, 0)
        os.close(quiet)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return taken

    @classmethod
    def create_pair(cls) -> tuple[Self, Self]:
        """Return two streams that are connected to each other."""
        (read_here, write_there), (read_there, write_here) = os.pipe(), os.pipe()
        return (
            cls(os.fdopen(read_here, "rb"), os.fdopen(write_here, "wb")),
            cls(os.fdopen(read_there, "rb"), os.fdopen(write_there, "wb")),
        )

    @property
    def closed(self) -> bool:
        return self.incoming.closed

    def close(self) -> None:
        self.incoming.close()
        self.outgoing.close()

    def fileno(self) -> int:
        return self.incoming.fileno()

    def _receive(self, count: int) -> bytes:
        return os.read(self.incoming.fileno(), count)

    def _send(self, data: memoryview) -> int:
        return os.write(self.outgoing.fileno(), data)


class Channel:
    """
    A stream of packets, in RPyC's frames (``rpyc.Channel``), over a `SocketStream` or a
    `PipeStream`. With ``compress`` long packets are compressed where that pays.
    """

    def __init__(self, stream: Stream, compress: bool = True) -> None:
        self.stream = stream
        self.compress = compress

    @property
    def closed(self) -> bool:
        """Whether the stream is closed."""
        return self.stream.closed

    def close(self) -> None:
        """Close the stream."""
        self.stream.close()

    def fileno(self) -> int:
        """Return the descriptor to wait on for reading."""
        return self.stream.fileno()

    def poll(self, timeout: float | None) -> bool:
        """Tell whether there is something to read within some seconds."""
        return self.stream.poll(timeout)

    def send(self, data: bytes) -> None:
        """Send a packet, or raise EOFError if the other end is gone."""
        whole = frame(data)
        self.stream.write(compress_frame(whole) if self.compress else whole)

    def recv(self) -> bytes:
        """
        Wait for a packet, and return it. Raises EOFError when the stream ends, and
        RemoteProtocolError for a packet that is longer than `DEFAULT_LIMITS` allow, or none.
        """
        head = self.stream.read(_HEAD)
        length = int.from_bytes(head[:4], "big")
        if length > DEFAULT_LIMITS.max_frame:
            raise RemoteProtocolError(
                f"a packet of {length} bytes is longer than {DEFAULT_LIMITS.max_frame} "
                "(option max_frame)"
            )
        [packet] = FrameReader().feed(head + self.stream.read(length + _FLUSHER))
        if not isinstance(packet, bytes):
            raise RemoteProtocolError(
                f"a packet inflates to more than {DEFAULT_LIMITS.max_inflated} bytes "
                "(option max_inflated)"
            )
        return packet


def byte_channel_of(channel: Channel | Stream) -> ByteChannel:
    """Return a channel for a connection's bytes over a program's own, or raise EOFError."""
    stream = channel.stream if isinstance(channel, Channel) else channel
    if isinstance(stream, SocketStream):
        stream.fileno()
        if isinstance(stream.sock, ssl.SSLSocket):
            return TLSChannel(stream.sock)
        return SocketChannel(stream.sock)
    if isinstance(stream, PipeStream):
        return PipeChannel(own_descriptor(stream.incoming), own_descriptor(stream.outgoing))
    raise TypeError(
        f"a {type(stream).__name__} cannot carry a connection: hand in a SocketStream or a "
        "PipeStream, or Channel() of one"
    )


def own_descriptor(file: File) -> int:
    """Return a file's descriptor, as one that no other object will close."""
    if isinstance(file, int):
        return file
    descriptor = os.dup(file.fileno())
    file.close()
    return descriptor
