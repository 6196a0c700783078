"""
Checks before a thread blocks: that its stack has room, and that it runs no reactor.

A blocking call makes both before it writes anything: a call that fails half way would leave
a frame between the queue and the socket.
"""

from __future__ import annotations

import sys

from txremote.errors import WouldBlockReactor
from txremote.refs.reactorthread import is_in_reactor

# Only a call deeper than this many frames pays for the check of what is left.
_DEEP = 300

# Frames that a blocking call needs from here to the socket and back.
_HEADROOM = 80


def check_blocking_call() -> None:
    """
    Raises:
        WouldBlockReactor: this is the thread of a running reactor.
        RecursionError: the stack has no room for a blocking call.
    """
    if is_in_reactor():
        raise would_block()
    check_stack()


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
    """Return the exception for a blocking call in a reactor's thread."""
    return WouldBlockReactor(
        "a blocking call in the reactor's thread would stop the reactor: use "
        "txremote.connect() there, or reactor.callInThread()"
    )
