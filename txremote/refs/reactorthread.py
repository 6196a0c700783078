"""
A reactor's thread: which one it is, and how to have something done in it.

Before a reactor has run there is no such thread, and any may call: the program is being set up.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.python import threadable

from txremote.refs.clock import EventLoop, steady


def later(reactor: EventLoop, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
    """Call a function by the reactor, from any thread; return what takes that back, in any."""
    call: IDelayedCall | None = None
    taken_back = False

    def start() -> None:
        nonlocal call
        if not taken_back:
            call = steady(reactor).callLater(seconds, function)

    def stop() -> None:
        if call is not None and call.active():
            call.cancel()

    def take_back() -> None:
        nonlocal taken_back
        taken_back = True
        in_reactor(reactor, stop)

    in_reactor(reactor, start)
    return take_back


def is_reactor_thread(reactor: object) -> bool:
    """Tell whether this is the thread that a reactor runs in."""
    return _thread_of(reactor) == threading.get_ident()


def is_in_reactor() -> bool:
    """Tell whether this is the thread of a running reactor, the program's or a server's own."""
    return _here.runs_reactor or reactor_here() is not None


def reactor_here() -> EventLoop | None:
    """Return the program's reactor, if it runs in this thread."""
    if threadable.ioThread is None or threadable.ioThread != threading.get_ident():
        return None
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    return reactor if getattr(reactor, "running", False) else None


def is_loop_thread() -> bool:
    """Tell whether this is the thread of the program's reactor, or of a loop of txremote.aio's."""
    if threadable.isInIOThread():
        return True
    return hasattr(asyncio._get_running_loop(), "_txremote_loop")


def asyncio_loop_of(reactor: object) -> asyncio.AbstractEventLoop | None:
    """Return the asyncio loop under a reactor: Twisted's asyncio reactor, or txremote.aio's."""
    loop = getattr(reactor, "_asyncioEventloop", None) or getattr(reactor, "loop", None)
    return loop if isinstance(loop, asyncio.AbstractEventLoop) else None


def runs_asyncio_alone() -> bool:
    """Tell whether this thread runs an asyncio loop that is not the one of Twisted's reactor."""
    running = asyncio._get_running_loop()
    reactor = sys.modules.get("twisted.internet.reactor")
    return running is not None and running is not getattr(reactor, "_asyncioEventloop", None)


class _Here(threading.local):
    runs_reactor = False  # one that Twisted does not know


_here = _Here()


@contextmanager
def running_reactor() -> Iterator[None]:
    """Note that this thread runs a reactor beside the program's own."""
    _here.runs_reactor = True
    try:
        yield
    finally:
        _here.runs_reactor = False


def may_call_here(reactor: object) -> bool:
    """Tell whether this is the thread that a reactor runs in, or it has none yet."""
    thread = _thread_of(reactor)
    return thread is None or thread == threading.get_ident()


def _thread_of(reactor: object) -> int | None:
    # Twisted knows the thread of the program's reactor; one beside it has an io_thread
    thread: int | None = getattr(reactor, "io_thread", None) or threadable.ioThread
    return thread


def in_reactor(reactor: EventLoop, function: Callable[[], object]) -> None:
    """Call a function in a reactor's thread: now, if this is it or none runs."""
    if may_call_here(reactor):
        function()
    else:
        reactor.callFromThread(function)
