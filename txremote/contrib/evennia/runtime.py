"""
The parts of txremote in this game server: its pool, and all that has to end before it stops.

The Server process ends at each ``evennia reload``, with every job and command that it has begun.
Their callers are to hear of it, and that takes a connection to the Portal, which is gone when the
reactor stops. So whatever begins something that a player waits for enters an ending with
`Runtime.at_stop`, and the plugin calls them all while there is time. For the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from txremote.interfaces import IPool
from txremote.levels import Logger

if TYPE_CHECKING:  # the console needs plac
    from txremote.console.server import ConsoleService

_log = Logger("txremote.game")

#: Told to those who wait for something when the server ends.
RELOADING: Final = "the game server stops or reloads"


class Runtime:
    """
    The state of this game server.

    Attributes:
        pool: The pool that ``TXREMOTE["pool"]`` describes; None: there is none, or not any more.
        console: The line console's service, a `txremote.ConsoleService`; None: there is none.
        stopping: Whether the endings were called: what is begun now would end without a word.
    """

    def __init__(self) -> None:
        self.pool: IPool | None = None
        self.console: ConsoleService | None = None
        self.stopping = False
        self._endings: list[Callable[[str], object]] = []

    def at_stop(self, end: Callable[[str], object]) -> None:
        """Have a function called, once, with the reason as a text, before the server stops."""
        self._endings.append(end)

    def stop(self, why: str = RELOADING) -> None:
        """Call the endings, in the order in which they came; an error of one is logged."""
        if self.stopping:
            return
        self.stopping = True
        for end in self._endings:
            try:
                end(why)
            except Exception:
                _log.failure("an ending of the game failed")


#: The one of this process.
runtime = Runtime()
