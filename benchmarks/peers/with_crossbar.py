"""
Crossbar.io, the router of WAMP by Autobahn's authors: a broker, which this process starts with one
worker, and a publisher in this process.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.peers.floor_prepared import EVENT
from benchmarks.peers.wamp import HANDSHAKE, PUBLISHED, REALM, WELCOME, hello, publication
from benchmarks.peers.with_redis import free_port
from benchmarks.peers.work import check

REACTOR = True

_PATIENCE = 60.0  # seconds: it makes a key, and starts two processes

_publisher: socket.socket


def _configuration(port: int) -> dict[str, Any]:
    allowed = {"publish": True, "subscribe": True, "call": False, "register": False}
    permission = {"uri": "", "match": "prefix", "allow": allowed, "cache": True}
    role = {"name": "anonymous", "permissions": [permission]}
    transport = {
        "type": "rawsocket",
        "endpoint": {"type": "tcp", "port": port, "interface": "127.0.0.1", "backlog": 1000},
        "serializers": ["json"],
        "auth": {"anonymous": {"type": "static", "role": "anonymous"}},
    }
    realm = {"name": REALM, "roles": [role]}
    router = {"type": "router", "realms": [realm], "transports": [transport]}
    return {"version": 2, "controller": {}, "workers": [router]}


def _answer(beginning: bytes) -> None:
    """Wait for a message that begins so."""
    length = int.from_bytes(_publisher.recv(4, socket.MSG_WAITALL), "big")
    message = _publisher.recv(length, socket.MSG_WAITALL)
    check(message[: len(beginning)], beginning)


def publish(count: int) -> float:
    """Publish so many events, each when the one before is published; return when that began."""
    begun = perf_counter()
    for number in range(1, count + 1):
        _publisher.sendall(publication(number, EVENT))
        _answer(PUBLISHED)
    return begun


async def listen(_reactor: object) -> int:
    """Start a router, and connect the publisher; return its port."""
    global _publisher  # noqa: PLW0603
    program = PEERS["crossbar"].where()
    if program is None:
        raise FileNotFoundError("crossbar is not installed")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="crossbar-"))
    (folder / "config.json").write_text(json.dumps(_configuration(port)))
    words = [program, "start", "--cbdir", str(folder), "--loglevel", "warn"]
    subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            _publisher = socket.create_connection(("127.0.0.1", port), _PATIENCE)
            break
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
    _publisher.sendall(HANDSHAKE)
    check(_publisher.recv(len(HANDSHAKE), socket.MSG_WAITALL), HANDSHAKE)
    _publisher.sendall(hello())
    _answer(WELCOME)
    shutil.rmtree(folder)  # it has read all of it
    return port
