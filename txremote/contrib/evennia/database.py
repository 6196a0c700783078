"""
The database connections of the threads and processes that run jobs.

Django has one connection in each thread, for as long as the thread lives, and looks after it
between the requests of a web server; nobody does between jobs. So this is done here: a connection
that does not work is closed before a job, whose first query makes another; and a transaction that
a job leaves open ends with the job, without effect. A connection that works is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from txremote.levels import Logger

_log = Logger("txremote.game")


def refresh_connections() -> None:
    """Close the connections of this thread that do not work, or may not, before a job."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and (
            connection.errors_occurred or not connection.is_usable()
        ):
            _discard(connection)


@contextmanager
def clean() -> Iterator[None]:
    """Have what a job leaves of transactions end with it. In the job's thread."""
    try:
        yield
    finally:
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block or (
                connection.connection is not None
                and connection.settings_dict["AUTOCOMMIT"]
                and not connection.autocommit
            ):
                _log.warn(
                    "a job has left a transaction of the database {alias} open: rolled back",
                    alias=connection.alias,
                )
                _discard(connection)


def _discard(connection: Any) -> None:
    """Close a connection in whatever state it is; the thread's next query makes another."""
    try:
        connection.connection.close()
    except Exception:  # it is broken: that is why
        pass
    del connections[connection.alias]
