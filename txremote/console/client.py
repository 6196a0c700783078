"""
`ConsoleClient`: the connection of one client of the line console.

Bytes go through `TelnetLines` to a `Dialogue`, and what that writes goes back, with
CR LF at the end of each line. Here is what a socket adds to it:

* A client that does not read. The transport says when its buffer is full; then the
  dialogue pauses. If that does not change within some time the client is dropped. Its
  keys are still read: it may want to interrupt what it cannot follow. (And TLS has to
  read in order to write.)
* A client that sends faster than its commands run: past some lines it is not read
  until they are fewer.
* A client that closes its half of the connection (``nc -N``): what it has sent is
  answered before the connection is closed.
* A browser. Any web page can have one send a request to a port of its own machine,
  commands in its body, so what looks like a request is hung up on.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.console import DEFAULT_MAX_LINE
from txremote.console.dialogue import Dialogue, Sessions
from txremote.console.telnet import Key, TelnetLines
from txremote.net.transport import prepare

_log = Logger("txremote")

# Most bytes of telnet's answers that wait for a client to read.
_MAX_OWED = 4096

_HTTP = re.compile(r"[A-Z]+ \S+ HTTP/\d")


@dataclass(frozen=True)
class ConsoleLimits:
    """
    What one client may use.

    Attributes:
        max_line: Most bytes of a line.
        max_ahead: Most lines that may wait for the one before them, about.
        patience: Seconds that a client may leave its output unread.
    """

    max_line: int = DEFAULT_MAX_LINE
    max_ahead: int = 1_000
    patience: float = 60.0


@implementer(IHalfCloseableProtocol, IPushProducer)
class ConsoleClient(Protocol):
    """
    One client. For the reactor's thread.

    Args:
        sessions: Its sessions.
        clock: The reactor, for turns and time.
        limits: See `ConsoleLimits`.
        ended: Called with this object when the connection has ended.
    """

    def __init__(
        self,
        sessions: Sessions,
        clock: Any,
        limits: ConsoleLimits,
        ended: Callable[[ConsoleClient], object],
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._ended = ended
        self._lines = TelnetLines(limits.max_line)
        self._dialogue = Dialogue(sessions, self, clock)
        self._full: Any = None  # the call that drops the client, while it does not read
        self._owed = b""  # telnet's answers, until the client reads
        self._reading = True
        self._may_read = True  # until the client has closed its half
        self._first = True
        self._leaving = False

    # -- the transport's side

    def connectionMade(self) -> None:
        """Greet the client."""
        transport: Any = self.transport
        prepare(transport)
        _keep_urgent_in_line(transport)
        transport.registerProducer(self, True)
        self._dialogue.start()

    def dataReceived(self, data: bytes) -> None:
        """Take in what the client sends."""
        events, answer = self._lines.receive(data)
        self._answer(answer)
        for event in events:
            if self._leaving:
                return
            self._take(event)
        self._choose_whether_to_read()

    def readConnectionLost(self) -> None:
        """Answer what has come, and leave: the client will send nothing more."""
        self._may_read = False
        for event in self._lines.finish():
            self._take(event)
        self._dialogue.end_input()

    def writeConnectionLost(self) -> None:
        """Leave: the client reads nothing more."""
        self.leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything."""
        self._leaving = True
        self._cancel_drop()
        self._dialogue.hang_up()
        self._ended(self)

    def pauseProducing(self) -> None:
        """Stop writing: the client does not read what it has."""
        if self._full is None:
            self._full = self._clock.callLater(self._limits.patience, self._drop)
            self._dialogue.pause()

    def resumeProducing(self) -> None:
        """Go on: the client has read all."""
        if self._full is not None:
            self._cancel_drop()
            owed, self._owed = self._owed, b""
            self._answer(owed)
            self._dialogue.resume()

    def stopProducing(self) -> None:
        """Do nothing: `connectionLost` comes as well."""

    # -- the dialogue's side

    def write(self, text: str) -> None:
        """Send some text."""
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
        transport: Any = self.transport
        transport.write(text.encode("utf-8", "replace"))
        self._choose_whether_to_read()

    def prompt(self, text: str) -> None:
        """Send the prompt."""
        self.write(text)

    def leave(self) -> None:
        """Close the connection, once all is sent. Who does not read it is dropped."""
        if self._leaving:
            return
        self._leaving = True
        transport: Any = self.transport
        transport.unregisterProducer()
        if self._full is None:
            self._full = self._clock.callLater(self._limits.patience, self._drop)
        transport.loseConnection()

    # -- the factory's side

    def dismiss(self, sentence: str) -> None:
        """Tell the client why, and close the connection."""
        self._dialogue.say(sentence)
        self.leave()

    def drop(self) -> None:
        """Close the connection at once."""
        transport: Any = self.transport
        transport.abortConnection()

    # -- inside

    def _take(self, event: str | Key) -> None:
        if event is Key.INTERRUPT:
            self._dialogue.interrupt()
        elif event is Key.END:
            self._dialogue.end_input()
        elif event is Key.TOO_LONG:
            self._dialogue.say(
                f"a line of more than {self._limits.max_line} bytes is not taken (max_line)"
            )
        elif isinstance(event, str):
            if self._first and _HTTP.search(event):
                _log.warn("the console hangs up on a web browser: {line!r}", line=event)
                self._leaving = True
                self.drop()
            else:
                self._dialogue.typed(event)
            self._first = False

    def _answer(self, data: bytes) -> None:
        """Send an answer of telnet's, when the client reads."""
        if self._full is not None:
            self._owed = (self._owed + data)[:_MAX_OWED]
        elif data and not self._leaving:
            transport: Any = self.transport
            transport.write(data)

    def _choose_whether_to_read(self) -> None:
        wanted = self._dialogue.waiting < self._limits.max_ahead
        if wanted != self._reading and self._may_read and not self._leaving:
            self._reading = wanted
            transport: Any = self.transport
            transport.resumeProducing() if wanted else transport.pauseProducing()

    def _cancel_drop(self) -> None:
        if self._full is not None and self._full.active():
            self._full.cancel()
        self._full = None

    def _drop(self) -> None:
        peer = getattr(self.transport, "getPeer", lambda: None)()
        _log.warn(
            "the console drops {peer}, which has read nothing for {seconds:g} s",
            peer=peer,
            seconds=self._limits.patience,
        )
        self.drop()


def _keep_urgent_in_line(transport: Any) -> None:
    """
    Have urgent data stay where it is: telnet's DATA MARK comes as such, and without
    it the bytes about it mean something else.
    """
    try:
        handle = transport.getHandle()
        if handle.family != socket.AF_UNIX:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    except (AttributeError, OSError):  # no socket, or one behind TLS
        return
