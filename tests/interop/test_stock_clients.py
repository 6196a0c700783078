"""
Unmodified RPyC programs as clients of one running ``twistd txremote``.

All of them run at the same time, at the same server, and those that do not use
TLS at the same port.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.interop.peer_processes import TROUBLE, outcomes, script
from tests.interop.stock_client import check as checks

BOUND = {"RPYC_BIND_THREADS": "true"}

PEERS = ["6.0.2", "6.0.2 bind_threads", "6.0.2 TLS", "5.3.1", "5.3.1 bind_threads", "5.3.1 TLS"]


@pytest.fixture(scope="module")
def said(hosted, rpyc5, certificate):
    """What each client said, once all have ended."""
    running = {}
    try:
        for peer in PEERS:
            version, *how = peer.split()
            env = {"PYTHONPATH": str(rpyc5)} if version == "5.3.1" else {}
            words = [str(hosted.port)]
            if "TLS" in how:
                words = [str(hosted.port_of("ssl")), certificate["certificate"]]
            elif how:
                env |= BOUND
            running[peer] = script("stock_client", *words, env=env)
        for client in running.values():
            client.wait(90)  # it ends itself if it hangs, and says where
        return {peer: client.output for peer, client in running.items()}
    finally:
        for client in running.values():
            client.kill()


@pytest.mark.parametrize("peer", PEERS)
def test_the_client_is_the_version_it_should_be(said, peer):
    """A wrong PYTHONPATH would test one version twice."""
    assert said[peer].splitlines()[0] == f"RPyC {peer.split()[0]}"


@pytest.mark.parametrize("name", checks)
@pytest.mark.parametrize("peer", PEERS)
def test_what_a_stock_client_does(said, peer, name):
    """Each check of stock_client.py, by each client."""
    outcome = outcomes(said[peer])
    assert name in outcome, said[peer]
    assert not outcome[name], outcome[name]


def test_a_stock_client_over_a_unix_socket(hosted):
    """The same server, at another of its endpoints."""
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys; from rpyc.utils.factory import unix_connect\n"
            "conn = unix_connect(sys.argv[1])\n"
            "print(conn.root.add(2, 3), list(conn.root.numbers(3)))\n"
            "conn.close()",
            hosted.path,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "5 [0, 1, 2]\n", done.stderr


def test_the_server_has_nothing_to_complain_about(said, hosted):
    """All those clients came and went, and the server's log has no warning."""
    assert not [line for line in hosted.lines if TROUBLE.search(line)]
