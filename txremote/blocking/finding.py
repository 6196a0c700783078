"""
`connect("registry:NAME")` for scripts: a registry is asked by the thread that connects.

The registries are those of the reactor (`txremote.registry`). Only what carries their questions is
another thing here: a socket of the thread's own, or the blocking client of Redis. So each answer is
there when the question has been asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from txremote.blocking.registrars import RegistryClient, TCPRegistryClient, UDPRegistryClient
from txremote.errors import NotServed
from txremote.eventloop.login_refusals import in_words
from txremote.refs.threadguard import refuse_in_reactor
from txremote.registry.asking import TIMEOUT, within
from txremote.registry.dialled import names_to_try, none_reached
from txremote.registry.ports import Place, Registry
from txremote.registry.redis_links import client_options, redis_library
from txremote.registry.redis_registry import RedisRegistry
from txremote.registry.rpyc_registry import RpycRegistry
from txremote.registry.urls import RegistryURL, registry_url
from txremote.servername import ServerName, server_name

T = TypeVar("T")


def find_places(service: str, registry: str | None) -> tuple[Place, ...]:
    """
    Ask a registry where a service is.

    Args:
        service: Its name.
        registry: The registry's URL; None: that of ``$TXREMOTE_REGISTRY``.

    Raises:
        ValueError: The URL is none.
        RegistryUnreachable: It does not answer within 2 seconds.
        WouldBlockReactor: A reactor runs in this thread.
    """
    refuse_in_reactor()
    asked = _registry(registry_url(registry))
    answers: list[Any] = []
    asked.find(service).addBoth(answers.append)
    asked.close()
    (answer,) = answers
    if isinstance(answer, Failure):
        answer.raiseException()
    places: tuple[Place, ...] = answer
    return places


def connect_found(
    named: ServerName,
    registry: str | None,
    dial: Callable[[ServerName, float], T],
    timeout: float,
    sticky_key: str | None = None,
) -> T:
    """
    Ask a registry, and connect to one place after the other until there is a connection. Each has
    its part of the seconds that are left. With a key they are tried in the same order each time.

    Raises:
        NotServed: The registry names no place, or none that can be reached.
    """
    until = time.monotonic() + timeout
    names = names_to_try(find_places(named.service, registry), named, sticky_key)
    problems: list[str] = []
    for number, name in enumerate(names):
        left = (until - time.monotonic()) / (len(names) - number)
        try:
            return dial(server_name(name), max(0.1, left))
        except Exception as error:
            problems.append(f"{name}: {in_words(error)}")
            last = error
    raise NotServed(none_reached(named.service, problems)) from last


def _registry(url: RegistryURL) -> Registry:
    still = Clock()  # there is nothing to wait for
    if url.is_rpyc:
        return RpycRegistry(url, None, clock=still, ask=_Asking(url))
    return RedisRegistry(url, None, clock=still, link=_Link(url))


class _Asking:
    """Asks a registry of RPyC's kind."""

    def __init__(self, url: RegistryURL) -> None:
        self._url = url

    def __call__(self, message: bytes, source: str = "") -> Deferred[bytes]:
        """Send a message, and wait for its answer."""
        url = self._url
        client: RegistryClient
        if url.kind == "udp":
            client = UDPRegistryClient(url.host, url.port, TIMEOUT, ipv6=":" in url.host)
        else:
            client = TCPRegistryClient(url.host, url.port, TIMEOUT)
        try:
            for answer in client._ask(message, source):
                return succeed(answer)
            problem: OSError = TimeoutError()
        except OSError as error:
            problem = error
        return within(fail(problem), TIMEOUT, Clock(), url)


class _Link:
    """A connection to Redis for one script."""

    def __init__(self, url: RegistryURL) -> None:
        self._url = url
        self._redis = redis_library("redis")

    def evaluate(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Deferred[Any]:
        """Run a script, and wait for its result."""
        client = self._redis.Redis(
            **client_options(self._url, "redis.retry"),
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
        )
        try:
            return succeed(client.eval(script, len(keys), *keys, *args))
        except Exception:
            return fail()
        finally:
            client.close()

    def close(self) -> None:
        """Do nothing: none is kept."""
