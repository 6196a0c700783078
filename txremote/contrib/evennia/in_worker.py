"""
A worker process as a part of the game.

The settings come from the Server, in the environment variable ``DJANGO_SETTINGS_MODULE``, and the
game's folder is on the worker's import path as it is on the Server's. Evennia's flat names
(`evennia.search_object`, `evennia.ObjectDB`, ...) are there; nothing of the game is started: no
Portal, no sessions, no tickers, no scripts.

Each job begins with empty caches, so all that it reads is as it stands in the database. Pickled,
a job's function begins with `BEGIN`, which empties them: before the objects among the function's
arguments are made. While it runs, the job tells the Server which rows it is about to change
(`txremote.contrib.evennia.changes`), what it says to objects (`messages`) and how far it is
(`joblist`). Each of these is sent at once, and not waited for, so a job that is killed has told of
them, too.

Django can be imported only when its settings are known. So this module imports nothing of the
game at its top.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from txremote.contrib.evennia.joblist import Reporter, reporting
from txremote.refs.helpers import async_

#: Called with a kind of message and what it is about; in the Server, by `gamepools`.
Tell = Callable[..., object]

_set_up: list[bool] = []


def setup() -> None:
    """
    Set up Django and Evennia in this process, once.

    For ``init=txremote.contrib.evennia.setup`` of a process pool. Any number of calls is one.

    Raises:
        RuntimeError: ``DJANGO_SETTINGS_MODULE`` names no settings.
        ImportError: the settings, or what they name, cannot be imported.
    """
    if _set_up:
        return
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        raise RuntimeError(
            "no game is named here: DJANGO_SETTINGS_MODULE is not set (server.conf.settings)"
        )
    import django
    import evennia

    django.setup()
    if evennia.SESSION_HANDLER is None:
        evennia._init()

    from txremote.contrib.evennia import changes, messages, travelling

    travelling.install()
    changes.watch()
    messages.forward()
    _set_up.append(True)


def begin_job() -> None:
    """Empty the caches. In a worker, before a job's arguments are made."""
    setup()
    from txremote.contrib.evennia import database, travelling

    database.refresh_connections()
    travelling.empty_caches()


class _Begin:
    """Pickled, it calls `begin_job`."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return begin_job, ()


#: Stands before the function and the arguments of a job.
BEGIN = _Begin()


def run_job(
    _begun: object, tell: Tell, function: Callable[..., Any], /, *args: object, **kwargs: object
) -> Any:
    """Run a job of the game's in a worker process, and tell the Server what it changes."""
    from txremote.contrib.evennia import changes, database

    sending = async_(tell)
    with changes.told_to(sending), reporting(Reporter(sending)), database.clean():
        return function(*args, **kwargs)
