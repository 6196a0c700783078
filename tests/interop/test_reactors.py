"""
The same program under different reactors, on both sides of the connection.
"""

from __future__ import annotations

import pytest

from tests.interop.peer_processes import Hosted, outcomes, script
from tests.interop.reactor_client import check as checks

# the option of twistd -> the class it means
REACTORS = {
    "epoll": "EPollReactor",
    "asyncio": "AsyncioSelectorReactor",
    "select": "SelectReactor",
}


@pytest.fixture(scope="module")
def ran():
    """What servers and clients said, each pair under the same reactor."""
    servers, clients = {}, {}
    try:
        for kind in REACTORS:
            servers[kind] = server = Hosted(reactor=kind)
            clients[kind] = script("reactor_client", kind, f"tcp:127.0.0.1:{server.port}")
        for client in clients.values():
            client.wait(90)  # it ends itself if it hangs, and says where
        for server in servers.values():
            server.stop_cleanly()
        return {kind: (servers[kind].output, clients[kind].output) for kind in REACTORS}
    finally:
        for process in (*clients.values(), *servers.values()):
            process.kill()


@pytest.mark.parametrize("kind", REACTORS)
def test_each_runs_the_reactor_it_should(ran, kind):
    """Server and client say which one they have."""
    server, client = ran[kind]
    assert f".{REACTORS[kind]}." in server
    assert f"reactor {REACTORS[kind]}" in client


@pytest.mark.parametrize("name", checks)
@pytest.mark.parametrize("kind", REACTORS)
def test_the_same_program_under_each_reactor(ran, kind, name):
    """Each check of reactor_client.py."""
    outcome = outcomes(ran[kind][1])
    assert name in outcome, ran[kind][1]
    assert not outcome[name], outcome[name]
