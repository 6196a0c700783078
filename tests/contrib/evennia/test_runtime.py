"""What is ended before a game server stops: without Evennia."""

from __future__ import annotations

from tests.peer.pairs import logged
from txremote.contrib.evennia.runtime import RELOADING, Runtime


def test_endings_are_called_once_and_one_that_fails_does_not_keep_the_others() -> None:
    """Each hears why."""
    told: list[str] = []

    def fails(_why: str) -> None:
        raise ZeroDivisionError

    runtime = Runtime()
    for end in (told.append, fails, told.append):
        runtime.at_stop(end)
    with logged() as log:
        runtime.stop()
        runtime.stop()
    assert "an ending of the game failed" in log.text()
    assert told == [RELOADING, RELOADING]
    assert runtime.stopping
