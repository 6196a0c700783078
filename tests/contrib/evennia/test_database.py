"""Database connections of the threads that run jobs."""

from __future__ import annotations

from pathlib import Path

from tests.contrib.evennia.game import Game, needs_evennia

SOURCE = """
from django.conf import settings

ENGINE = "django.db.backends.sqlite3"
settings.configure(
    DATABASES={"default": {"ENGINE": ENGINE, "NAME": "jobs.db3", "CONN_MAX_AGE": 3600}}
)
import django

django.setup()
from django.db import connection, transaction
from txremote.contrib.evennia.database import clean, refresh_connections

with connection.cursor() as cursor:
    cursor.execute("create table things (name text)")


def rows():
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from things")
        return cursor.fetchone()[0]


def insert():
    with connection.cursor() as cursor:
        cursor.execute("insert into things values ('thing')")


first = connection.connection
with clean():
    insert()
assert rows() == 1 and connection.connection is first  # a good connection is kept

for begin in (lambda: transaction.atomic().__enter__(), lambda: transaction.set_autocommit(False)):
    with clean():
        begin()
        insert()
        assert rows() == 2
    assert rows() == 1 and connection.connection is not first and connection.get_autocommit()

try:
    with clean(), transaction.atomic():
        insert()
        raise LookupError
except LookupError:
    assert rows() == 1

connection.connection.close()
connection.errors_occurred = True
refresh_connections()
assert rows() == 1  # by a new one
"""


@needs_evennia
def test_what_a_job_leaves_of_its_connection_ends_with_it(tmp_path: Path) -> None:
    """A good connection is kept; a transaction is undone; one that has failed is replaced."""
    with Game(tmp_path) as game:
        game.command("python", "-c", SOURCE)
