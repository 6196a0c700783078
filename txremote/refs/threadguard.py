"""
Which thread may do what: send a request, or block for an answer.

A connection asks its `ThreadGuard` before it sends a request. A blocking call, made by
`txremote.blocking.pump` or `txremote.eventloop.worker_view`, checks before anything is written
that its thread runs no reactor and that its stack has room: a call that fails half way would
leave a frame between the queue and the socket.
"""

from __future__ import annotations

import sys
import threading
from typing import Protocol

from twisted.python import threadable

from txremote.errors import WouldBlockReactor, WrongThread
from txremote.refs.clock import EventLoop
from txremote.refs.reactorthread import is_in_reactor, may_call_here, runs_asyncio_alone

#: Held while a part of a connection is made that several threads may be the first to use.
#: Reentrant: garbage collection may run a __del__ in the middle.
making = threading.RLock()

# Only a call deeper than this many frames pays for the check of what is left.
_DEEP = 300

# Frames that a blocking call needs from here to the socket and back.
_HEADROOM = 80


def check_blocking_call() -> None:
    """Raise in the thread of a running reactor, and where the stack has no room."""
    refuse_in_reactor()
    check_stack()


class ThreadGuard(Protocol):
    """Says from which thread requests may be sent on a connection."""

    def check(self) -> None:
        """Raise WrongThread where this thread may not send a request."""


class LoopGuard:
    """A `ThreadGuard` of connections that live in an event loop."""

    __slots__ = ("_loop", "_own")

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._own = getattr(loop, "has_own_thread", False)  # which is not the reactor's

    def check(self) -> None:
        """Allow the loop's thread; any thread while the loop has none yet."""
        # the first of the two is nearly always enough, and takes less time
        if self._own or threadable.ioThread != threading.get_ident():
            if may_call_here(self._loop):
                return
            where, how = "the reactor's thread", "reactor.callFromThread"
            if self._own:
                where, how = "the thread of its event loop", "loop.call_soon_threadsafe"
            raise WrongThread(
                f"a remote reference is called in {where}: use "
                f"txremote.async_(reference)(...), or {how}"
            )


def check_stack() -> None:
    """Raise RecursionError now if a blocking call would run into it further on."""
    try:
        sys._getframe(_DEEP)
    except ValueError:  # the stack is not that deep
        return
    _descend(_HEADROOM)


def _descend(frames: int) -> None:
    if frames:
        _descend(frames - 1)


def refuse_in_reactor() -> None:
    """Raise `WouldBlockReactor` in the thread of a running reactor, a server's own too."""
    if is_in_reactor():
        raise would_block()


def would_block() -> WouldBlockReactor:
    """Return the exception for a blocking call in the thread of a reactor, or of a loop."""
    if runs_asyncio_alone():
        return WouldBlockReactor(
            "a blocking call in the event loop's thread would stop the loop: await a reference "
            "there, or make the call in another thread, by asyncio.to_thread() say"
        )
    return WouldBlockReactor(
        "a blocking call in the reactor's thread would stop the reactor: use "
        "txremote.connect() there, or reactor.callInThread()"
    )
