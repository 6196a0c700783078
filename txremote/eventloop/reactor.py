"""The reactor of a function whose ``reactor`` argument may be left out."""

from __future__ import annotations

from typing import Any

from txremote.refs.clock import EventLoop, Reactor
from txremote.refs.reactorthread import runs_asyncio_alone


def chosen_reactor(reactor: Reactor | None) -> EventLoop:
    """
    Return the reactor that was given, or else the one that the program runs.

    Raises:
        RuntimeError: an asyncio loop runs here that is not the reactor's. The reactor, which
            would be installed now, would never run, and what it is to do would not be done.
    """
    chosen: Any = reactor
    if chosen is None:
        if runs_asyncio_alone():
            raise RuntimeError(
                "an asyncio loop runs here, and no reactor: use txremote.aio, which has the same "
                "names (from txremote.aio import connect), or run Twisted's asyncio reactor"
            )
        from twisted.internet import reactor as chosen
    loop: EventLoop = chosen
    return loop
