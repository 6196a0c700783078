"""
Peers that want too much: of requests, of connections, of objects, of bytes.
"""

from __future__ import annotations

import struct
import zlib
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from tests.hostile.attacker import Attacker, request
from tests.hostile.conftest import GUEST_ADDRESS, MIB, SWITCHES, Siege
from tests.peer.pairs import Local, Remote, RemoteError
from txremote.wire.consts import HANDLE_CALLATTR, HANDLE_GETROOT, HANDLE_PING, HANDLE_RELEASE
from txremote.wire.framing import frame

CALLS, WAITING = SWITCHES["max_calls"], SWITCHES["max_waiting"]
EVERYBODY, EACH = SWITCHES["max_connections"], SWITCHES["max_per_address"]

FUNCTION = Remote(("builtins.function", 1, 2))


# -- requests


def test_a_flood_of_requests_is_answered(siege: Siege) -> None:
    """Ten of them at once, and the guests are served between."""
    count = 2000
    with siege.attack(), ExitStack() as stack:
        floods = [stack.enter_context(Attacker(siege.ports["plain"])) for _ in range(10)]
        for one in floods:
            root = one.root()
            one.send(
                b"".join(
                    request(1000 + n, HANDLE_CALLATTR, root, "add", (n, 1), ())
                    for n in range(count)
                )
            )
        for one in floods:
            assert one.answers(count) == {1000 + n: n + 1 for n in range(count)}


def test_calls_that_never_end_wait_and_are_then_refused(siege: Siege) -> None:
    """So many run, so many wait, the rest is told the options; a ping is answered yet."""
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        for _ in range(5000):
            one.send_request(HANDLE_CALLATTR, root, "never", (), ())
        answers = one.answers(5000 - CALLS - WAITING)
        for answer in answers.values():
            assert isinstance(answer, RemoteError)
            assert "options max_calls, max_waiting" in answer.text
        assert siege.state()["unanswered"] == CALLS + WAITING
        assert one.ask(HANDLE_PING, "alive") == "alive"


def test_large_calls_that_never_end(siege: Siege) -> None:
    """Far fewer run and wait than small ones: it is their bytes that are counted."""
    count = 100
    with siege.attack(memory=60 * MIB), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        for _ in range(count):
            one.send_request(HANDLE_CALLATTR, root, "never", (bytes(MIB),), ())
        most = SWITCHES["max_unanswered"] // MIB
        for answer in one.answers(count - most).values():
            assert isinstance(answer, RemoteError)
            assert "option max_unanswered" in answer.text
        assert one.ask(HANDLE_PING, "alive") == "alive"
        assert 0 < siege.state()["unanswered"] <= most


def test_a_flood_by_somebody_who_is_waited_for(siege: Siege) -> None:
    """What he asks may start at once, for the answer may need it; but not without end."""
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        one.send_request(HANDLE_CALLATTR, root, "call", (FUNCTION,), ())
        one.next_request()
        for _ in range(5000):
            one.send_request(HANDLE_CALLATTR, root, "never", (), ())
        one.answers(5000 + 1 - CALLS - WAITING)
        assert siege.state()["unanswered"] == CALLS + WAITING


def test_a_flood_of_requests_to_worker_threads(siege: Siege) -> None:
    """Each is answered, or refused by the option's name; the reactor's guests do not notice."""
    with siege.attack(), Attacker(siege.ports["threads"]) as one:
        root = one.root()
        for n in range(3000):
            one.send_request(HANDLE_CALLATTR, root, "add", (n, 1), ())
        answers = list(one.answers(3000).values())
        refused = [answer for answer in answers if isinstance(answer, RemoteError)]
        assert len(refused) < 3000
        assert all("max_waiting" in answer.text for answer in refused)


# -- connections


def refused(one: Attacker) -> str:
    """Return what somebody is told who asks for the root and does not get it."""
    answer = one.ask(HANDLE_GETROOT)
    assert isinstance(answer, RemoteError), answer
    assert answer.name == "ConnectionRefusedError"
    assert one.hung_up() == "closed"
    return answer.text


def test_a_flood_of_connections(siege: Siege) -> None:
    """One address takes no place from others; who is too many is told which option says so."""
    port = siege.ports["plain"]
    with siege.attack(), ExitStack() as stack:

        def come(count: int, source: str) -> None:
            for _ in range(count):
                stack.enter_context(Attacker(port, source))

        def told(source: str) -> str:
            with Attacker(port, source) as one:
                return refused(one)

        come(EACH, "127.0.0.2")
        assert f"{EACH} connections of this address are open (option max_per_address)" in told(
            "127.0.0.2"
        )
        with Attacker(port, GUEST_ADDRESS) as good:
            assert good.call(good.root(), "add", 1, 2) == 3
        guests = 8  # those of this door
        siege.settle_to(EACH)
        come(EVERYBODY - EACH - guests, "127.0.0.3")
        assert f"{EVERYBODY} connections are open (option max_connections)" in told("127.0.0.4")


def test_who_is_turned_away_and_does_not_care(siege: Siege) -> None:
    """Only so many are listened to; the others are dropped without a word."""
    port = siege.ports["plain"]
    with siege.attack(), ExitStack() as stack:
        crowd = [stack.enter_context(Attacker(port)) for _ in range(EACH + 300)]
        for one in crowd[EACH + 100 :]:
            assert one.hung_up() == "closed"
        assert siege.state()["turned away"] == 100
        crowd[EACH].send(b"\xff" * 1000)
        crowd[EACH + 1].send(request(1, HANDLE_CALLATTR, Local(("x.Y", 1, 1)), "add", (), ()))
        assert "max_per_address" in crowd[EACH + 1].answer(1).text


# -- objects


def test_a_flood_of_exported_objects(siege: Siege) -> None:
    """Past max_exports a result is not given; who gives back may ask again."""
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        held = one.call(root, "things", 900)
        for _ in range(50):
            answer = one.call(root, "things", 200)
            assert "option max_exports" in answer.text
        assert one.call(root, "things", 90)
        assert siege.state()["exports"] == 991
        assert one.ask(HANDLE_RELEASE, tuple((thing.pack, 1) for thing in held)) is None
        assert len(one.call(root, "things", 200)) == 200


def test_a_flood_of_references_to_the_peers_objects(siege: Siege) -> None:
    """The same the other way: past max_imports the call is refused."""
    things = tuple(Remote((f"a.B{n % 7}", 1 + n % 7, 1 + n)) for n in range(2000))
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        assert one.call(root, "keep", *things[:900]) == 900
        for _ in range(20):
            assert "option max_imports" in one.call(root, "keep", *things).text
        assert one.call(root, "keep", *things[:10]) == 10


# -- bytes


@cache
def bomb(size: int) -> bytes:
    """Return a frame of zeros that inflates to so much."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    return struct.pack("!LB", len(packed), 1) + packed + b"\n"


def inflating(payload: bytes) -> bytes:
    """Return a frame that inflates to a payload."""
    packed = zlib.compress(payload)
    return struct.pack("!LB", len(packed), 1) + packed + b"\n"


def nested(depth: int, inner: bytes = b"\x00") -> bytes:
    """Return a tuple within a tuple within a tuple."""
    return b"\x10" * depth + inner


def call_of(value: bytes) -> bytes:
    """Return a request whose arguments are what these bytes say."""
    return b"\x01\x11\x59\x11\x58" + value  # request 9, CALLATTR


BOMBS: dict[str, Any] = {
    "zlib, of nothing": lambda: bomb(100 * MIB),
    "zlib, of a request": lambda: inflating(call_of(b"\x11\x51\x0f\xff") + bytes(8 * MIB)),
    "zlib, twice": lambda: inflating(bomb(100 * MIB)),
    "tuples": lambda: frame(call_of(nested(MIB))),
    "tuples, deflated": lambda: inflating(call_of(nested(MIB))),
    "boxes": lambda: frame(call_of(b"\x11\x52\x10" * 300_000)),
    "frozensets": lambda: frame(call_of(b"\x11\x51" + b"\x1a\x10" * 300_000)),
    "slices": lambda: frame(call_of(b"\x11\x51" + b"\x19\x12" * 300_000)),
    "a count of 4 billion": lambda: frame(call_of(b"\x11\x51\x15\xff\xff\xff\xff")),
    "bytes of 4 GiB": lambda: frame(call_of(b"\x11\x51\x0f\xff\xff\xff\xff")),
    "a million values": lambda: frame(
        call_of(b"\x11\x51\x15" + struct.pack("!L", MIB) + bytes(MIB))
    ),
    "an int of a million digits": lambda: frame(
        call_of(b"\x11\x51\x17" + struct.pack("!L", MIB) + b"9" * MIB)
    ),
    "ints without end": lambda: frame(
        call_of(
            b"\x11\x51\x15" + struct.pack("!L", 400) + (b"\x17\0\0\x10\xcc" + b"9" * 4300) * 400
        )
    ),
}


@pytest.mark.parametrize("kind", list(BOMBS))
def test_bombs(siege: Siege, kind: str) -> None:
    """What is small on the wire and large in memory costs its call, or its connection."""
    data = BOMBS[kind]()
    with siege.attack(memory=60 * MIB), ExitStack() as stack:
        for _ in range(2):
            one = stack.enter_context(Attacker(siege.ports["plain"]))
            one.root()
            for _ in range(2):
                one.send(data)
            one.end_sending()
            one.hung_up()


def test_large_messages_that_are_allowed(siege: Siege) -> None:
    """Twenty at a time at the limit of max_frame: held while they come, and no longer."""
    payload = bytes(SWITCHES["max_frame"] - 1000)
    with siege.attack(memory=20 * 8 * MIB), ExitStack() as stack:
        for _ in range(20):
            one = stack.enter_context(Attacker(siege.ports["plain"]))
            root = one.root()
            one.send(request(50, HANDLE_CALLATTR, root, "echo", (payload,), ())[:-10])
