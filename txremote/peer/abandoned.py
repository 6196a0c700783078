"""
Generators that their reader leaves: its ``break``, its end, the end of the connection.

A plain one is closed by Python the moment it is dropped, so it is dropped where its code ran
(`Executor.let_go`). An asynchronous one has to be closed by the code that drives it, for
``aclose()`` may wait. Python calls a finalizer that was set before the first step
(`sys.set_asyncgen_hooks`). asyncio sets one for its whole thread, Twisted sets none; here one
is set for each generator that a peer takes steps of.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextvars import Context, copy_context
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

from txremote.levels import Logger
from txremote.peer.variables import Within
from txremote.streams.source import Stream
from txremote.wire.naming import class_name

_log = Logger("txremote")

_GENERATORS = frozenset({GeneratorType, AsyncGeneratorType, Stream})


class Executor(Protocol):
    """The part of a connection's executor that is used."""

    closings: Closings

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function in the connection's context, from wherever, a finalizer too."""


class Closings:
    """The asynchronous generators of one or more connections that are being closed."""

    def __init__(self) -> None:
        # by identity, as what is no generator may have no hash
        self._under_way: dict[int, AsyncGenerator[Any, Any]] = {}
        self._watchers: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(
        self, generator: AsyncGenerator[Any, Any], executor: Executor, context: Context
    ) -> None:
        """Close what nobody has any more, a generator or what has its ``aclose``. Any thread."""
        self._under_way[id(generator)] = generator
        executor.soon(lambda: self._close(generator, context))

    def _close(self, generator: AsyncGenerator[Any, Any], context: Context) -> None:
        """Have its ``finally`` blocks run, however long they wait."""

        async def close() -> None:
            try:
                await Within(generator.aclose().__await__(), context)
            except Exception:  # it is the service's own
                _log.failure(
                    "the generator {name}, which its reader has left, did not close well",
                    name=getattr(generator, "__qualname__", class_name(type(generator))),
                )
            finally:
                self._closed(generator)

        Deferred.fromCoroutine(close())

    def _closed(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._under_way.pop(id(generator), None)
        if not self._under_way:
            watchers, self._watchers = self._watchers, []
            for watcher in watchers:
                if not watcher.called:
                    watcher.callback(None)

    def ended(self) -> Deferred[None]:
        """Return a Deferred that fires when none is under way."""
        if not self._under_way:
            return succeed(None)
        watcher: Deferred[None] = Deferred()
        self._watchers.append(watcher)
        return watcher


def is_generator(obj: object) -> bool:
    """Tell whether an object is a generator, of either kind, or a stream, which may have one."""
    return type(obj) in _GENERATORS


def step(
    executor: Executor, method: Callable[..., Any], *args: Any, context: Context | None = None
) -> Any:
    """
    Call ``__anext__`` or another such method of an asynchronous generator, so that the
    generator is closed, in this context or its first step's, when nobody has it any more.
    """
    within = copy_context() if context is None else context

    def left(generator: AsyncGenerator[Any, Any]) -> None:
        executor.closings.begin(generator, executor, within)

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=left)
    try:
        return method(*args)
    finally:
        sys.set_asyncgen_hooks(*before)
