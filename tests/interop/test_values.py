"""
Stock RPyC programs as clients of services whose annotations declare values.

Their lists, dicts, sets and objects, which RPyC sends by reference, are right in plain methods of
a reactor's service, and in those of one with threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.peer_processes import Hosted, outcomes, script
from tests.interop.valued_client import check as checks

SERVICES = ["ValuedShop", "ThreadedShop"]
CLIENTS = [
    f"{peer} of {service}"
    for service in SERVICES
    for peer in ("6.0.2", "6.0.2 public", "6.0.2 bind_threads", "5.3.1", "5.3.1 public")
]


@pytest.fixture(scope="module")
def said(rpyc5: Path) -> Iterator[dict[str, str]]:
    """What each client said, once all have ended."""
    running: list[Any] = []
    clients = {}
    try:
        for service in SERVICES:
            running.append(Hosted(f"tests.interop.valued_shop.{service}"))
        servers = dict(zip(SERVICES, running, strict=True))
        for name in CLIENTS:
            peer, _of, service = name.partition(" of ")
            version, *how = peer.split()
            env = {"PYTHONPATH": str(rpyc5)} if version == "5.3.1" else {}
            if how == ["bind_threads"]:
                env["RPYC_BIND_THREADS"] = "true"
            clients[name] = script("valued_client", str(servers[service].port), *how, env=env)
            running.append(clients[name])
        for client in clients.values():
            client.wait(90)
        yield {name: client.output for name, client in clients.items()}
        for server in servers.values():
            server.stop_cleanly()
    finally:
        for each in running:
            each.kill()


@pytest.mark.parametrize("name", checks)
@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_stock_client_sends_arrives(said: dict[str, str], client: str, name: str) -> None:
    outcome = outcomes(said[client])
    assert said[client].startswith(f"RPyC {client.split(maxsplit=1)[0]}")
    assert name in outcome, said[client]
    assert not outcome[name], outcome[name]
