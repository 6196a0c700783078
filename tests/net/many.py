"""
Several servers in memory, lines to them, and their time. Not a test file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

import txremote
from tests.net.clockwork import advance
from txremote import Connection, connect, exposed
from txremote.config import make_config
from txremote.net.line import Manner
from txremote.net.line_pool import LinePool
from txremote.net.members import PICKERS, Target
from txremote.peer.immediate import ImmediateExecutor
from txremote.peer.imports import ReleaseSweeper
from txremote.testing import MemoryTransport, Pair

#: 2, 4, 8, 10, 10... seconds, and always the same quarter of one on top.
POLICY = backoffPolicy(initialDelay=1, factor=2, maxDelay=10, jitter=lambda: 0.25)


class Counter(txremote.Service):
    """What each server offers: it counts its calls."""

    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.waiting: list[Deferred[Any]] = []

    @exposed
    def note(self, what: Any) -> Any:
        """Note that this call ran."""
        self.ran.append(what)
        return what

    @exposed
    def wait(self) -> Deferred[Any]:
        """Do not answer."""
        self.waiting.append(Deferred())
        return self.waiting[-1]


@implementer(IStreamClientEndpoint)
class Site:
    """
    A server in memory that can go and come.

    Attributes:
        up: Whether it can be reached; None: a try to does not end.
        stuck: Whether it does nothing, though its connections are open.
        dialled: When it was tried.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self.up: bool | None = True
        self.stuck = False
        self.dialled: list[float] = []
        self.pairs: list[Pair] = []
        self.counter = Counter()

    def __repr__(self) -> str:
        return self.name

    def connect(self, protocolFactory: Any) -> Any:
        """Connect a client in memory."""
        self.dialled.append(self.clock.seconds())
        if self.up is None:
            return Deferred()
        if not self.up:
            return fail(ConnectionRefusedError("nobody there"))
        client = protocolFactory.buildProtocol(UNIXAddress("memory"))
        server = Connection(
            self.counter,
            executor=ImmediateExecutor(self.clock),
            config=make_config(None),
            clock=self.clock,
            sweeper=ReleaseSweeper(self.clock),
        )
        server.makeConnection(MemoryTransport())
        client.makeConnection(MemoryTransport())
        self.pairs.append(Pair(client, server, self.clock))
        return succeed(client)

    def pump(self) -> None:
        """Pass on what is on its way."""
        if not self.stuck:
            for pair in self.pairs:
                pair.pump()

    def lose(self, up: bool | None) -> None:
        """Break its connections."""
        self.up = up
        for pair in self.pairs:
            if not pair.client.closed:
                pair.lose()

    @property
    def connected(self) -> int:
        """How many connections it has."""
        return sum(not pair.client.closed for pair in self.pairs)


class Town:
    """
    Some sites, a pool of lines to those that are listed, and their time. It is the pool's owner,
    and says where its places are.

    Attributes:
        told: What the pool has said.
        reached: The connections that it said are there.
        asked: How often it asked for places.
    """

    why_none = "the town is empty"

    def __init__(
        self,
        names: str,
        pick: str = "least-busy",
        lines: int = 1,
        listed: str | None = None,
        **manner: Any,
    ) -> None:
        self.clock = Clock()
        self.sites = {name: Site(name, self.clock) for name in names}
        self.told: list[Any] = []
        self.reached: list[Connection] = []
        self.asked = 0
        self.changed: Any = lambda _targets: None
        self.known: Sequence[Target] = ()
        self.listed = names if listed is None else listed
        dial = partial(connect, dialect="6", timeout=30, reactor=self.clock)
        manner = {"retry_policy": POLICY, **manner}
        self.pool = LinePool(
            self,
            "the town",
            self,
            PICKERS[pick]("a key"),
            lambda where: dial(where),
            Manner(self.clock, **manner),
            lines,
        )

    # -- as the pool's targets

    def start(self, changed: Any) -> None:
        """Tell of the places that are listed."""
        self.changed = changed
        self.list(self.listed)

    def list(self, names: str, **loads: float) -> None:
        """List some sites, and no other."""
        self.listed = names
        self.changed(
            [Target(name, name, self.sites[name], loads.get(name)) for name in self.listed]
        )

    def ask(self) -> None:
        """Count that it was asked."""
        self.asked += 1

    def stop(self) -> Deferred[None]:
        """Say no more."""
        self.changed = lambda _targets: None
        return succeed(None)

    # -- as the pool's owner

    def went_live(self, connection: Connection) -> None:
        """Note it."""
        self.reached.append(connection)
        self.told.append("live")

    def attempt_failed(self, failure: Failure) -> None:
        """Note it."""
        self.told.append("failed")

    def was_refused(self, error: UnauthorizedLogin) -> None:
        """Note it."""
        self.told.append("refused")

    # -- time

    def settle(self) -> None:
        """Let happen what happens without any time going by."""
        for _ in range(20):
            self.clock.advance(0)
            for site in self.sites.values():
                site.pump()

    def advance(self, seconds: float) -> None:
        """Let time go by, with what is due in it happening when it is due."""
        advance(self.clock, seconds, self.settle)

    def begin(self) -> Town:
        """Start the pool."""
        self.pool.start()
        self.settle()
        return self

    def end(self) -> None:
        """Stop the pool; nothing is left of it."""
        ended: list[object] = []
        self.pool.stop().addCallback(ended.append)
        self.settle()
        assert ended == [None]
        assert self.connected == dict.fromkeys(self.sites, 0)
        assert self.clock.getDelayedCalls() == []

    # -- calls

    @property
    def connected(self) -> dict[str, int]:
        """How many connections each site has."""
        return {name: site.connected for name, site in self.sites.items()}

    def call(self, method: str = "note", *args: Any) -> Deferred[Any] | None:
        """Call a method where the pool says; None: it has no connection."""
        usable = self.pool.usable
        if usable is None:
            return None
        root: Any = usable.root
        return root.callRemote(method, *args)  # type: ignore[no-any-return]

    def spread(self, calls: int) -> str:
        """Make some calls, each when the last is answered, and return which sites had them."""
        ran = []
        for _ in range(calls):
            self.call("note", len(ran))
            self.settle()
            for name, site in self.sites.items():
                if site.counter.ran:
                    ran.append(name)
                    site.counter.ran.clear()
        return "".join(ran)
