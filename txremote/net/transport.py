"""Prepare a transport once it is connected: TCP's options, and how to write to it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.tcp import Connection as TCPConnection

from txremote.eventloop.tcp import acknowledge, tune_keepalive
from txremote.peer.outbox import Writing
from txremote.wire.framing import Chunk

# Of a longer message the reactor sends part after part anyway.
_SEND_AT_ONCE = 65536

# Of long messages, where Twisted reads 64 KiB. So much may also wait in its buffer to be sent
# before it says that it is full.
_READ_AT_ONCE = 262144

Turns = Callable[[Callable[[], None]], object]

# By the id of the reactor, which each of them keeps. They are not kept here: an asyncio loop that
# is closed has a reactor that is to go with it.
_turns: WeakValueDictionary[int, Turns] = WeakValueDictionary()


def is_tls(transport: Any) -> bool:
    """Tell whether a transport is TLS."""
    return _tls_write(transport) is not None or getattr(transport, "tls", False)


def prepare(transport: Any) -> Writing:
    """
    Set a transport's options, and tell how it is to be written to.

    TLS is written to record by record until the peer is known: Twisted merges small writes into
    one record, and a stock RPyC peer would not see a second frame in it until more bytes come.
    """
    separate = _tls_write(transport)
    if separate is None and (own := getattr(transport, "writing", None)) is not None:
        writing: Writing = own(_acknowledge if _tune_tcp(transport) else None)  # it is asyncio's
        return writing
    acknowledge, gather = None, _next_turn(transport)
    if separate is not None:
        # TLS's own handle is OpenSSL's, not the socket
        acknowledge = _acknowledge_tls if _tune_tcp(transport.transport) else None
    elif ITCPTransport.providedBy(transport):
        acknowledge = _acknowledge if _tune_tcp(transport) else None
    if separate is None and isinstance(transport, FileDescriptor):
        if isinstance(transport, TCPConnection):
            return Writing(
                now=_write_now,
                acknowledge=acknowledge,
                gather=gather,
                parts=_write_parts,
                read=_read_long,
            )
        return Writing(now=_write_now, acknowledge=acknowledge, gather=gather)
    return Writing(separate=separate, acknowledge=acknowledge, gather=gather)


def _next_turn(transport: Any) -> Turns | None:
    """Return what calls a function in the next turn of a transport's reactor, if it tells that."""
    while transport is not None:
        reactor = getattr(transport, "reactor", None)
        if reactor is not None:
            return _turns_of(reactor)
        transport = getattr(transport, "transport", None)  # TLS's is another's
    return None


def _turns_of(reactor: Any) -> Turns:
    """Return one for all connections of a reactor, which goes with the last of them."""
    turns = _turns.get(id(reactor))
    if turns is None:
        turns = _turns[id(reactor)] = partial(reactor.callLater, 0)
    return turns


def _write_now(transport: FileDescriptor, data: Chunk) -> None:
    """
    Write, and send what can be sent at once, as asyncio's transports do.

    Left to the reactor it would go out in the next turn, and the peer would wait for that.
    An error is left for the reactor to find, which then ends the connection.
    """
    if isinstance(data, memoryview):
        _write_long(transport, data)
        return
    if (
        len(data) <= _SEND_AT_ONCE
        and transport.connected
        and not transport.disconnecting
        and not transport.dataBuffer
        and not getattr(transport, "_tempDataBuffer", True)
    ):
        sent: Any = transport.writeSomeData(data)
        if type(sent) is int and sent > 0:
            if sent == len(data):
                return
            data = data[sent:]
    transport.write(data)


def _read_long(transport: Any, long: bool) -> None:
    """Have it read much at once, where long messages come, or as much as ever."""
    if long:
        transport.bufferSize = _READ_AT_ONCE
    else:
        transport.__dict__.pop("bufferSize", None)


def _write_parts(transport: Any, parts: list[bytes]) -> None:
    """Do as `_write_now`, without putting the parts of a long frame together before."""
    if (
        transport.connected
        and not transport.disconnecting
        and not transport.dataBuffer
        and not getattr(transport, "_tempDataBuffer", True)
    ):
        try:
            sent = transport.socket.sendmsg(parts)
        except OSError:  # nothing fits, or the reactor is to find what is wrong
            sent = 0
        for index, part in enumerate(parts):
            if sent < len(part):
                parts = [part[sent:], *parts[index + 1 :]]
                break
            sent -= len(part)
        else:
            return
    transport.writeSequence(parts)


def _write_long(transport: Any, data: memoryview) -> None:
    """
    Write what nobody changes, without the copy that Twisted's transports make of all that they
    are given: where nothing waits before it, it becomes what is sent next.
    """
    waiting = transport.dataBuffer or getattr(transport, "_tempDataBuffer", True)
    if waiting or not transport.connected or transport.disconnecting:
        transport.write(bytes(data))
        return
    transport.dataBuffer = data[:-1]
    transport.offset = 0
    transport.write(bytes(data[-1:]))  # starts to write, and tells the producer how much waits


def _acknowledge(transport: Any) -> None:
    acknowledge(transport.getHandle().setsockopt)


def _acknowledge_tls(transport: Any) -> None:
    _acknowledge(transport.transport)


def _tune_tcp(transport: Any) -> bool:
    """Set the options of a transport; tell whether it is TCP's, and has them."""
    try:
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        handle = transport.getHandle()
    except (AttributeError, OSError):  # TLS over something that is no socket
        return False
    set_option = getattr(handle, "setsockopt", None)
    if set_option is None or getattr(handle, "family", None) == socket.AF_UNIX:
        return False
    tune_keepalive(set_option)
    return True


def _tls_write(transport: Any) -> Callable[[bytes], None] | None:
    try:
        from twisted.protocols.tls import TLSMemoryBIOProtocol
    except ImportError:  # without pyOpenSSL there is no TLS
        return None
    if isinstance(transport, TLSMemoryBIOProtocol):
        # the class's own write, beneath the one that gathers small writes
        return partial(TLSMemoryBIOProtocol.write, transport)
    return None
