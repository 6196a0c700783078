"""`connect_found`: a connection to the first of the places of a name that can be reached."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from txremote.errors import NotServed
from txremote.eventloop.login_refusals import in_words
from txremote.net.tls import client_from_string
from txremote.peer.connection import Connection
from txremote.refs.clock import EventLoop, steady
from txremote.registry.choosing import registry_from
from txremote.registry.dialled import names_to_try, none_reached
from txremote.registry.ports import Place, Registry
from txremote.servername import ServerName

Dial = Callable[[IStreamClientEndpoint], Coroutine[Any, Any, Connection]]

#: Seconds that one place may take, where the whole may take for ever.
PLACE_TIMEOUT: Final = 30.0


async def connect_found(
    named: ServerName,
    registry: str | Registry | None,
    dial: Dial,
    timeout: float | None,
    reactor: EventLoop,
) -> Connection:
    """
    Ask a registry, and connect to one place after the other until there is a connection. Each has
    its part of the time that is left.

    Raises:
        RegistryUnreachable: The registry does not answer.
        NotServed: It names no place, or none that can be reached; the text says of each why.
    """
    clock = steady(reactor)
    until = None if timeout is None else clock.seconds() + timeout
    names = names_to_try(await _find(named, registry, reactor), named)
    problems: list[str] = []
    for number, name in enumerate(names):
        seconds = PLACE_TIMEOUT
        if until is not None:
            seconds = (until - clock.seconds()) / (len(names) - number)
        dialling = Deferred.fromCoroutine(dial(client_from_string(reactor, name)))
        dialling.addTimeout(max(0.0, seconds), clock)
        try:
            return await dialling
        except CancelledError:
            raise
        except Exception as error:
            problems.append(f"{name}: {in_words(error)}")
            last = error
    raise NotServed(none_reached(named.service, problems)) from last


async def _find(
    named: ServerName, registry: str | Registry | None, reactor: EventLoop
) -> tuple[Place, ...]:
    if registry is not None and not isinstance(registry, str):
        return await registry.find(named.service)
    made = registry_from(registry, reactor)
    try:
        return await made.find(named.service)
    finally:
        made.close()
