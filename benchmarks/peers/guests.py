"""
Clients that are served while others attack: what each asks is checked, all the
time. No contestant; for `fort`.

They are of all kinds: in a reactor, one of them behind a login and one behind TLS;
scripts of txremote's blocking facet; stock RPyC clients.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from time import perf_counter
from typing import Any

import rpyc
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

import txremote
import txremote.blocking
from benchmarks.peers.fort_goods import some_orders
from txremote.net.tls import tls_client

REACTOR = True

#: Seconds between two rounds of a guest.
PAUSE = 0.05

#: Seconds after which a guest calls a call lost.
PATIENCE = 20.0

_HELLO = b"\x00guest" * 100


class Guest:
    """
    What is known of one guest.

    Attributes:
        name: Of what kind it is.
        rounds: How often it was served.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.rounds = 0


def check(found: Any, expected: Any) -> None:
    """Raise if an answer is wrong."""
    if found != expected:
        raise AssertionError(f"{found!r:.100} in place of {expected!r:.100}")


class Guests:
    """All of them, and how they fare."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._guests: list[Guest] = []
        self._errors: list[str] = []
        self._slowest = 0.0
        self._pauses: list[Any] = []
        self._hurry = threading.Event()

    def report(self) -> dict[str, Any]:
        """
        Tell how they have fared since the last time.

        Returns:
            ``rounds`` of each, by name and number; ``errors``; ``slowest``, the
            seconds that the slowest round took.
        """
        found = {
            "rounds": {f"{g.name} {i}": g.rounds for i, g in enumerate(self._guests)},
            "errors": self._errors,
            "slowest": self._slowest,
        }
        for guest in self._guests:
            guest.rounds = 0
        self._errors = []
        self._slowest = 0.0
        return found

    async def all_served(self) -> None:
        """Wait until each has been served once; nobody pauses meanwhile."""
        self._hurry.set()
        for pause in self._pauses:
            if pause.active():
                pause.reset(0)
        try:
            while not all(guest.rounds for guest in self._guests):
                if self._errors:
                    raise AssertionError("; ".join(self._errors))
                await deferLater(self._reactor, 0.002)
        finally:
            self._hurry.clear()

    def _pause(self) -> Deferred[None]:
        over: Deferred[None] = Deferred()
        self._pauses = [pause for pause in self._pauses if pause.active()]
        self._pauses.append(self._reactor.callLater(PAUSE, over.callback, None))
        return over

    def _served(self, guest: Guest, started: float) -> None:
        guest.rounds += 1
        self._slowest = max(self._slowest, perf_counter() - started)

    def _failed(self, guest: Guest, error: BaseException) -> None:
        self._errors.append(f"{guest.name}: {type(error).__name__}: {error}"[:500])

    def come(self, name: str, root: Callable[[], Any]) -> None:
        """Have a guest in the reactor be served, over and over."""
        guest = Guest(name)
        self._guests.append(guest)

        async def go_on() -> None:
            number = 0
            while True:
                number += 1
                started = perf_counter()
                try:
                    await self._round(root(), number)
                except Exception as error:  # whatever it is, it should not have been
                    self._failed(guest, error)
                else:
                    self._served(guest, started)
                await self._pause()

        Deferred.fromCoroutine(go_on())

    async def _round(self, root: Any, number: int) -> None:
        def add(a: int, b: int) -> int:
            return a + b

        check(await root.add(number, 2), number + 2)
        check(await root.echo(_HELLO), _HELLO)
        check(await root.call(add, number, 3), number + 3)
        check(len(await root.things(3)), 3)
        orders, later = some_orders(number), timedelta(number)
        found = await root.goods.order(orders, later)
        check([each.since for each in found.values()], [each.since + later for each in orders])
        check([item async for item in root.goods.numbers(5)], list(range(5)))
        check(await root.goods.step().next().number(), 2)

    def come_blocking(self, name: str, connect: Callable[[], Any]) -> None:
        """Have a guest in a thread of its own be served, over and over."""
        guest = Guest(name)
        self._guests.append(guest)

        def go_on() -> None:
            number = 0
            root: Any = None
            while True:
                number += 1
                started = perf_counter()
                try:
                    if root is None:
                        root = connect().root
                    self._blocking_round(root, number)
                except Exception as error:  # as above
                    self._failed(guest, error)
                else:
                    self._served(guest, started)
                self._hurry.wait(PAUSE)

        threading.Thread(target=go_on, daemon=True).start()

    def _blocking_round(self, root: Any, number: int) -> None:
        def add(a: int, b: int) -> int:
            return a + b

        check(root.add(number, 2), number + 2)
        check(root.echo(_HELLO), _HELLO)
        check(root.call(add, number, 3), number + 3)
        check(len(root.things(3)), 3)
        check(list(root.goods.numbers(5)), list(range(5)))


async def connect(
    reactor: Any, ports: Mapping[str, int], tls: Mapping[str, str] | None = None
) -> Guests:
    """
    Return the guests, who have all been served once.

    Args:
        reactor: Where some of them live.
        ports: The doors ``plain``, ``login`` and ``tls``.
        tls: The paths ``ca`` and ``cert`` of whoever comes by the last; None if
            nobody does.
    """
    guests = Guests(reactor)
    patient = {"request_timeout": PATIENCE, "sync_request_timeout": PATIENCE}
    plain = f"tcp:127.0.0.1:{ports['plain']}"
    for _ in range(3):
        conn = await txremote.connect(plain, config=patient, reactor=reactor)
        guests.come("reactor", lambda conn=conn: conn.root)
    client = txremote.RemoteClient(
        f"tcp:127.0.0.1:{ports['login']}",
        config=patient,
        login=("ann", "secret"),
        reactor=reactor,
    )
    client.startService()
    guests.come("login", lambda: client.root)
    if tls is not None:
        where = tls_client(f"tcp:127.0.0.1:{ports['tls']}", tls["ca"], tls["cert"], reactor=reactor)
        secure = await txremote.connect(where, config=patient, reactor=reactor)
        guests.come("tls", lambda: secure.root)
    blocking = {"sync_request_timeout": PATIENCE}
    for _ in range(3):
        guests.come_blocking(
            "script",
            lambda: txremote.blocking.connect("127.0.0.1", ports["plain"], config=blocking),
        )
    for _ in range(2):
        guests.come_blocking(
            "rpyc", lambda: rpyc.connect("127.0.0.1", ports["plain"], config=blocking)
        )
    await guests.all_served()
    return guests
