"""
A client of several servers that a registry names, while anything happens to any of them.

`World.do` is one thing that happens. What has to hold at any time is checked after each, and what
has to hold in the end when nothing is wrong any more. In memory, with a fake clock.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings, strategies as st
from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from tests.examples import examples
from tests.net.clockwork import advance
from tests.net.many import Counter, Site
from tests.peer.pairs import Outcome
from txremote import (
    Connection,
    ConnectionLost,
    DeadReferenceError,
    RegistryUnreachable,
    RemoteClient,
    ServerStopping,
    exposed,
)
from txremote.net.members import PICKERS
from txremote.registry.asking import TIMEOUT, within
from txremote.registry.keeping import Watchable
from txremote.registry.ports import Place
from txremote.registry.urls import registry_url

NAMES = "abc"

#: Seconds in which all is well, once nothing is wrong any more: a silent connection is found and
#: lost, the next try is waited for, and has an answer.
HEALED = 60 + 30 + 11 + 30

Step = tuple[str, Any]


class Shop(Counter):
    """What each server offers: it notes its calls, and answers some when it is told to."""

    @exposed
    def hold(self, what: int) -> Deferred[Any]:
        """Note it, and do not answer."""
        self.ran.append(what)
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def answer(self) -> None:
        """Answer all calls."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            if not each.called:
                each.callback("held")


class Loop(Clock):
    """A clock, as a loop whose endpoints are sites."""

    def __init__(self) -> None:
        super().__init__()
        self.sites = {name: Site(name, self) for name in NAMES}
        for site in self.sites.values():
            site.counter = Shop()

    def adapted(self, endpoint: Any) -> Site:
        """Return the site at a UNIX socket's path."""
        return self.sites[endpoint._path]


class Listing(Watchable):
    """
    A registry in memory.

    Attributes:
        listed: The sites that it names.
        manner: Whether it answers ``"now"``, is ``"away"``, ``"silent"``, or answers ``"late"``
            with what was so when it was asked.
    """

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(registry_url("rpyc://10.0.0.1"), clock)
        self.listed = set(NAMES)
        self.manner = "now"

    def find(self, name: str) -> Deferred[tuple[Place, ...]]:
        """Return the places."""
        places = tuple(Place(each, 0, "unix") for each in sorted(self.listed))
        answer: Deferred[Any] = {
            "now": lambda: succeed(places),
            "away": lambda: fail(RegistryUnreachable("nobody there")),
            "silent": Deferred,
            "late": lambda: deferLater(self._clock, 1.3, lambda: places),  # type: ignore[arg-type]
        }[self.manner]()
        return within(answer, TIMEOUT, self._clock, self.url)

    def register(self, names: tuple[str, ...], place: Place) -> Any:
        """Not for this test."""
        raise NotImplementedError

    def list(self) -> Deferred[tuple[str, ...]]:
        """Not for this test."""
        raise NotImplementedError


class World:
    """The servers, their registry, a client of theirs and its calls."""

    def __init__(self, pick: str, lines: int, retry: float) -> None:
        self.pick, self.lines = pick, lines
        self.greeting = "well"
        self.loop = Loop()
        self.sites = self.loop.sites
        self.registry = Listing(self.loop)
        self.client = RemoteClient(
            "registry:shop",
            registry=self.registry,  # type: ignore[arg-type]
            reactor=self.loop,
            dialect="6",
            pick=pick,
            sticky_key="a key",
            connections=lines,
            wait_timeout=12,
            on_connect=self.greet,
            retry_policy=backoffPolicy(retry, 10, 2, lambda: 0.25),
        )
        self.client.startService()
        self.calls: list[Any] = []
        self.outcomes: list[Outcome] = []
        self.hurt: list[set[str]] = []  # of each call, which sites were hurt since it was made
        self.earlier: dict[str, list[int]] = {name: [] for name in NAMES}  # that ran before the end
        self.last = ""  # the site that a sticky client's calls go to

    # -- what happens

    def do(self, what: str, which: Any) -> None:
        """Have something happen, and what that brings about without any time going by."""
        getattr(self, f"do_{what}")(which)
        self.settle()

    def do_time(self, seconds: float) -> None:
        """Let time go by; where it is much, what is due within half a second happens at once."""
        most = 0.5 if seconds > 5 else seconds
        for _ in range(int(seconds / most) if most else 0):
            if most == 0.5:
                self.loop.advance(most)
                self.settle()
            else:
                advance(self.loop, most, self.settle)

    def do_call(self, method: str) -> None:
        """Make a call."""
        self.calls.append(getattr(self.client.root, method)(len(self.calls)))
        self.outcomes.append(Outcome(self.calls[-1]))
        self.hurt.append({name for name, site in self.sites.items() if site.stuck})

    def do_cancel(self, number: int) -> None:
        """Give a call up, the last or one before it."""
        if number < len(self.calls):
            self.calls[-1 - number].cancel()

    def do_answer(self, name: str) -> None:
        """Answer the calls that a server has."""
        self.sites[name].counter.answer()  # type: ignore[attr-defined]

    def do_come(self, name: str) -> None:
        """Have a server be there, and whatever was on its way arrive."""
        self.sites[name].up, self.sites[name].stuck = True, False

    def do_stop(self, name: str) -> None:
        """Have it stop in order: it can be reached no more, and its calls end."""
        site = self.sites[name]
        site.up = False
        for pair in site.pairs:
            if not pair.server.closed:
                pair.server.closing.drain("enough")
        self.note_hurt(name, calls=site.stuck)

    def do_kill(self, name: str) -> None:
        """Have it end at once."""
        self.sites[name].lose(up=False)
        self.sites[name].stuck = False
        self.note_hurt(name)

    def do_silence(self, name: str) -> None:
        """Have nothing arrive any more, of what is there and of tries to connect."""
        self.sites[name].up, self.sites[name].stuck = None, True
        self.note_hurt(name)

    def do_close(self, _nothing: object) -> None:
        """Close a connection on this side."""
        live = self.usable()
        if live is not None:
            self.note_hurt(self.site_of(live))
            live.close()

    def do_list(self, names: Iterable[str]) -> None:
        """Have the registry name some servers, and no other."""
        self.registry.listed = set(names)

    def do_registry(self, manner: str) -> None:
        """Have the registry answer otherwise."""
        self.registry.manner = manner

    def do_greet(self, how: str) -> None:
        """Have the client's first steps on each connection end well, fail, or not end."""
        self.greeting = how

    def greet(self, _connection: Connection) -> Deferred[None] | None:
        """Take them."""
        if self.greeting == "wrongly":
            raise ValueError("not now")
        return Deferred() if self.greeting == "never" else None

    def do_client(self, what: str) -> None:
        """Start or stop the client."""
        if what == "start":
            self.client.startService()
        else:
            self.client.stopService()
            self.note_hurt(*NAMES)

    def note_hurt(self, *names: str, calls: bool = True) -> None:
        """Note that calls to some sites may be lost, and that a sticky client may leave them."""
        if self.last in names:
            self.last = ""
        for hurt in self.hurt if calls else ():
            hurt.update(names)

    # -- what holds at any time

    def usable(self) -> Connection | None:
        """Return the connection that a call would have now."""
        waiting = self.client.whenConnected()
        found = waiting.result if waiting.called else None
        if found is None or isinstance(found, Failure):
            waiting.addErrback(lambda _cancelled: None)
            waiting.cancel()
            return None
        return found

    def site_of(self, connection: Connection) -> str:
        """Return where a connection leads to."""
        (name,) = [
            name
            for name, site in self.sites.items()
            if any(pair.client is connection for pair in site.pairs)
        ]
        return name

    def settle(self) -> None:
        """Let happen what happens without any time going by, and check what holds at any time."""
        self.pump()
        self.check()

    def pump(self) -> None:
        """Let happen what happens without any time going by."""
        moved = True
        while moved or any(
            call.getTime() <= self.loop.seconds() for call in self.loop.getDelayedCalls()
        ):
            self.loop.advance(0)
            pairs = [pair for site in self.sites.values() if not site.stuck for pair in site.pairs]
            moved = sum(pair.pump() for pair in pairs) > 0

    def check(self) -> None:
        """Check what holds at any time."""
        status, live = self.client.status, self.usable()
        assert (status.state == "connected") == (live is not None), status
        assert (status.next_try is not None) == (status.state == "waiting")
        if live is not None and self.pick == "sticky":
            name = self.site_of(live)
            assert self.last in ("", name), f"a sticky client has left {self.last} for {name}"
            self.last = "" if self.sites[name].stuck else name

    # -- what holds in the end

    def heal(self) -> None:
        """Have nothing be wrong any more, and wait for the rest."""
        self.registry.manner, self.registry.listed = "now", set(NAMES)
        self.greeting = "well"
        self.client.startService()
        for name in NAMES:
            self.do_come(name)
        self.do_time(HEALED)
        for name in NAMES:
            self.do_answer(name)
        self.settle()

    def check_end(self) -> None:
        """Check that all is well, and that nothing is left when the client has stopped."""
        sticky = self.pick == "sticky"
        connected = {name: site.connected for name, site in self.sites.items()}
        assert Counts(connected.values())[self.lines] == (1 if sticky else len(NAMES)), connected
        assert sum(connected.values()) == self.lines * (1 if sticky else len(NAMES)), connected
        assert all(not member.unanswered for member in self.client._pool._members)
        for site in self.sites.values():
            self.earlier[site.name] += site.counter.ran
            site.counter.ran = []
        for _ in range(9):
            self.do_call("note")
            self.settle()
            assert self.outcomes[-1].value == len(self.calls) - 1
        used = [name for name, site in self.sites.items() if site.counter.ran]
        assert len(used) == (1 if sticky else len(NAMES)), used
        self.check_outcomes()
        stopped = Outcome(self.client.stopService())
        self.pump()
        assert stopped.value is None
        assert not any(site.connected for site in self.sites.values())
        assert not self.loop.getDelayedCalls()
        assert not len(self.client._waiters)

    def check_outcomes(self) -> None:
        """Check that each call has ended once, has run once at most, and that it is told so."""
        ran = {name: self.earlier[name] + site.counter.ran for name, site in self.sites.items()}
        runs = Counts(number for numbers in ran.values() for number in numbers)
        assert not runs or max(runs.values()) == 1
        for number, (outcome, hurt) in enumerate(zip(self.outcomes, self.hurt, strict=True)):
            (result,) = outcome.results
            if not isinstance(result, Failure):
                assert result in (number, "held")
                assert runs[number] == 1
            elif result.check(DeadReferenceError):
                assert not runs[number]
            elif result.check(ServerStopping):  # of a server that could not say so before
                assert hurt and not runs[number]
            elif result.check(ConnectionLost):
                where = [name for name in NAMES if number in ran[name]] or NAMES
                assert hurt & {*where}, f"call {number} was lost, and nothing was wrong: {result}"
            else:
                assert result.check(CancelledError), result


SITES = st.sampled_from(NAMES)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from(["note", "hold"])),
        st.tuples(st.just("call"), st.sampled_from(["note", "hold"])),
        st.tuples(st.just("time"), st.sampled_from([0.0, 0.3, 1.0, 2.0, 5.0, 31.0, 100.0])),
        st.tuples(st.sampled_from(["come", "stop", "kill", "silence", "answer"]), SITES),
        st.tuples(st.just("cancel"), st.integers(0, 3)),
        st.tuples(st.just("close"), st.none()),
        st.tuples(st.just("list"), st.sets(SITES)),
        st.tuples(st.just("registry"), st.sampled_from(["now", "away", "silent", "late"])),
        st.tuples(st.just("greet"), st.sampled_from(["well", "wrongly", "never"])),
        st.tuples(st.just("client"), st.sampled_from(["start", "stop"])),
    ),
    max_size=40,
)


@settings(max_examples=examples(120), deadline=None)
@given(st.sampled_from([*PICKERS]), STEPS, st.sampled_from([1, 2]), st.sampled_from([0.5, 1.0]))
def test_all_is_well_in_the_end(pick: str, steps: list[Step], lines: int, retry: float) -> None:
    """Each call ends once, runs once at most, and is lost only where something was wrong."""
    world = World(pick, lines, retry)
    for what, which in steps:
        world.do(what, which)
    world.heal()
    world.check_end()
