"""
The floor of the console: a server that writes lines to sockets, with `write` for
each line and socket, in turns of the reactor.

It knows three words: ``talk TASKS COUNT``, ``watch N`` and ``go``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import DeferredList
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import cooperate
from twisted.protocols.basic import LineReceiver

from benchmarks.peers.commands import LINE

REACTOR = True

#: What comes behind the last line.
END = "end\n"


class Floor(LineReceiver):
    """One client's connection."""

    delimiter = b"\n"
    #: For each task, the transports of those that watch it; and how many lines.
    audiences: list[list[Any]] = []
    count = 0

    def connectionMade(self) -> None:
        """Write at once, as the console does."""
        self.transport.setTcpNoDelay(True)

    def lineReceived(self, line: bytes) -> None:
        """Obey."""
        word, *numbers = line.decode().split()
        if word == "talk":
            Floor.audiences = [[] for _ in range(int(numbers[0]))]
            Floor.count = int(numbers[1])
        elif word == "watch":
            self.audiences[int(numbers[0])].append(self.transport)
        else:
            talking = [cooperate(_talk(who, self.count)) for who in self.audiences]
            all_have = DeferredList([each.whenDone() for each in talking])
            all_have.addCallback(lambda _all: self.transport.write(END.encode()))
            return
        self.transport.write(b"ready\n")


def _talk(audience: list[Any], count: int) -> Iterator[None]:
    for number in range(count):
        line = f"{LINE % number}\r\n".encode()
        for transport in audience:
            transport.write(line)
        yield
    for transport in audience:
        transport.write(END.encode())


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return (await endpoint.listen(Factory.forProtocol(Floor))).getHost().port
