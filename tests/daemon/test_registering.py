"""Servers of ``twistd txremote`` in a registry: while they are ready, and no longer."""

from __future__ import annotations

import os
import signal

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.daemon.test_resolve import DEPOT, problems, resolved
from tests.net.servers import until
from tests.processes import Twistd
from tests.registry.servers import Redis, running_registry
from txremote.daemon.registering import Advertised, Entry, Registering, places_of
from txremote.registry.choosing import registry_from
from txremote.registry.ports import Place
from txremote.registry.urls import registry_url

ONE, TWO = Entry(("a",), Place("127.0.0.1", 1)), Entry(("b",), Place("127.0.0.1", 2))


class FakeRegistry:
    """Notes who comes and goes; those that leave are gone when it is told so."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.loads: list[float] = []
        self.leaving: list[Deferred[None]] = []

    def register(self, names: tuple[str, ...], _place: Place) -> FakeRegistry:
        """Enter a server."""
        self.told.append(f"+{names[0]}")
        return self

    def load(self, load: float) -> None:
        """Note how busy it is."""
        self.loads.append(load)

    def leave(self) -> Deferred[None]:
        """Take it out."""
        self.told.append("-")
        self.leaving.append(Deferred())
        return self.leaving[-1]

    def close(self) -> Deferred[None]:
        """Let go of it."""
        self.told.append("closed")
        return succeed(None)


def test_servers_are_registered_while_the_process_is_ready() -> None:
    """One that comes back waits until the registry has been told that it had gone."""
    registry, clock = FakeRegistry(), Clock()
    wanted, ready = [ONE], [True]
    keeping = Registering(registry, lambda: wanted, lambda: ready[0], lambda: 3.0, clock)  # type: ignore[arg-type]
    keeping.startService()
    assert registry.told == []
    clock.advance(0)
    wanted.append(TWO)
    clock.advance(0.5)
    assert registry.told == ["+a", "+b"]
    ready[0] = False
    clock.advance(0.5)
    ready[0] = True
    clock.advance(0.5)
    assert registry.told == ["+a", "+b", "-", "-"]
    for each in registry.leaving:
        each.callback(None)
    wanted.remove(TWO)
    clock.advance(0.5)
    assert registry.told[4:] == ["+a"]
    assert set(registry.loads) == {3.0}
    keeping.leave()
    stopped: list[object] = []
    keeping.stopService().addCallback(stopped.append)
    assert registry.told[5:] == ["-"]
    assert not stopped
    registry.leaving[-1].callback(None)
    assert stopped
    assert registry.told[6:] == ["closed"]
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("top", "server", "sentences"),
    [
        ("", 'register = "a"', ["no registry is named: say --registry URL"]),
        ('registry = "http://x"', 'register = "a"', ["registry: 'http://x' names no registry"]),
        ('registry = "rpyc://x"', "", ['registry is of use with register = "NAME" only']),
        (
            'registry = "rpyc://10.0.0.9"',
            'register = "a"',
            ["others would find themselves at that address"],
        ),
        (
            'registry = "rpyc://localhost"',
            'register = ["a+tls", ""]\nlisten = "unix:/tmp/nowhere/s"',
            ["register: 'a+tls': a name in a registry has", "register needs a TCP port"],
        ),
        (
            'registry = "rpyc://localhost"',
            f"register = {['a' * 200, *map(str, range(64))]}",
            ["register: a server has 1 to 64 names in a registry, not 65"],
        ),
        (
            'registry = "rpyc://localhost"',
            f"register = {[f'{number:0200}' for number in range(8)]}",
            ["bytes, and a registry reads 1500: use fewer names, or shorter ones"],
        ),
        (
            'registry = "redis://localhost"',
            'register = "a"\nadvertise = "::1"',
            ["advertise ::1: it is HOST, HOST:PORT or :PORT"],
        ),
        (
            'registry = "rpyc://localhost"',
            'register = "a"\nadvertise = "x.example:80"',
            ["takes the address that it sees, as RPyC's do, so :PORT alone"],
        ),
        (
            'registry = "redis://localhost"',
            'register = "a"\nadvertise = ":80"\nlisten = ["tcp:0", "tcp:0:interface=127.0.0.1"]',
            ["it names one port, and the server listens at 2 places"],
        ),
        ("", 'advertise = "x.example"', ['advertise is of use with register = "NAME" only']),
    ],
)
def test_what_cannot_be_registered_is_told_before_anything_starts(
    top: str, server: str, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, places, and the registry's URL."""
    monkeypatch.delenv("TXREMOTE_REGISTRY", raising=False)
    found = problems(f"{top}\n[[server]]\n{DEPOT}{server}\n")
    assert len(found) == len(sentences)
    for sentence in sentences:
        assert any(sentence in each for each in found), found


def test_a_server_behind_a_proxy_may_listen_on_loopback() -> None:
    """Or on a UNIX socket: what is advertised is registered."""
    for listen, where in (("tcp:0:interface=127.0.0.1", "x.example"), ("unix:/s", "x.example:80")):
        words = f'register = "a"\nadvertise = "{where}"\nlisten = "{listen}"'
        resolved(f'registry = "redis://10.0.0.9"\n[[server]]\n{DEPOT}{words}\n')


@pytest.mark.parametrize(
    ("text", "of_tcp", "of_unix"),
    [
        (None, Place("0.0.0.0", 7), None),
        ("x.example", Place("x.example", 7), None),
        ("x.example:443", Place("x.example", 443), Place("x.example", 443)),
        ("[2001:db8::1]:443", Place("2001:db8::1", 443), Place("2001:db8::1", 443)),
        ("[2001:db8::1]", Place("2001:db8::1", 7), None),
        (":443", Place("0.0.0.0", 443), None),
    ],
)
def test_a_port_is_registered_where_it_is_or_where_it_is_advertised(
    text: str | None, of_tcp: Place, of_unix: Place | None
) -> None:
    """A UNIX socket only where others reach it by a host and a port."""
    tcp, unix = IPv4Address("TCP", "0.0.0.0", 7), UNIXAddress("/run/s")
    assert places_of([StringTransport(hostAddress=tcp)], False, text) == [of_tcp]  # type: ignore[list-item]
    found = places_of([StringTransport(hostAddress=unix)], False, text)  # type: ignore[list-item]
    assert found == ([of_unix] if of_unix else [])


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "x:", "x:y", "x:0", "x:65536", "::", "::1:80", "0.0.0.0:80", "[::]:80"),
        *("[x]", "a b", "x" * 256, "http://x:80"),
    ],
)
def test_what_is_no_place_that_others_can_reach_is_not_advertised(text: str) -> None:
    """It is told what is."""
    with pytest.raises(ValueError, match=r"HOST, HOST:PORT or :PORT|others can reach|1 to 65535"):
        Advertised.of(text)


def test_the_environment_may_name_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a plan shows no password of it."""
    monkeypatch.setenv("TXREMOTE_REGISTRY", "redis://:s3cret@localhost")
    parts = resolved(f'[[server]]\n{DEPOT}register = "a"\n')
    assert repr(parts.registry) == "<registry at redis://localhost:6379>"
    text = f'registry = "redis://:s3cret@localhost"\n[[server]]\n{DEPOT}register = "a"\n'
    assert "s3cret" not in repr(resolved(text))
    assert registry_url(resolved(text).plan.registry).password == "s3cret"


@pytest_twisted.ensureDeferred
async def test_a_server_that_drains_has_left_and_one_that_is_killed_leaves_by_its_lease(
    tmp_path: os.PathLike[str],
) -> None:
    """In RPyC's registry, and in Redis, where the lease is short."""
    async with running_registry() as served:
        url = f"rpyc://127.0.0.1:{served.port}"
        words = ("--register", "Depot", "--register", "Store", "--registry", url)
        with Twistd("tests.services.Depot", *words, "--drain", "20") as daemon:
            await until(lambda: served.entries.find("store"))
            assert served.entries.find("depot") == (("127.0.0.1", daemon.port),)
            daemon.signal(signal.SIGTERM)
            await until(lambda: not served.entries.names())
    with Redis(tmp_path) as redis:  # type: ignore[arg-type]
        registry = registry_from(redis.url, reactor)
        env = {**os.environ, "TXREMOTE_REGISTRY": redis.url}
        words = ("--register", "Depot", "--advertise", "gate.example:4433")
        with Twistd("tests.services.Depot", *words, env=env) as daemon:
            places: tuple[Place, ...] = ()
            while not places:
                places = await registry.find("depot")
            assert places[0].name == "tcp:gate.example:4433"
            daemon.signal(signal.SIGKILL)
            daemon.finish()
            assert await registry.find("depot") == places
            # what is left of its lease, by Redis's own clock, passes at once
            for key in ("txremote:registry:DEPOT", "txremote:registry:DEPOT:places"):
                await registry._run(  # type: ignore[attr-defined]
                    "return redis.call('PEXPIRE', KEYS[1], redis.call('PTTL', KEYS[1]) - 14000)",
                    [key],
                    [],
                )
            while await registry.find("depot"):
                pass
        await registry.close()
