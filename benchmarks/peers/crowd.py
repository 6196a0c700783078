"""
Very many clients in one process, all of which stay and make calls: txremote's, and the
floor's, which send a frame and have it back.

They come from as many addresses of loopback as it takes, for a server lets in only
so many of one.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.protocols.basic import Int32StringReceiver

from benchmarks.peers import work
from txremote import connect as dial

REACTOR = True

#: How many come from one address: fewer than ``max_per_address``.
PER_ADDRESS = 1000

#: How many dial at the same time: fewer than the server's backlog.
AT_ONCE = 100

#: Descriptors that a process needs besides its connections.
OTHERS = 200


def check_file_limit(count: int) -> None:
    """
    Raise if this process may not have so many connections.

    Raises:
        OSError: it may not; the text says what to do.
    """
    if sys.platform == "win32":
        return
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # `benchmarks.child` has raised it
    if most != resource.RLIM_INFINITY and most < count + OTHERS:
        raise OSError(
            f"{count} clients need {count + OTHERS} open files, and the system's hard limit is "
            f"{most}: raise it (ulimit -Hn, or nofile in limits.conf)"
        )


_MESSAGE = b"x" * (work.FRAME - 4)

#: Makes one client's call.
Add = Callable[[int, int], "Deferred[int]"]


class Bare(Int32StringReceiver):
    """A client of the floor: the answer to a call is a frame that is as long as that."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Deferred[int], int]] = deque()

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def add(self, a: int, b: int) -> Deferred[int]:
        """Send one."""
        answer: Deferred[int] = Deferred()
        self._waiting.append((answer, a + b))
        self.sendString(_MESSAGE)
        return answer

    def stringReceived(self, string: bytes) -> None:
        answer, result = self._waiting.popleft()
        answer.callback(result)


class Crowd:
    """
    The clients.

    Args:
        reactor: Where they live.
        port: What they dial.
        bare: Whether they are the floor's.
    """

    def __init__(self, reactor: Any, port: int, bare: bool) -> None:
        self._reactor = reactor
        self._port = port
        self._bare = bare
        self._clients: list[Add] = []
        self._next = 0

    async def _dial(self, where: str) -> Add:
        if self._bare:
            return (await connectProtocol(clientFromString(self._reactor, where), Bare())).add
        connection = await dial(where, dialect="6", timeout=60, reactor=self._reactor)
        root = connection.root
        return lambda a, b: root.add(a, b)  # noqa: PLW0108  in full, as a program has it

    async def come(self, count: int) -> None:
        """Have so many more come, and each make a call."""
        check_file_limit(len(self._clients) + count)
        numbers = iter(range(len(self._clients), len(self._clients) + count))

        async def some() -> None:
            for number in numbers:
                address = f"127.0.2.{1 + number // PER_ADDRESS}"
                add = await self._dial(f"tcp:127.0.0.1:{self._port}:bindAddress={address}")
                work.check(await add(number, 2), number + 2)
                self._clients.append(add)

        await gatherResults([Deferred.fromCoroutine(some()) for _ in range(AT_ONCE)])

    async def call(self, count: int) -> float:
        """Make so many calls, each by the next client, as `work.pipelined` does."""

        def add(a: int, b: int) -> Deferred[int]:
            self._next = (self._next + 1) % len(self._clients)
            return self._clients[self._next](a, b)

        return await work.pipelined(add, count)

    async def all_there(self) -> int:
        """Have every one make a call; return how many there are."""
        start = perf_counter()
        for first in range(0, len(self._clients), AT_ONCE):
            some = self._clients[first : first + AT_ONCE]
            answers = await gatherResults([add(n, 1) for n, add in enumerate(some)])
            work.check(answers, [n + 1 for n in range(len(some))])
        work.check(perf_counter() - start < 120, True)
        return len(self._clients)


async def connect(reactor: Any, port: int, bare: bool = False) -> Crowd:
    """Return the crowd, nobody of whom has come yet."""
    return Crowd(reactor, port, bare)
