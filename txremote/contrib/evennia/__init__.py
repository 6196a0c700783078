"""
txremote in a game server of Evennia's.

A game names ``txremote.contrib.evennia.plugin`` in its settings, and has jobs from then on: in
threads, where they share the Server's objects, and in processes, which are set up as the game is
and read the same database. Objects of the game travel as their model and number, and arrive as the
receiving process's own, read anew.

``settings``   ``TXREMOTE``, read and checked
``runtime``    what runs in this Server, and what is ended before it stops
``root``       `World`: what clients of the game get, by the interfaces of its objects
``login``      `AccountChecker`: logins by the game's accounts; `needs`: permissions of methods
``interfaces`` `IObject` and the others, and the records that they give
``hearing``    what a character hears, for clients
``awaiting``   `Awaiting`: how such commands are driven
``ports``      what is used of Evennia's objects, as types
``log``        txremote's lines in the game's log
``in_worker``  `setup`: makes a worker process part of the game, for ``init=``

Nothing here is imported before it is used, for the settings of a game are read before Django can
be.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txremote.contrib.evennia.awaiting import Awaiting as Awaiting
    from txremote.contrib.evennia.in_worker import setup as setup
    from txremote.contrib.evennia.login import AccountChecker as AccountChecker, needs as needs
    from txremote.contrib.evennia.root import World as World

_LAZY = {
    "AccountChecker": "txremote.contrib.evennia.login",
    "Awaiting": "txremote.contrib.evennia.awaiting",
    "World": "txremote.contrib.evennia.root",
    "needs": "txremote.contrib.evennia.login",
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
