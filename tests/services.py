"""
Services for tests of twistd: what hangs, what stops the server, what fails.

Not a test file.
"""

from __future__ import annotations

import os
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

import txremote
from txremote import current_call, exposed, offloaded

#: Seconds that what ends by itself takes, once the server has begun to stop.
LATER = 0.3


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor


class Depot(txremote.Service):
    """Does what is asked, or does not."""

    @exposed
    def add(self, a: int, b: int) -> int:
        """Add."""
        return a + b

    @exposed
    def who(self) -> tuple[str | None, str | None]:
        """Tell who calls: the user, and the name in the certificate."""
        call = current_call()
        certificate = call.peer_certificate
        name = None if certificate is None else str(certificate.get_subject().CN)
        return call.user, name

    @exposed
    def outlast(self, number: int) -> Deferred[int]:
        """Give a number, some time after the server was told to stop."""
        answer: Deferred[int] = Deferred()
        reactor = _reactor()

        def stops() -> None:
            reactor.callLater(LATER, answer.callback, number)

        reactor.addSystemEventTrigger("before", "shutdown", stops)
        return answer

    @exposed
    def blob(self, size: int) -> bytes:
        """Give many bytes."""
        return bytes(size)

    @exposed
    def never(self) -> Deferred[None]:
        """Do not end, and print when the reason to is gone."""
        return Deferred(lambda _deferred: print("cancelled", flush=True))

    @exposed
    def stop(self) -> str:
        """Stop the server."""
        _reactor().stop()
        return "stopping"

    @exposed
    async def stop_and_wait(self) -> str:
        """Stop the server, and be done with it some time later."""
        reactor = _reactor()
        reactor.stop()
        await deferLater(reactor, LATER)
        return "stopped, nearly"

    @exposed
    @txremote.threaded
    def stop_from_thread(self) -> str:
        """Stop the server, from a thread."""
        reactor = _reactor()
        reactor.callFromThread(reactor.stop)
        time.sleep(LATER)
        return "stopped, nearly"

    @exposed
    def hold_a_thread(self) -> Deferred[None]:
        """Keep one of the reactor's threads busy, for ever."""
        return deferToThread(time.sleep, 3600)

    @exposed
    @offloaded
    def work(self, seconds: float) -> int:
        """Take some time, in a pool; give the process's id."""
        time.sleep(seconds)
        return os.getpid()

    @exposed
    def fail(self, text: str) -> None:
        """Raise."""
        raise ValueError(text)


class Stock:
    """A service of RPyC's shape, whose calls block."""

    def on_connect(self, conn: Any) -> None:
        """Nothing."""

    def on_disconnect(self, conn: Any) -> None:
        """Nothing."""

    def exposed_sleep(self, seconds: float) -> str:
        """Block."""
        print("asleep", flush=True)
        time.sleep(seconds)
        return "awake"


class Importer:
    """Commands for a console."""

    commands = ("hello",)
    asyncommands = ("forever",)

    def hello(self) -> str:
        """Greet."""
        return "hello"

    def forever(self) -> Any:
        """Go on."""
        try:
            while True:
                yield
        finally:
            os.write(1, b"the task has ended\n")  # what is printed is the task's output


shared = Depot()
