"""
Peers that take their time: who sends too slowly, who does not read, who goes halfway.
"""

from __future__ import annotations

import struct
import time
from contextlib import ExitStack

import pytest

from tests.hostile.attacker import Attacker, all_hung_up, request, still_open
from tests.hostile.conftest import MIB, SWITCHES, Siege
from tests.peer.pairs import Remote
from txremote.wire.consts import HANDLE_CALLATTR, HANDLE_GETROOT, HANDLE_PING

LISTENER = Remote(("builtins.function", 1, 2))

#: Seconds after its time at which a connection is surely cut off, on a busy machine.
GRACE = 5.0

_HELLO_OF_TLS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32))


def test_five_hundred_that_send_a_byte_at_a_time(siege: Siege) -> None:
    """Each is cut off when its message was not complete within frame_timeout."""
    message = request(1, HANDLE_PING, "x" * 100)
    pause = SWITCHES["frame_timeout"] / 3  # no byte buys more time
    with siege.attack(), ExitStack() as stack:
        slow = [stack.enter_context(Attacker(siege.ports["plain"])) for _ in range(500)]
        siege.settle_to(500)
        end = time.monotonic() + SWITCHES["frame_timeout"] + GRACE
        for byte in message:
            for one in slow:
                one.send(bytes([byte]))
            slow = still_open(slow, pause)
            assert time.monotonic() < end, f"{len(slow)} are still there"
            if not slow:
                break


def test_messages_of_every_kind_that_never_end(siege: Siege) -> None:
    """A long one, one over the limit, one in TLS, a handshake: all have the same time."""
    plain, tls = siege.ports["plain"], siege.ports["tls"]
    beginnings = [
        (plain, struct.pack("!LB", MIB, 0) + bytes(MIB // 2)),
        (plain, struct.pack("!LB", 0xFFFFFFFF, 0) + bytes(MIB // 2)),
        (plain, struct.pack("!LB", MIB, 1) + b"\x78\x01"),
        (plain, request(1, HANDLE_GETROOT) + b"\0\0\0"),
        (tls, b""),
        (tls, _HELLO_OF_TLS),
    ]
    with siege.attack(), ExitStack() as stack:
        slow = []
        for port, beginning in beginnings:
            one = stack.enter_context(Attacker(port))
            one.send(beginning)
            slow.append(one)
        all_hung_up(slow, SWITCHES["frame_timeout"] + GRACE)


@pytest.mark.parametrize("door", ["plain", "tls"])
def test_twenty_that_ask_for_much_and_do_not_read(siege: Siege, door: str) -> None:
    """Nothing more is done for them until they read; then each has all its answers."""
    count = 40
    siege.server.ask("blobs")
    with siege.attack(memory=80 * MIB), ExitStack() as stack:
        lazy = []
        for _ in range(20):
            one = stack.enter_context(Attacker(siege.ports[door]))
            lazy.append(one)
            if door == "tls":  # at once: there is a limit of time for that
                siege.secure(one)
            root = one.root()
            for _ in range(count):
                one.send_request(HANDLE_CALLATTR, root, "blob", (MIB,), ())
        siege.server.ask("peak")  # by now it has seen them all
        made = siege.server.ask("blobs")
        assert len(lazy) <= made < len(lazy) * count // 2, made
        for one in lazy[:2]:
            assert [len(answer) for answer in one.answers(count).values()] == [MIB] * count
        for one in lazy[2:]:
            one.vanish()


def test_a_reader_who_is_slower_than_frame_timeout(siege: Siege) -> None:
    """What he has begun to send meanwhile is not held against him."""
    with siege.attack(memory=20 * MIB), Attacker(siege.ports["plain"]) as lazy:
        root = lazy.root()
        for _ in range(10):
            lazy.send_request(HANDLE_CALLATTR, root, "blob", (MIB,), ())
        ping = request(77, HANDLE_PING, b"x" * 1000)
        lazy.send(ping[:100])
        siege.server.ask("peak")
        time.sleep(SWITCHES["frame_timeout"] + 0.2)
        lazy.send(ping[100:])
        assert lazy.answer(77) == b"x" * 1000
        assert len(lazy.answers(10)) == 10


def test_events_for_somebody_who_does_not_read(siege: Siege) -> None:
    """He is cut off at max_unsent, however small each event is."""
    with siege.attack(memory=40 * MIB), Attacker(siege.ports["plain"]) as lazy:
        root = lazy.root()
        lazy.call(root, "subscribe", LISTENER)
        for _ in range(100):
            lazy.send_request(HANDLE_CALLATTR, root, "fire", (1000, 1000), ())
        siege.gone()


def test_somebody_who_is_waited_for_and_does_not_read(siege: Siege) -> None:
    """A server that waits for him reads him, but he is cut off at max_unsent all the same."""
    with siege.attack(memory=40 * MIB), Attacker(siege.ports["plain"]) as lazy:
        root = lazy.root()
        lazy.send_request(HANDLE_CALLATTR, root, "call", (LISTENER,), ())
        lazy.next_request()
        lazy.send(b"".join(request(n, HANDLE_PING, bytes(10_000)) for n in range(100, 2100)))
        siege.gone()


@pytest.mark.parametrize("door", ["plain", "tls", "threads"])
def test_halves_of_connections(siege: Siege, door: str) -> None:
    """Who closes one direction has closed both; nothing of his is left."""
    with siege.attack(), ExitStack() as stack:
        half = [stack.enter_context(Attacker(siege.ports[door])) for _ in range(100)]
        for number, one in enumerate(half):
            if door == "plain" and number % 2:
                one.send_request(HANDLE_CALLATTR, one.root(), "never", (), ())
            elif number % 3:
                one.send(request(1, HANDLE_GETROOT)[: number % 20])
            one.end_sending()
        all_hung_up(half)


def test_connections_that_are_reset_at_once(siege: Siege) -> None:
    """Before, while and after something was asked."""
    with siege.attack():
        for number in range(300):
            one = Attacker(siege.ports["tls" if number % 5 == 0 else "plain"])
            if number % 3:
                one.send(request(1, HANDLE_GETROOT)[: 3 if number % 3 == 1 else None])
            one.vanish()
