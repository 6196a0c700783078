"""
Redis' pub/sub: a broker, which this process starts, and a publisher in this process.

Debian's ``redis-server`` has to be on the path.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from time import perf_counter

import redis

from benchmarks.peers.floor_prepared import EVENT

REACTOR = True

_PATIENCE = 10.0  # seconds

_publisher: redis.Redis


def publish(count: int) -> float:
    """Publish so many events, in one pipeline; return when that began."""
    begun = perf_counter()
    with _publisher.pipeline(transaction=False) as pipeline:
        for _ in range(count):
            pipeline.publish("ticks", EVENT)
        pipeline.execute()
    return begun


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port: int = holder.getsockname()[1]
    return port


async def listen(_reactor: object) -> int:
    """Start a broker, and connect the publisher; return its port."""
    global _publisher  # noqa: PLW0603
    program = shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("redis-server is not installed")
    port = free_port()
    words = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    words += ["--protected-mode", "no"]  # the subscribers come from more addresses of loopback
    subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _publisher = redis.Redis(port=port)
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            _publisher.ping()
            return port
        except redis.ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
