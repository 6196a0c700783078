"""
txremote in a game server of Evennia's.

A game names ``txremote.contrib.evennia.plugin`` in its settings, and has jobs from then on: in
threads, where they share the Server's objects, and in processes, which are set up as the game is
and read the same database. Objects of the game travel as their model and number, and arrive as the
receiving process's own, read anew.

``in_worker``  `setup`: makes a worker process part of the game, for ``init=``

Nothing here is imported before it is used, for the settings of a game are read before Django can
be.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txremote.contrib.evennia.in_worker import setup as setup

_LAZY = {
    "setup": "txremote.contrib.evennia.in_worker",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_LAZY[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
