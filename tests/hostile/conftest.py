"""
One fort for all attacks, and ten guests who are served throughout.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import Child, Stage
from tests.drivers import DRIVER
from tests.hostile.attacker import DEADLINE, Attacker
from tests.net.certificates import Authority

MIB = 1 << 20

GUEST_ADDRESS = "127.0.0.1"

#: The fort's module: the one of the driver that this run tries, if it tries one.
FORT = "tests.hostile.driven_fort" if DRIVER in os.environ else "benchmarks.peers.fort"

#: Small, so that an attack is soon over a limit.
SWITCHES: dict[str, Any] = {
    "frame_timeout": 1.0,
    "login_timeout": 2.0,
    "max_connections": 700,
    "max_per_address": 600,
    "max_logins": 40,
    "max_calls": 20,
    "max_waiting": 100,
    "max_unanswered": 16 * MIB,
    "max_exports": 1000,
    "max_imports": 1000,
    "max_frame": 2 * MIB,
    "max_inflated": 2 * MIB,
    "pause_unsent": 256 * 1024,
    "max_unsent": 4 * MIB,
}


class Siege:
    """
    The fort, its guests, and how much an attack may cost.

    Attributes:
        ports: The fort's doors.
        server: Its process.
        authority: Who signs the certificates that the door "tls" lets in.
        folder: Where they are.
        guest_certificate: The path of such a one.
    """

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.guest_certificate = self.authority.issue("guest")
        tls = {"cert": self.authority.issue("server"), "ca": self.authority.path}
        self.server: Child = stage.serve(
            FORT,
            {
                "plain": {"config": SWITCHES},
                "login": {"config": SWITCHES, "login": True},
                "tls": {"config": SWITCHES, **tls},
                "threads": {"config": SWITCHES, "threaded": True},
            },
        )
        self.ports: dict[str, int] = self.server.first
        self._guests = stage.connect(
            "benchmarks.peers.guests",
            self.ports,
            {"ca": self.authority.path, "cert": self.guest_certificate},
        )
        self._before = self.state()
        assert self._before["connections"] == 0, self._before

    def state(self) -> dict[str, int]:
        """Return what the fort holds for others than its guests."""
        found: dict[str, int] = self.server.ask("state", GUEST_ADDRESS)
        return found

    @contextmanager
    def attack(self, memory: int = 30 * MIB, patience: float = 10.0) -> Iterator[None]:
        """
        Check, around an attack, that it harms nobody.

        The guests are served all the time and see no error, nothing is in the log
        that should not be, memory stays bounded, and when the attackers have gone
        so has all that was held for them.

        Args:
            memory: How much more the fort may have at any time, in bytes.
            patience: How long a guest may wait for four answers, in seconds.
        """
        self._guests.ask("report")
        before = self.server.ask("begin_peak")
        yield
        grown = self.server.ask("peak") - before
        assert grown < memory, f"the server grew by {grown / MIB:.1f} MiB"
        for report in (self._guests.ask("report"), self._last_round()):
            assert not report["errors"], report["errors"]
            assert report["slowest"] < patience, report
        assert len(report["rounds"]) == 10
        self.settle()

    def secure(self, attacker: Attacker) -> None:
        """Have an attacker at the door "tls" show a good certificate."""
        context = ssl.create_default_context(cafile=self.authority.path)
        context.load_cert_chain(self.guest_certificate)
        attacker.socket = context.wrap_socket(attacker.socket, server_hostname="127.0.0.1")

    def _last_round(self) -> dict[str, Any]:
        self._guests.ask("all_served")
        report: dict[str, Any] = self._guests.ask("report")
        return report

    def gone(self) -> None:
        """Wait until all connections of attackers have ended."""
        self.settle_to(0)

    def settle_to(self, connections: int) -> None:
        """Wait until so many connections of attackers are there."""
        end = time.monotonic() + DEADLINE
        while self.state()["connections"] != connections:
            assert time.monotonic() < end, self.state()
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until nothing is left of the attackers."""
        end = time.monotonic() + DEADLINE
        kept = ("connections", "addresses", "exports", "imports", "pending", "unanswered")
        kept += ("turned away", "strangers", "undead", "descriptors", "trouble")
        while True:
            now = self.state()
            left = {name: now[name] for name in kept if now[name] > self._before[name]}
            if not left:
                return
            if now["trouble"]:
                raise AssertionError("\n".join(self.server.ask("trouble")))
            assert time.monotonic() < end, f"this is left of the attack: {left}"
            time.sleep(0.05)


@pytest.fixture(scope="package")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    """The fort, from the first test of this folder that attacks it to the last."""
    with Stage() as stage:
        yield Siege(stage, tmp_path_factory.mktemp("fort"))
