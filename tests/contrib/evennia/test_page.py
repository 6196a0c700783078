"""
The page for Evennia's users, followed by a new user: every line is typed.

``TXREMOTE_LONG=1`` (``nox -s games``) makes and migrates the game, too, as the page has it.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.contrib.evennia.game import Game, needs_evennia, wait_until_gone
from tests.contrib.evennia.page import Follower, steps
from tests.processes import ROOT

PAGE = ROOT / "docs" / "evennia.rst"

pytestmark = needs_evennia


def test_every_line_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    """From ``evennia start`` to the last reload, with nothing but the page."""
    with (
        Game(tmp_path, copied=not os.environ.get("TXREMOTE_LONG")) as game,
        Follower(game) as reader,
    ):
        try:
            reader.follow(PAGE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{game.server_log[-6000:]}") from error
        workers = game.children()
        assert len(workers) == 2
        game.stop()
        wait_until_gone(workers)
    assert reader.done > 60


def test_a_page_that_is_wrong_is_noticed() -> None:
    """Every block of the page is one that is followed."""
    kinds = [step.kind for step in steps(PAGE)]
    assert {*kinds} == {"python", "console", "text"}
    assert kinds.count("text") >= 8
