"""A game on PostgreSQL: jobs in processes and threads use it beside the Server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contrib.evennia import postgresql as database
from tests.contrib.evennia.environment import FIRST_START
from tests.contrib.evennia.game import Game, needs_evennia
from tests.contrib.evennia.postgresql import postgresql
from tests.contrib.evennia.recipes import add_recipes
from tests.processes import free_port

pytestmark = [
    needs_evennia,
    pytest.mark.skipif(database.why_not() is not None, reason=str(database.why_not())),
]


def test_jobs_read_and_write_what_the_server_does(tmp_path: Path) -> None:
    """A game that is made on PostgreSQL, with a cold worker, changes, threads and a reload."""
    with postgresql() as settings, Game(tmp_path, settings=settings) as game:
        game.launch("migrate")
        game.command("evennia", "shell", "-c", FIRST_START)
        add_recipes(game, free_port())
        game.start()
        with game.player() as player:
            player.type("cold 2")
            player.expect(r"2 right of 2 workers\.", 90)
            player.type("mark red")
            player.expect(r"marked: red True True\.")
            player.type("work 1 0 thread")
            player.expect(r"end 1: done\.")
        game.stop()
