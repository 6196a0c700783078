"""
`setup`: makes a worker process of a pool part of the game.

The settings come from the Server, in the environment variable ``DJANGO_SETTINGS_MODULE``, and the
game's folder is on the worker's import path as it is on the Server's. Evennia's flat names
(`evennia.search_object`, `evennia.ObjectDB`, ...) are there; nothing of the game is started: no
Portal, no sessions, no tickers, no scripts.
"""

from __future__ import annotations

import os


def setup() -> None:
    """
    Set up Django and Evennia in this process, once.

    For ``init=txremote.contrib.evennia.in_worker.setup`` of a process pool. Any number of calls is
    one.

    Raises:
        RuntimeError: ``DJANGO_SETTINGS_MODULE`` names no settings.
        ImportError: the settings, or what they name, cannot be imported.
    """
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        raise RuntimeError(
            "no game is named here: DJANGO_SETTINGS_MODULE is not set (server.conf.settings)"
        )
    import django
    import evennia

    django.setup()
    if evennia.SESSION_HANDLER is None:
        evennia._init()
