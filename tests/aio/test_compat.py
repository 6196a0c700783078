"""
All that a program does, through `txremote.aio`: as a client of stock RPyC and of ``twistd
txremote``, and as a server of stock RPyC's clients.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aio.compat_client import check as client_checks
from tests.aio.loops import LOOPS
from tests.conftest import STOCK_SERVERS, StockServer
from tests.interop.peer_processes import TROUBLE, Program, outcomes, script
from tests.interop.stock_client import check as stock_checks

HOSTED = ["hosted tcp", "hosted TLS", "hosted unix"]


def places(
    stock: dict[str, StockServer], hosted: Any, certificate: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return how `tests.aio.compat_client` shall connect to each server."""
    found: dict[str, dict[str, Any]] = {
        name: {"at": [one.endpoint], "config": one.config, "dialect": one.dialect}
        for name, one in stock.items()
    }
    # one by TLS of the standard library, the other by Twisted's
    authority = certificate["certificate"]
    found["6.0.2 TLS"] |= {"at": ["127.0.0.1", stock["6.0.2 TLS"].port], "ca": authority}
    found["hosted tcp"] = {"at": [f"127.0.0.1:{hosted.port}"]}
    found["hosted TLS"] = {"at": [f"tls:127.0.0.1:{hosted.port_of('ssl')}:ca={authority}"]}
    found["hosted unix"] = {"at": [f"unix:{hosted.path}"]}
    return found


@pytest.fixture(scope="module")
def asked(
    stock_servers: dict[str, StockServer], hosted: Any, certificate: dict[str, str]
) -> dict[str, str]:
    """What the client on each loop said of all servers."""
    servers = json.dumps(places(stock_servers, hosted, certificate))
    running = {
        loop: Program([sys.executable, "-m", "tests.aio.compat_client", loop, servers])
        for loop in LOOPS
    }
    try:
        for program in running.values():
            program.wait(60)  # it ends itself if it hangs, and says where
        return {loop: program.output for loop, program in running.items()}
    finally:
        for program in running.values():
            program.kill()


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_needs_no_reactor(asked: dict[str, str], loop: str) -> None:
    assert asked[loop].endswith("\nno reactor"), asked[loop]
    assert "TROUBLE" not in asked[loop], asked[loop]


@pytest.mark.parametrize("name", client_checks)
@pytest.mark.parametrize("loop", LOOPS)
def test_what_a_client_does(asked: dict[str, str], loop: str, name: str) -> None:
    """Each check of a reactor's client, against each server."""
    found = outcomes(asked[loop])
    for server in (*STOCK_SERVERS, *HOSTED):
        outcome = found.get(f"{server}: {name}", asked[loop])
        assert not outcome, f"{server}: {outcome}"


# -- stock clients

#: Of each loop's server the clients; each client is tried with one loop.
CLIENTS = {
    "stock": ["6.0.2", "6.0.2 bind_threads", "5.3.1 context"],
    "uvloop": ["5.3.1", "5.3.1 bind_threads", "6.0.2 ssl", "6.0.2 context"],
}

_UNIX = """
import sys
from rpyc.utils.factory import unix_connect
conn = unix_connect(sys.argv[1])
print(conn.root.add(2, 3), list(conn.root.numbers(3)))
conn.close()
"""


class Shop(Program):
    """
    The shop on a loop, up and serving.

    Attributes:
        path: Its UNIX socket.
        ports: Its others, by their names.
    """

    def __init__(self, loop: str, path: Path, certificate: dict[str, str]) -> None:
        self.path = str(path)
        words = [loop, certificate["key"], certificate["certificate"], self.path]
        super().__init__([sys.executable, "-m", "tests.aio.compat_shop", *words])

    def wait_until_up(self) -> None:
        """Wait until it serves."""
        self.wait_for("^serves unix")
        self.ports = {found[1]: found[2] for found in self.wait_for(r"^serves (\w+) (\d+)")}


def stock_client(peer: str, shop: Shop, rpyc5: Path, certificate: dict[str, str]) -> Program:
    """Start a stock client, such as ``"5.3.1 ssl"``."""
    version, *how = peer.split()
    env = {"PYTHONPATH": str(rpyc5)} if version == "5.3.1" else {}
    if how == ["bind_threads"]:
        env["RPYC_BIND_THREADS"] = "true"
    elif how:
        return script("stock_client", shop.ports[how[0]], certificate["certificate"], env=env)
    return script("stock_client", shop.ports["tcp"], env=env)


@pytest.fixture(scope="module")
def served(
    rpyc5: Path, certificate: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What each client said, and each server, under the client's or the loop's name."""
    folder = tmp_path_factory.mktemp("shops")
    said, running, shops = {}, {}, {}
    try:
        for loop in LOOPS:
            shops[loop] = Shop(loop, folder / loop, certificate)
        for loop, shop in shops.items():
            shop.wait_until_up()
            for peer in CLIENTS[loop]:
                running[peer] = stock_client(peer, shop, rpyc5, certificate)
        for peer, client in running.items():
            client.wait(90)  # it ends itself if it hangs, and says where
            said[peer] = client.output
        for loop, shop in shops.items():
            words = [sys.executable, "-c", _UNIX, shop.path]
            said[f"{loop} unix"] = subprocess.check_output(words, text=True, timeout=30)
            status = shop.stop()
            said[loop] = f"{shop.output}\nstatus {status}"
        yield said
    finally:
        for program in (*running.values(), *shops.values()):
            program.kill()


@pytest.mark.parametrize("name", stock_checks)
def test_what_a_stock_client_does(served: dict[str, str], name: str) -> None:
    """Each check of a stock client, by each version of RPyC, at each of the doors."""
    for peer in (peer for peers in CLIENTS.values() for peer in peers):
        assert served[peer].startswith(f"RPyC {peer.split()[0]}\n")
        outcome = outcomes(served[peer]).get(name, served[peer])
        assert not outcome, f"{peer}: {outcome}"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stock_client_over_a_unix_socket(served: dict[str, str], loop: str) -> None:
    assert served[f"{loop} unix"] == "5 [0, 1, 2]\n"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_server_needs_no_reactor_and_has_nothing_to_complain_about(
    served: dict[str, str], loop: str
) -> None:
    assert served[loop].endswith("ended without a reactor\nstatus 0"), served[loop]
    assert not [line for line in served[loop].splitlines() if TROUBLE.search(line)], served[loop]
