"""
In which order the services of a program stop: `StopOrder`.

A server that stops lets its calls end first, and these use the program's pools and its clients.
So a pool or a client that stops together with a server, because the reactor stops or their common
parent does, waits until the server has ended. It does not matter which of them is told first.

A service that is stopped by itself stops at once: a method may end a client of its own while its
server waits for that method.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from txremote.refs.awaiting import succeeded

if TYPE_CHECKING:  # worker processes, which import this, are to start soon
    from twisted.application.service import IService

Stop = Callable[[], "Deferred[None]"]


def stops_with_parent(service: IService) -> bool:
    """Tell whether a service is stopped because the application that it is a part of stops."""
    parent: Any = service.parent
    while parent is not None:
        if not parent.running:
            return True
        parent = getattr(parent, "parent", None)
    return False


class StopOrder:
    """The servers of a program, and those that stop after them. For the reactor's thread."""

    def __init__(self) -> None:
        self._servers: list[IService] = []
        self._users = 0
        self._waiting: list[Deferred[None]] = []

    def enter(self, server: IService) -> None:
        """Note that a server runs."""
        self._servers.append(server)

    def leave(self, server: IService) -> None:
        """Note that a server stops, or has stopped."""
        if server in self._servers:
            self._servers.remove(server)

    def keep_for(self, user: Deferred[Any]) -> None:
        """Have pools and clients that would stop wait until a user's Deferred has fired."""
        self._users += 1

        def done(result: object) -> Any:
            self._users -= 1
            if not self._users:
                waiting, self._waiting = self._waiting, []
                for each in waiting:
                    each.callback(None)
            return result

        user.addBoth(done)

    def after_use(self, stop: Stop) -> Deferred[None]:
        """Stop something: now, or when its last user is done."""
        if not self._users:
            return stop()
        unused: Deferred[None] = Deferred()
        self._waiting.append(unused)
        return unused.addCallback(lambda _none: stop())

    def with_reactor(self, stop: Stop) -> Deferred[None]:
        """Stop something because the reactor stops: after all servers, which begin to stop now."""
        for server in list(self._servers):
            server.stopService()
        return self.after_use(stop)

    def of_service(self, service: IService, stop: Stop) -> Deferred[None]:
        """Stop a service whose ``stopService`` was called: after the servers that stop with it."""
        if not stops_with_parent(service):
            return stop()
        for server in list(self._servers):
            if stops_with_parent(server):
                server.stopService()

        def stop_if_still() -> Deferred[None]:
            # the application may have been started again meanwhile
            return stop() if stops_with_parent(service) else succeeded(None)

        return self.after_use(stop_if_still)


#: The order of this process, with all that goes with its reactor.
stop_order = StopOrder()
