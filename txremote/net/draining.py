"""
The end of a listener's calls: `Draining` lets them end for some seconds, and cuts the rest.

An operator who waits for a server to stop reads in the log how many calls it waits for, of which
methods, and for how long more, and which were cut.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.levels import Logger
from txremote.peer.called import Called, calls_text
from txremote.peer.connection import Connection

_log = Logger("txremote")

WHY: Final = "the server is stopping"

#: Seconds after which the log says again what is waited for.
EVERY: Final = 10.0


class Draining:
    """
    The calls that have begun, of a listener that stops.

    Args:
        what: Its service, for the log.
        connections: Those that are open. New ones are not taken any more.
        clock: The time.
    """

    def __init__(
        self, what: str, connections: Callable[[], Collection[Connection]], clock: IReactorTime
    ) -> None:
        self._what = what
        self._connections = connections
        self._clock = clock
        self._over = 0.0
        self._timer: IDelayedCall | None = None

    def begin(self, seconds: float, when_over: Callable[[], object]) -> Deferred[object]:
        """
        Refuse new calls, and let those that have begun end; when the time is over, call
        ``when_over``. The Deferred fires when all connections have ended.
        """
        self._over = self._clock.seconds() + seconds
        ending = [each.closing.drain(WHY) for each in list(self._connections())]
        over = self._clock.callLater(seconds, when_over)
        self._tell()

        def ended(result: object) -> object:
            for timer in (over, self._timer):
                if timer is not None and timer.active():
                    timer.cancel()
            return result

        return DeferredList(ending).addCallback(ended)

    def _unanswered(self) -> list[Called]:
        return [each for conn in self._connections() for each in conn.inbound.unanswered()]

    def _tell(self) -> None:
        """Tell what is waited for, now and every `EVERY` seconds."""
        left = self._over - self._clock.seconds()
        calls = self._unanswered()
        if not calls or left <= 0:
            return
        _log.info(
            "{what} is stopping, and waits for {calls}, for {seconds:.0f} s more",
            what=self._what,
            calls=calls_text(calls),
            count=len(calls),
            seconds=left,
        )
        self._timer = self._clock.callLater(EVERY, self._tell)

    def cut(self) -> None:
        """Answer what still runs with an error, and cancel it."""
        calls = self._unanswered()
        if not calls:
            return
        _log.warn(
            "{what} is stopping, and cuts {calls}",
            what=self._what,
            calls=calls_text(calls),
            count=len(calls),
        )
        for connection in list(self._connections()):
            connection.inbound.cut(WHY)
