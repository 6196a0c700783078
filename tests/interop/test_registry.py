"""
RPyC's registry, with stock RPyC 6.0.2 and 5.3.1 in each of its three parts: the registry, servers
that enter themselves, and clients that find them.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_twisted

import txremote.blocking as rpyc
from tests.blocking.script_threads import scripted, serving, wait_until
from tests.interop.peer_processes import script as stock
from tests.processes import Program, Twistd, script
from tests.registry.servers import stock_registry
from txremote import connect
from txremote.blocking.registrars import RegistryClient, TCPRegistryClient, UDPRegistryClient

KINDS = ["rpyc 6.0.2, UDP", "rpyc 5.3.1, TCP", "txremote, UDP", "txremote, TCP"]
NOBODY = "no servers exposing 'nobody' were found"


class Own(rpyc.Service):
    """Served by txremote's `ThreadedServer`."""

    ALIASES = ["OWN"]

    @rpyc.exposed
    def price(self, count: int) -> int:
        """A number."""
        return count * 3


class Market(NamedTuple):
    """Registries, as ``udp:PORT`` or ``tcp:PORT``, and stock servers that are in all of them."""

    words: dict[str, str]
    stocks: dict[str, Any]
    env5: dict[str, str]

    def registrar(self, kind: str) -> RegistryClient:
        """Return our client of a registry."""
        way, port = self.words[kind].split(":")
        make: Any = {"udp": UDPRegistryClient, "tcp": TCPRegistryClient}[way]
        found: RegistryClient = make("127.0.0.1", int(port))
        return found

    def url(self, kind: str) -> str:
        """Return a registry's URL."""
        way, port = self.words[kind].split(":")
        return f"{'rpyc' if way == 'udp' else 'rpyc+tcp'}://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def market(rpyc5: Path) -> Iterator[Market]:
    """Start all of them."""
    env5 = {"PYTHONPATH": str(rpyc5)}
    with ExitStack() as stack:
        first = stack.enter_context(stock_registry())
        second = stack.enter_context(stock_registry("-m", "TCP", folder=rpyc5))
        ours = stack.enter_context(Program(script("txremote"), "registry", "--port", "0"))
        port = ours.wait_for(r"serves on 127.0.0.1:(\d+)")[1]
        ways = (f"udp:{first}", f"tcp:{second}", f"udp:{port}", f"tcp:{port}")
        words = dict(zip(KINDS, ways, strict=True))
        stocks = {
            "STOCK6": stock("stock_registered", "serve", "STOCK6", *words.values()),
            "STOCK5": stock("stock_registered", "serve", "STOCK5", *words.values(), env=env5),
        }
        for each in stocks.values():
            stack.callback(each.kill)
            each.wait_for("serves")
        yield Market(words, stocks, env5)


@scripted
def test_every_client_finds_every_server_by_every_registry(market: Market) -> None:
    """Stock clients connect to servers of their own version, and to ours."""
    with ExitStack() as stack:
        for kind in KINDS:
            stack.enter_context(serving(Own, registrar=market.registrar(kind)))
        for kind in KINDS:
            for name in ("OWN", "STOCK5", "STOCK6"):
                wait_until(lambda kind=kind, name=name: market.registrar(kind).discover(name))
                with rpyc.connect_by_service(name, registrar=market.registrar(kind)) as conn:
                    assert conn.root.price(5) == 15
        words = market.words.values()
        finders = {
            name: stock("stock_registered", "find", f"own,{name},nobody", *words, env=env)
            for name, env in (("Stock6", {}), ("Stock5", market.env5))
        }
        for name, finder in finders.items():
            stack.callback(finder.kill)
            finder.wait_for("^end$")
            expected = []
            for word in words:
                expected += [f"{word} own 15", f"{word} {name} 15"]
                expected += [f"{word} nobody DiscoveryError: {NOBODY}"]
            assert finder.lines == [*expected, "end"]
    for kind in KINDS:  # they have left
        assert market.registrar(kind).discover("own") == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_a_client_with_a_reactor_finds_stock_servers(market: Market, kind: str) -> None:
    """By the name alone."""
    conn = await connect("registry:stock6", registry=market.url(kind))
    assert await conn.root.price(5) == 15
    await conn.close()


def test_stock_clients_find_a_hosted_service_while_it_is_there(market: Market) -> None:
    """In a stock registry, which has it no more when it was told to stop."""

    @scripted
    def test() -> None:
        registrar = market.registrar(KINDS[0])
        with Twistd(
            "tests.registry.shop.Shop", "--register", "hosted", "--registry", url
        ) as daemon:
            wait_until(lambda: registrar.discover("HOSTED"))
            finder = stock("stock_registered", "find", "HOSTED", market.words[KINDS[0]])
            finder.wait_for("^end$")
            finder.kill()
            assert finder.lines == [f"{market.words[KINDS[0]]} HOSTED 15", "end"]
            daemon.signal(signal.SIGTERM)
            daemon.finish()
            assert registrar.discover("HOSTED") == ()

    url = market.url(KINDS[0])
    test()


@scripted
def test_a_stock_server_that_leaves_is_gone(market: Market) -> None:
    """From all registries; it is the last test of this file."""
    market.stocks["STOCK6"].signal(signal.SIGTERM)
    market.stocks["STOCK6"].wait_for("left")
    for kind in KINDS:
        wait_until(lambda kind=kind: not market.registrar(kind).discover("STOCK6"))
