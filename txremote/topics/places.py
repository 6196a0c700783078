"""
`Place`: the thread that a subscriber lives in, and how another thread has something done there.

A subscriber of a connection lives where its connection does. One of this process lives in the
loop that it was made in, Twisted's reactor or asyncio's; and without any loop, in the thread of
whoever publishes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import get_ident
from typing import Any, Protocol

from txremote.refs.clock import EventLoop
from txremote.refs.ports import RequestContext
from txremote.refs.reactorthread import in_reactor, reactor_here, runs_asyncio_alone

Enter = Callable[[Callable[[], object]], object]


@dataclass(frozen=True, slots=True)
class Place:
    """
    A thread, or a connection's context.

    Attributes:
        key: Equal for equal places.
        enter: Calls a function there: now, if this is it.
    """

    key: object
    enter: Enter

    @property
    def is_over(self) -> bool:
        """Whether it is a loop of asyncio's that is closed: nothing is done there any more."""
        loop = getattr(self.key, "loop", self.key)
        return isinstance(loop, asyncio.AbstractEventLoop) and loop.is_closed()


class Asking(Protocol):
    """The connection over which a subscription is asked for."""

    @property
    def executor(self) -> RequestContext:
        """Its context."""


class _Answering:
    """Tells which connection's call is being answered here; `txremote.peer` brings that."""

    connection: Callable[[], Asking | None] = staticmethod(lambda: None)


answering = _Answering()


def place_of(context: RequestContext) -> Place:
    """Return the place of a connection's executor: all those of one loop have the same."""
    loop: object = getattr(context, "loop", None)
    return Place(context if loop is None else loop, context.submit)


def place_here() -> Place:
    """Return the place of who subscribes here and now."""
    connection = answering.connection()
    if connection is not None:
        return place_of(connection.executor)
    return loop_here() or _ANYWHERE


def loop_here() -> Place | None:
    """Return the place of the loop that runs in this thread."""
    loop = asyncio._get_running_loop()
    if loop is None or not runs_asyncio_alone():
        reactor = reactor_here()
        return None if reactor is None else Place(reactor, partial(in_reactor, reactor))
    known: EventLoop | None = getattr(loop, "_txremote_loop", None)
    if known is not None:  # connections live in it
        return Place(known, partial(in_reactor, known))
    return Place(loop, partial(_in_loop, loop, get_ident()))


def program_loop() -> Place | None:
    """Return the place of the program's reactor, if it runs: in whichever thread."""
    found: Any = sys.modules.get("twisted.internet.reactor")
    if found is None or not getattr(found, "running", False):
        return None
    reactor: EventLoop = found
    return Place(reactor, partial(in_reactor, reactor))


def _in_loop(loop: asyncio.AbstractEventLoop, thread: int, function: Callable[[], object]) -> None:
    if get_ident() == thread:
        function()
        return
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # it is closed, and its subscribers are gone
        return


def _at_once(function: Callable[[], object]) -> None:
    function()


_ANYWHERE = Place(None, _at_once)
