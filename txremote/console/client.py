"""
`ConsoleClient`: the connection of one client of the line console.

Bytes go through `TelnetLines` to a `Dialogue`. The connection adds:

* Back-pressure. When the transport's buffer is full the dialogue pauses; a client that reads
  nothing for some time is dropped. Its keys are still read, so it can interrupt what it cannot
  follow. (And TLS has to read in order to write.)
* A limit on lines typed ahead.
* Half-closed connections (``nc -N``): all that the client has sent is answered first.
* Protection against browsers: any web page can have one send a request, commands in its body, to a
  port of its own machine, so a request of HTTP is hung up on.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.console import DEFAULT_MAX_LINE
from txremote.console.dialogue import Dialogue, Sessions
from txremote.console.telnet import Key, TelnetLines
from txremote.levels import Logger
from txremote.net.transport import prepare
from txremote.peer.naming import address_text

_log = Logger("txremote")

# Most bytes of telnet's answers that wait for a client to read.
_MAX_OWED: Final = 4096

_HTTP = re.compile(r"[A-Z]+ \S+ HTTP/\d")


@dataclass(frozen=True)
class ConsoleLimits:
    """The limits of one client."""

    max_line: int = DEFAULT_MAX_LINE  # bytes
    max_ahead: int = 1_000  # lines that may wait for the one before them, about
    patience: float = 60.0  # seconds that a client may leave its output unread


class Encoder:
    """
    Encodes text for clients, whose lines end with CR LF.

    The text that came last is encoded once: many clients may be shown the same.
    """

    def __init__(self) -> None:
        self._last = ""
        self._encoded = b""

    def __call__(self, text: str) -> bytes:
        """Return a text as it is sent."""
        if text is not self._last:
            ends = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
            self._last, self._encoded = text, ends.encode("utf-8", "replace")
        return self._encoded


class IConsoleTransport(ITCPTransport, IPushProducer, IConsumer):
    """A transport as the console uses it: Twisted's streams have all of this."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class ConsoleClient(Protocol):
    """One client. For the reactor's thread. ``ended`` is called when the connection has ended."""

    transport: IConsoleTransport

    def __init__(
        self,
        sessions: Sessions,
        clock: IReactorTime,
        limits: ConsoleLimits,
        ended: Callable[[ConsoleClient], object],
        encode: Callable[[str], bytes] | None = None,
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._ended = ended
        self._encode = encode or Encoder()
        self._lines = TelnetLines(limits.max_line)
        self._dialogue = Dialogue(sessions, self, clock)
        # drops the client, which does not read: there is one while the buffer is full
        self._drop_timer: IDelayedCall | None = None
        self._owed = b""  # telnet's answers, until the client reads
        self._reading = True
        self._may_read = True  # until the client has closed its half
        self._first = True
        self._leaving = False

    def connectionMade(self) -> None:
        """Greet the client."""
        prepare(self.transport)
        _keep_urgent_in_line(self.transport)
        self.transport.registerProducer(self, True)
        self._dialogue.start()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the client."""
        events, answer = self._lines.receive(data)
        self._answer(answer)
        for event in events:
            if self._leaving:
                return
            self._take(event)
        self._read_or_pause()

    def readConnectionLost(self) -> None:
        """Answer all that has come, and leave: the client sends nothing more."""
        self._may_read = False
        for event in self._lines.finish():
            self._take(event)
        self._dialogue.end_input()

    def writeConnectionLost(self) -> None:
        """Leave: the client reads nothing more."""
        self.leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the dialogue."""
        self._leaving = True
        self._cancel_drop()
        self._dialogue.hang_up()
        self._ended(self)

    def pauseProducing(self) -> None:
        """Stop writing: the buffer is full."""
        if self._drop_timer is None:
            self._drop_timer = self._clock.callLater(self._limits.patience, self._drop)
            self._dialogue.pause()

    def resumeProducing(self) -> None:
        """Go on: the buffer is empty."""
        if self._drop_timer is not None:
            self._cancel_drop()
            owed, self._owed = self._owed, b""
            self._answer(owed)
            self._dialogue.resume()

    def stopProducing(self) -> None:
        """Do nothing: `connectionLost` comes as well."""

    def write(self, text: str) -> None:
        """Send some text."""
        self.transport.write(self._encode(text))
        if not self._reading:
            self._read_or_pause()

    def prompt(self, text: str) -> None:
        """Send the prompt."""
        self.write(text)

    def leave(self) -> None:
        """Close the connection once all is sent, or drop it if the client does not read."""
        if self._leaving:
            return
        self._leaving = True
        self.transport.unregisterProducer()
        if self._drop_timer is None:
            self._drop_timer = self._clock.callLater(self._limits.patience, self._drop)
        self.transport.loseConnection()

    def dismiss(self, sentence: str) -> None:
        """Show the client why, and close the connection."""
        self._dialogue.show_notice(sentence)
        self.leave()

    def drop(self) -> None:
        """Close the connection at once."""
        self.transport.abortConnection()

    def _take(self, event: str | Key) -> None:
        if event is Key.INTERRUPT:
            self._dialogue.interrupt()
        elif event is Key.END:
            self._dialogue.end_input()
        elif event is Key.TOO_LONG:
            self._dialogue.show_notice(
                f"a line of more than {self._limits.max_line} bytes is not taken (max_line)"
            )
        elif isinstance(event, str):
            if self._first and _HTTP.search(event):
                _log.warn("the console hangs up on a web browser: {line!r}", line=event)
                self._leaving = True
                self.drop()
            else:
                self._dialogue.receive_line(event)
            self._first = False

    def _answer(self, data: bytes) -> None:
        """Send an answer of telnet's, when the client reads."""
        if self._drop_timer is not None:
            self._owed = (self._owed + data)[:_MAX_OWED]
        elif data and not self._leaving:
            self.transport.write(data)

    def _read_or_pause(self) -> None:
        wanted = len(self._dialogue.lines_ahead) < self._limits.max_ahead
        if wanted != self._reading and self._may_read and not self._leaving:
            self._reading = wanted
            if wanted:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    def _cancel_drop(self) -> None:
        if self._drop_timer is not None and self._drop_timer.active():
            self._drop_timer.cancel()
        self._drop_timer = None

    def _drop(self) -> None:
        _log.warn(
            "the console drops {peer}, which has read nothing for {seconds:g} s",
            peer=address_text(self.transport.getPeer()),
            seconds=self._limits.patience,
        )
        self.drop()


def _keep_urgent_in_line(transport: object) -> None:
    """Keep urgent data in its place: telnet's DATA MARK belongs to the bytes about it."""
    handle = getattr(transport, "getHandle", object)()
    if isinstance(handle, socket.socket) and handle.family != socket.AF_UNIX:
        with suppress(OSError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
