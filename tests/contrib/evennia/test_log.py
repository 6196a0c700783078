"""txremote's lines in the game's log."""

from __future__ import annotations

from tests.peer.pairs import logged
from txremote.contrib.evennia.log import quieten
from txremote.levels import levels
from txremote.peer.logging import logger_for


def test_events_for_debugging_are_left_out() -> None:
    """Evennia writes every level, and a bot could fill its log."""
    try:
        with logged() as log:
            quieten()
            logger_for("connection").debug("a client has come")
            logger_for("connection").info("a client has gone")
    finally:
        levels.reset()
    assert "has come" not in log.text()
    assert "has gone" in log.text()
