"""One twistd with an operator, a console and its tasks, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.processes import SERVES, Program, script
from txremote.cli import main

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


class Typed(NamedTuple):
    """What a command of ``txremote`` has given."""

    status: int
    out: str
    errors: str


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Typed]:
    """Return what runs a command line of txremote as a user, in this process."""

    def run(*words: str, user: str = "ann") -> Typed:
        monkeypatch.setenv("TXREMOTE_PASSWORD", PASSWORDS[user])
        status = main(words)
        return Typed(status, *capsys.readouterr())

    return run


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
