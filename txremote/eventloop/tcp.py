"""
The options of TCP sockets, known once for all drivers, those without a loop too.

A peer that has vanished without a word must be found. A stock RPyC client answers nothing
while it is idle, so no ping finds it: TCP's own keepalive does.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

#: Seconds of silence after which TCP asks whether the peer is still there,
#: seconds between two such questions, and how many may stay unanswered.
KEEPALIVE_IDLE: Final = 60
KEEPALIVE_INTERVAL: Final = 15
KEEPALIVE_COUNT: Final = 4

#: Milliseconds that sent data may stay unacknowledged.
USER_TIMEOUT: Final = 120_000

_OPTIONS = (
    ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
    ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
    ("TCP_KEEPCNT", KEEPALIVE_COUNT),
    ("TCP_USER_TIMEOUT", USER_TIMEOUT),
)

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux

SetOption = Callable[[int, int, int], None]


def tune_keepalive(set_option: SetOption) -> None:
    """
    Set when TCP asks a silent peer, and when it gives up, with a socket's ``setsockopt``.
    `socket.SO_KEEPALIVE` is not set.
    """
    for name, value in _OPTIONS:
        option = getattr(socket, name, None)
        if option is None:
            continue
        try:
            set_option(socket.IPPROTO_TCP, option, value)
        except OSError:  # not every system knows every option
            continue


def acknowledge(set_option: SetOption) -> None:
    """Have TCP acknowledge at once what was received, and not 40 ms later."""
    if _QUICKACK is not None:
        try:
            set_option(socket.IPPROTO_TCP, _QUICKACK, 1)
        except OSError:  # closed meanwhile
            return
