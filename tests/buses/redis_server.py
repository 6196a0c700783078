"""A real Redis for tests, of a process of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.processes import free_port

#: Marks tests that need one.
needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed"
)


class RedisServer:
    """
    A ``redis-server`` on a UNIX socket and a free port, which writes nothing to disk. Use it in a
    ``with``: it is gone afterwards.

    Attributes:
        path: Its UNIX socket.
        port: Its TCP port.
        url: The URL of the former.
    """

    def __init__(self, *options: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="txr"))
        self._options = options
        self.path = self._folder / "redis"
        self.port = free_port()
        self.url = f"unix://{self.path}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def __enter__(self) -> RedisServer:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *("redis-server", "--bind", "127.0.0.1", "--port", str(self.port)),
                *("--unixsocket", str(self.path), "--save", "", "--dir", str(self._folder)),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        end = monotonic() + 20
        while not self.path.exists() or "PONG" not in self.ask("PING"):
            assert monotonic() < end, "redis-server does not start"
            sleep(0.01)

    def ask(self, *words: str | bytes) -> str:
        """Have ``redis-cli`` run a command; return what it prints."""
        command = ["redis-cli", "-s", str(self.path), *words]
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
        return done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")

    def say(self, *words: str | bytes, last: bytes) -> None:
        """Run a command whose last word may be any bytes."""
        command = ["redis-cli", "-s", str(self.path), "-x", *words]
        subprocess.run(command, input=last, capture_output=True, check=True, timeout=60)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as ``kill -9`` does: what it has is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.path.unlink(missing_ok=True)

    def restart(self) -> None:
        """Kill it, and start another one in its place."""
        self.kill()
        self.start()


async def check_harm(redis: RedisServer, joined: Any, until: Any) -> Any:
    """
    Kill a Redis, start it, flush it, stop it and have it go on, while two publish; a reader that is
    there all the time has all, once. Return the links.

    Args:
        redis: It.
        joined: Gives a topic's link and what that hears.
        until: Waits until a condition holds.
    """
    links, heard = zip(*[joined(redis.url) for _ in range(3)], strict=True)
    await until(lambda: all(each.there for each in heard))
    sent = 0

    def publish(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            sent += 1
            for link in links[:2]:
                link.publish(f"k{sent % 3}", b"%d" % sent)

    publish(100)  # they are under way as it is killed
    redis.kill()
    await until(lambda: not any(each.there for each in heard))
    publish(100)
    redis.start()
    await until(lambda: len(heard[2].events) == 400)
    redis.ask("FLUSHALL")
    publish(100)
    await until(lambda: len(heard[2].events) == 600)
    redis.signal(signal.SIGSTOP)
    publish(100)
    await until(lambda: not any(each.there for each in heard))
    publish(100)
    redis.signal(signal.SIGCONT)
    await until(lambda: [len(each.events) for each in heard] == [500, 500, 1000])
    assert list(heard[2].numbers().values()) == [list(range(1, 501))] * 2
    assert heard[2].missing == 0
    assert "it has not answered for 0.5 s" in {why for _, why in heard[2].states}
    return links
