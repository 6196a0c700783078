"""A server that is kept in a registry by a thread."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from tests.blocking.script_threads import wait_until
from txremote.blocking.auto_register import AutoRegister


class FakeRegistrar:
    """Answers as it is told to; may raise, or wait."""

    REREGISTER_INTERVAL = 1000

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.told: list[Any] = []

    def register(self, aliases: tuple[str, ...], port: int, interface: str = "") -> bool:
        """Register a server."""
        self.told.append((aliases, port, interface))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    def unregister(self, port: int) -> None:
        """Take it out."""
        self.told.append(port)


def test_it_is_tried_until_it_is_acknowledged_and_taken_out_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a registrar raises; then it is left alone for its interval."""
    monkeypatch.setattr(AutoRegister, "RETRY", 0.001)
    others = set(threading.enumerate())
    registrar = FakeRegistrar(False, OSError("no network"), True)
    entry = AutoRegister(registrar, ("a",), 7, "127.0.0.1", logging.getLogger("x"))
    entry.begin()
    wait_until(lambda: len(registrar.told) == 3)
    entry.end(wait=True)
    assert registrar.told == [*[(("a",), 7, "127.0.0.1")] * 3, 7]
    assert "no network" in caplog.text
    left = set(threading.enumerate()) - others
    assert not [each for each in left if each.name == "txremote registrar"]


def test_one_that_never_began_ends() -> None:
    """A server that was closed before it was started."""
    registrar = FakeRegistrar()
    AutoRegister(registrar, ("a",), 7, "", logging.getLogger("x")).end(wait=True)
    assert registrar.told == []
