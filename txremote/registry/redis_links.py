"""
One connection to Redis that runs scripts: with txredisapi in a reactor, with redis.asyncio in
`txremote.aio`, where no reactor may be imported.

A connection is made when it is needed and kept. One on which something failed or took too long is
closed, and the next script has a new one: nothing waits in a queue behind a Redis that hangs.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from txremote.errors import RegistryUnreachable
from txremote.refs.sharing import follow
from txremote.registry.urls import RegistryURL


class RedisLink(Protocol):
    """Runs scripts on a Redis."""

    def evaluate(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Deferred[Any]:
        """Run a script; texts in its result are `str`."""

    def close(self) -> None:
        """Close the connection; another script makes a new one."""


def redis_link(url: RegistryURL, reactor: Any) -> RedisLink:
    """Return the link of a reactor, or of the loop of `txremote.aio`. ImportError: no extra."""
    if hasattr(reactor, "deferred_of"):
        return AsyncioLink(url, reactor)
    return ReactorLink(url, reactor)


def redis_library(name: str) -> Any:
    """Import a module of the extra ``redis``. ImportError: it is not installed, and what to do."""
    try:
        return import_module(name)
    except ImportError as problem:
        raise ImportError(
            f"a registry in Redis needs pip install 'txremote[redis]' ({problem})"
        ) from None


def client_options(url: RegistryURL, retrying: str) -> dict[str, Any]:
    """
    Return the arguments of a client of the library redis.

    Args:
        url: Which Redis.
        retrying: The library's module with the ``Retry`` that such a client takes: without one
            said it tries ten times (redis 8.1).
    """
    where: dict[str, Any] = {"host": url.host, "port": url.port}
    if url.path:
        where = {"unix_socket_path": url.path}
    elif url.kind == "rediss":
        where |= {"ssl": True, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    once = redis_library(retrying).Retry(redis_library("redis.backoff").NoBackoff(), retries=0)
    return {
        **where,
        "db": url.database,
        "username": url.user,
        "password": url.password,
        "decode_responses": True,
        "retry": once,
    }


class ReactorLink:
    """A connection of txredisapi's protocol."""

    def __init__(self, url: RegistryURL, reactor: Any) -> None:
        self._url = url
        self._reactor = reactor
        self._redis = redis_library("txredisapi")
        self._opening: Deferred[Any] | None = None
        self._open: Any = None

    def evaluate(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Deferred[Any]:
        """Run a script."""
        return ensureDeferred(self._evaluate(script, keys, args))

    async def _evaluate(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Any:
        protocol = await self._connected()
        try:
            return await protocol.eval(script, list(keys), list(args))
        except BaseException as problem:  # cancelled, too: it has taken too long
            if self._open is protocol:
                self._open = None
            protocol.transport.abortConnection()
            why = protocol.factory.why_lost
            if why and isinstance(problem, self._redis.ConnectionError):  # its own says nothing
                sentence = f"the registry at {self._url} cannot be used: {why}"
                raise RegistryUnreachable(sentence) from None
            raise

    async def _connected(self) -> Any:
        if self._open is None or not self._open.connected:
            opening = self._opening
            if opening is None:
                opening = self._opening = ensureDeferred(self._connect())
            try:
                self._open = await follow(opening)
            finally:
                if self._opening is opening:
                    self._opening = None
        return self._open

    async def _connect(self) -> Any:
        url = self._url
        endpoint: Any
        if url.path:
            endpoint = UNIXClientEndpoint(self._reactor, url.path)
        else:
            endpoint = HostnameEndpoint(self._reactor, url.host, url.port)
        if url.kind == "rediss":
            from twisted.internet.ssl import optionsForClientTLS

            endpoint = wrapClientTLS(optionsForClientTLS(url.host), endpoint)
        connections = _Connections(self._redis.RedisProtocol, url)
        protocol = await endpoint.connect(connections)
        connections.ready_when(protocol)
        try:
            await connections.ready
        except BaseException:
            protocol.transport.abortConnection()
            raise
        return protocol

    def close(self) -> None:
        """Close the connection, one that is being made as well."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        protocol, self._open = self._open, None
        if protocol is not None and protocol.connected:
            protocol.transport.abortConnection()


class _Connections(Factory):
    """
    The factory that txredisapi's protocol asks for, for one connection.

    Attributes:
        why_lost: Why the connection has ended, TLS included; nothing while it is there.
    """

    noisy = False
    isLazy = False

    def __init__(self, protocol: Any, url: RegistryURL) -> None:
        self._make = protocol
        self._url = url
        self.why_lost = ""
        self.ready: Deferred[None] = Deferred(lambda _ready: None)

    def buildProtocol(self, _address: object) -> Any:
        """Make the protocol, which logs in."""
        url = self._url
        # texts that look like numbers are not made numbers
        made = self._make(
            password=url.password,
            username=url.user,
            dbid=url.database or None,
            convertNumbers=False,
        )
        made.factory = self
        lose = made.connectionLost

        def lost(reason: Failure) -> None:
            self.why_lost = reason.getErrorMessage() or type(reason.value).__name__
            lose(reason)

        made.connectionLost = lost
        return made

    def ready_when(self, protocol: Any) -> None:
        """Fire `ready` when a protocol has logged in, or has been lost."""
        protocol.whenConnected().addCallback(self._end, None)
        protocol.whenDisconnected().addCallback(self._end, "it closed the connection")

    def stopTrying(self) -> None:
        """Do nothing: nothing is tried again here."""

    def connectionError(self, why: str) -> None:
        """Called when logging in has failed."""
        self._end(None, why)

    def _end(self, _protocol: object, problem: str | None) -> None:
        if self.ready.called:
            return
        if problem is None:
            self.ready.callback(None)
        else:
            self.ready.errback(RegistryUnreachable(f"the registry at {self._url}: {problem}"))


class AsyncioLink:
    """A client of redis.asyncio's."""

    def __init__(self, url: RegistryURL, loop: Any) -> None:
        self._url = url
        self._loop = loop
        self._redis = redis_library("redis.asyncio")
        self._client: Any = None

    def evaluate(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Deferred[Any]:
        """Run a script."""
        result: Deferred[Any] = self._loop.deferred_of(self._evaluate(script, keys, args))
        return result

    async def _evaluate(self, script: str, keys: Sequence[str], args: Sequence[str]) -> Any:
        if self._client is None:
            options = client_options(self._url, "redis.asyncio.retry")
            self._client = self._redis.Redis(**options)
        return await self._client.eval(script, len(keys), *keys, *args)

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            self._loop.deferred_of(client.aclose()).addErrback(lambda _problem: None)
