"""
Machines for tests: network namespaces, each with a link to one bridge. Not a test file.

A command that begins with a `Machine`'s ``before`` runs in it, with addresses and a loopback of its
own. This host is on the network, too, at `Network.address`. A link is cut in two ways: taken down
at the machine, which then has no network; or pulled out of the bridge, so that neither end notices
anything, and what is sent is silently gone.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Final

from tests.buses.redis_server import RedisServer

#: How a link is cut, and mended.
CUTS: Final = ("down", "silent")


def ip(*words: str) -> None:
    """Run ``ip``."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@functools.cache
def why_no_machines() -> str:
    """Return why this host has no namespaces for tests; empty if it has."""
    if shutil.which("ip") is None:
        return "there is no command ip"
    try:
        with Network() as network:
            network.machine()
    except OSError as problem:
        return f"no network namespaces can be made here: {problem}"
    return ""


class Machine:
    """
    A machine of a `Network`.

    Attributes:
        address: Its address.
        before: The words before a command that runs on it.
    """

    def __init__(self, network: Network, number: int) -> None:
        self._bridge = network.bridge
        self._port = f"{network.bridge}p{number}"
        self._namespace = f"{network.bridge}m{number}"
        self.address = f"{network.prefix}.{10 + number}"
        self.before = ("ip", "netns", "exec", self._namespace)

    def start(self) -> None:
        """Put it on the network."""
        ip("netns", "add", self._namespace)
        inside = ("peer", "name", "eth0", "netns", self._namespace)
        ip("link", "add", self._port, "type", "veth", *inside)
        self._at("addr", "add", f"{self.address}/24", "dev", "eth0")
        self._at("link", "set", "lo", "up")
        ip("link", "set", self._port, "master", self._bridge, "up")
        self._at("link", "set", "eth0", "up")

    def _at(self, *words: str) -> None:
        ip("-n", self._namespace, *words)

    def cut(self, kind: str) -> None:
        """Cut its link, in one of the `CUTS`."""
        if kind == "down":
            self._at("link", "set", "eth0", "down")
        else:
            ip("link", "set", self._port, "nomaster")

    def mend(self) -> None:
        """Join it again."""
        ip("link", "set", self._port, "master", self._bridge)
        self._at("link", "set", "eth0", "up")

    def remove(self) -> None:
        """Let it be no more. Its programs have ended."""
        with suppress(OSError):
            ip("link", "del", self._port)
        with suppress(OSError):
            ip("netns", "del", self._namespace)


class Network:
    """
    A bridge of this host. Use it in a ``with``: it is gone afterwards, with its machines.

    Attributes:
        address: This host's, on it.
        bridge: Its name.
        prefix: How all addresses on it begin.
    """

    def __init__(self) -> None:
        number = os.getpid()
        self.bridge = f"txr{number % 0x10000:x}"
        self.prefix = f"198.{18 + number % 2}.{number // 2 % 256}"  # set aside for such tests
        self.address = f"{self.prefix}.1"
        self._machines: list[Machine] = []

    def __enter__(self) -> Network:
        ip("link", "add", self.bridge, "type", "bridge")
        try:
            ip("addr", "add", f"{self.address}/24", "dev", self.bridge)
            ip("link", "set", self.bridge, "up")
        except OSError:
            ip("link", "del", self.bridge)
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for machine in self._machines:
            machine.remove()
        ip("link", "del", self.bridge)

    def machine(self) -> Machine:
        """Add a machine."""
        made = Machine(self, len(self._machines) + 1)
        self._machines.append(made)
        made.start()
        return made


def network_redis(stack: ExitStack, network: Network) -> str:
    """Start a Redis on this host that all machines reach; return its URL."""
    unprotected = ("--bind", "127.0.0.1", network.address, "--protected-mode", "no")
    redis = stack.enter_context(RedisServer(*unprotected))
    return f"redis://{network.address}:{redis.port}"
