"""A game on PostgreSQL: jobs in processes and threads use it beside the Server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contrib.evennia import postgresql as database
from tests.contrib.evennia.environment import FIRST_START, PASSWORD, SUPERUSER
from tests.contrib.evennia.game import LAUNCH, Game, needs_evennia
from tests.contrib.evennia.postgresql import postgresql
from tests.contrib.evennia.recipes import add_recipes
from tests.processes import free_port

pytestmark = [
    needs_evennia,
    pytest.mark.skipif(database.why_not() is not None, reason=str(database.why_not())),
]

#: The tables as they are now: Evennia's hundred migrations take longer than all of the test.
TABLES = f"""
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "server.conf.settings"
import django
django.setup()
import evennia
from django.conf import settings
from django.core.management import call_command
settings.MIGRATION_MODULES = dict.fromkeys(django.apps.apps.app_configs)
call_command("migrate", run_syncdb=True, verbosity=0)
evennia._init()
evennia.AccountDB.objects.create_superuser("{SUPERUSER}", "", "{PASSWORD}")
"""


def test_jobs_read_and_write_what_the_server_does(tmp_path: Path) -> None:
    """In a new worker and in a thread; what the worker changes, the Server has."""
    with postgresql() as settings, Game(tmp_path, settings=settings) as game:
        game.command("python", "-c", TABLES + FIRST_START, timeout=2 * LAUNCH)
        add_recipes(game, free_port())
        game.start()
        with game.player() as player:
            player.type("mark red")
            player.expect(r"marked: red True True\.", 90)
            player.type("work 1 0 thread")
            player.expect(r"end 1: done\.")
        game.stop()
