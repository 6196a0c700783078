"""The reactor of a function whose ``reactor`` argument may be left out."""

from __future__ import annotations

from typing import Any

from txremote.refs.clock import EventLoop, Reactor


def chosen_reactor(reactor: Reactor | None) -> EventLoop:
    """Return the reactor that was given, or else the one that the program runs."""
    chosen: Any = reactor
    if chosen is None:
        from twisted.internet import reactor as chosen
    loop: EventLoop = chosen
    return loop
