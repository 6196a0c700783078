"""
Peers that take their time: who sends too slowly, and who does not read.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.hostile.attacker import DEADLINE, Attacker, all_hung_up, request
from tests.hostile.conftest import MIB, SWITCHES, Siege
from tests.peer.tools import Local, Remote
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_GETROOT,
    HANDLE_HELLO,
    HANDLE_PING,
)

LISTENER = Remote(("builtins.function", 1, 2))


def until(condition, within: float = DEADLINE) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def test_five_hundred_that_send_a_byte_a_second(siege: Siege) -> None:
    """Each is cut off when its message was not complete within frame_timeout."""
    message = request(1, HANDLE_GETROOT)
    with siege.attack(), ExitStack() as stack:
        slow = [stack.enter_context(Attacker(siege.ports["plain"])) for _ in range(500)]
        started = time.monotonic()
        for number in range(2):
            time.sleep(max(0.0, started + number - time.monotonic()))
            for one in slow:
                one.send(message[number : number + 1])
        assert siege.state()["connections"] == 500
        all_hung_up(slow, within=SWITCHES["frame_timeout"] + 5)


def test_events_for_somebody_who_does_not_read(siege: Siege) -> None:
    """He is cut off at max_unsent, however small each event is."""
    with siege.attack(memory=16 * MIB), Attacker(siege.ports["plain"]) as lazy:
        root = lazy.root()
        lazy.call(root, "subscribe", LISTENER)
        for _ in range(20):
            lazy.send_request(HANDLE_CALLATTR, root, "fire", (1000, 1000), ())
        until(lambda: siege.state()["connections"] == 0)
