"""One twistd with an operator, a console and its tasks, shared by the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.processes import SERVES, Program, run, script

PASSWORDS = {"ann": "sesame", "bob": "hunter2"}


class Operated(NamedTuple):
    """
    A server.

    Attributes:
        server: Where it is, as a command takes it.
        port: The number.
        site: The URL of its admin site, and ``token`` the file with its token.
    """

    server: str
    port: int
    site: str
    token: Path

    def command(self, *words: str, user: str = "ann") -> tuple[int, str, str]:
        """Run ``txremote WORDS`` as a user; return its status and what it has printed."""
        return run(script("txremote"), *words, env=as_user(user))


def as_user(user: str) -> dict[str, str]:
    """Return the environment of somebody who knows a user's password."""
    return {**os.environ, "TXREMOTE_PASSWORD": PASSWORDS[user]}


def twistd(*words: str) -> Program:
    """Start a twistd with the yard and its users, of which ann is an operator."""
    return Program(
        *(script("twistd"), "--pidfile=", "-n", "txremote"),
        *("--container", "tests.monitor.top.yard.Yard", "--pool", "threads:1"),
        *("--auth", "memory:ann:sesame", "--auth", "memory:bob:hunter2", "--operators", "ann"),
        *words,
    )


@pytest.fixture(scope="session")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    """A server whose operators and site may change things."""
    folder = tmp_path_factory.mktemp("top")
    token = folder / "token"
    with twistd(
        *("--listen", "tcp:0:interface=127.0.0.1", "--console", f"unix:{folder / 'c.sock'}"),
        *("--admin", "tcp:0:interface=127.0.0.1", "--admin-token", str(token), "--admin-write"),
    ) as server:
        port = int(server.wait_for(SERVES)[2])
        site = server.wait_for(r"admin site is on (http://\S+?)/?,")[1]
        yield Operated(f"127.0.0.1:{port}", port, site, token)
