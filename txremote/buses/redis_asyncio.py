"""
A Redis by redis.asyncio, in a loop of `txremote.aio`, where there is no reactor.

One connection of a `RedisLine` is subscribed, and a few more carry commands; a command waits while
all of these are in use. redis.asyncio is told not to try anything again by itself, and to read no
string that is longer than `LONGEST_ANSWER`; the text of commands and answers is bytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import cache
from importlib import import_module
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from txremote.buses.ports import Refused, Store, Unreachable
from txremote.buses.redis_store import LONGEST_ANSWER, RedisStore, topic_of
from txremote.buses.redis_url import RedisPlace

T = TypeVar("T")


class TaskLoop(Protocol):
    """The loop of `txremote.aio`, as far as it is needed here."""

    def deferred_of(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Run a coroutine in a task."""

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine in a task, which is kept until it has ended."""


def _library() -> Any:
    try:
        return import_module("redis.asyncio")
    except ImportError:
        raise ImportError(
            "a topic on a Redis needs redis, 5 or newer: pip install 'txremote[redis]'"
        ) from None


@cache
def _parser_class() -> Any:
    library: Any = import_module("redis._parsers")

    class BoundedParser(library._AsyncRESP2Parser):  # type: ignore[misc]
        """Reads answers whose strings are bounded."""

        async def _read(self, length: int) -> bytes:
            if not 0 <= length <= LONGEST_ANSWER:
                raise Unreachable(
                    f"it sends {length} bytes at once, more than {LONGEST_ANSWER} "
                    "(LONGEST_ANSWER of a bus)"
                )
            found: bytes = await super()._read(length)
            return found

    return BoundedParser


def _client(place: RedisPlace) -> Any:
    library = _library()
    retry: Any = import_module("redis.asyncio.retry")
    backoff: Any = import_module("redis.backoff")
    where: dict[str, Any] = {"host": place.host, "port": place.port}
    kind = library.Connection
    if place.path:
        where, kind = {"path": place.path}, library.UnixDomainSocketConnection
    pool = library.BlockingConnectionPool(
        timeout=None,  # `Bus` has one for each answer
        connection_class=kind,
        db=place.database,
        username=place.user or None,
        password=place.password or None,
        retry=retry.Retry(backoff.NoBackoff(), 0),
        protocol=2,
        parser_class=_parser_class(),
        max_connections=8,
        **where,
    )
    return library.Redis(connection_pool=pool)


class AsyncioRedisLine:
    """
    A connection to a Redis (a `txremote.buses.redis_store.RedisLine`).

    Args:
        loop: The loop.
        place: The Redis.
        message: Called with the topics that have news.
        lost: Called once with the reason when it is of no use any more.
        closing: Gets the task that closes it.
    """

    def __init__(
        self,
        loop: TaskLoop,
        place: RedisPlace,
        message: Callable[[str], object],
        lost: Callable[[str], object],
        closing: deque[asyncio.Task[None]],
    ) -> None:
        self._closing = closing
        self._loop = loop
        self._message = message
        self._lost: Callable[[str], object] | None = lost
        self._client = _client(place)
        self._listener = self._client.pubsub()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, log in, and see whether it answers."""
        try:
            # now: several that subscribe at once would take a connection each, and use one
            await _translated(self._listener.connect())
            await _translated(self._client.execute_command("PING"))
        except BaseException:
            self.close()
            raise

    async def _listen(self) -> None:
        """Tell of messages until the connection ends."""
        try:
            async for message in self._listener.listen():
                if message["type"] == "message" and self._lost is not None:
                    self._message(topic_of(message["channel"].decode("utf-8", "replace")))
        except Exception as problem:
            self._end(str(problem) or type(problem).__name__)

    def _end(self, why: str) -> None:
        tell, self._lost = self._lost, None
        if tell is not None:
            self.close()
            tell(why)

    def command(self, *words: str | bytes | int) -> Deferred[object]:
        """Send a command, and return its answer."""
        return self._loop.deferred_of(_translated(self._client.execute_command(*words)))

    def subscribe(self, channel: str) -> Deferred[object]:
        """Have messages of a channel told."""
        return self._loop.deferred_of(self._subscribe(channel))

    async def _subscribe(self, channel: str) -> None:
        await _translated(self._listener.subscribe(channel))
        if self._task is None and self._lost is not None:
            self._task = self._loop.spawn(self._listen())

    def unsubscribe(self, channel: str) -> None:
        """Have them told no more."""
        leaving = self._loop.deferred_of(_translated(self._listener.unsubscribe(channel)))
        leaving.addErrback(lambda _: None)

    def close(self) -> None:
        """Close it."""
        self._lost = None
        if self._task is not None:
            self._task.cancel()
        self._closing.append(self._loop.spawn(self._close()))

    async def _close(self) -> None:
        listener = self._listener
        end = getattr(listener, "aclose", listener.reset)  # since 5.0.1
        closing = [end(), self._client.connection_pool.disconnect()]
        await asyncio.gather(*closing, return_exceptions=True)


async def _translated(answering: Any) -> Any:
    """Return what a command gives, with our exceptions for the library's."""
    errors: Any = import_module("redis.exceptions")
    try:
        return await answering
    except errors.ResponseError as problem:
        raise Refused(str(problem)) from None
    except (errors.RedisError, OSError) as problem:
        raise Unreachable(str(problem) or type(problem).__name__) from None


class AsyncioRedisOpener:
    """
    Opens a store in a Redis for a loop of asyncio's (a `txremote.buses.ports.Opener`).

    Args:
        loop: The loop.
        place: The Redis.

    Raises:
        ImportError: redis is not installed.
    """

    def __init__(self, loop: TaskLoop, place: RedisPlace) -> None:
        _library()
        self.name = str(place)
        self._loop = loop
        self._place = place
        self._closing: deque[asyncio.Task[None]] = deque(maxlen=10)

    def open(self, wake: Callable[[str], object], lost: Callable[[str], object]) -> Deferred[Store]:
        """Connect to it."""
        line = AsyncioRedisLine(self._loop, self._place, wake, lost, self._closing)
        opening = self._loop.deferred_of(line.open())
        return opening.addCallback(lambda _: RedisStore(line, self._place.keep))

    def close(self) -> Deferred[None]:
        """Wait until the connections are closed."""
        return self._loop.deferred_of(self._closed())

    async def _closed(self) -> None:
        await asyncio.gather(*self._closing, return_exceptions=True)
