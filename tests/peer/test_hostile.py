"""
Peers that mean harm, or are broken: whatever they send ends a call or their own
connection, and nothing else. No exception leaves ``dataReceived``, no memory is
taken that they did not send, and the server's other connections go on.
"""

from __future__ import annotations

import gc
import itertools
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.examples import examples
from tests.peer.pairs import (
    Local,
    Outcome,
    RawPeer,
    Remote,
    RemoteError,
    answer_of,
    request_payload,
)
from txremote import Service, exposed
from txremote.peer.handlers import HANDLERS
from txremote.testing import Pair, connected_pair
from txremote.wire.brine import dump
from txremote.wire.consts import (
    HANDLE_BUFFITER,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CLOSE,
    HANDLE_DEL,
    HANDLE_GETATTR,
    HANDLE_GETROOT,
    HANDLE_HELLO,
    HANDLE_PING,
    HANDLE_RELEASE,
    MSG_EXCEPTION,
    MSG_REPLY,
    MSG_REQUEST,
)
from txremote.wire.framing import frame

MIB = 1 << 20


class Thing:
    def __init__(self) -> None:
        self.exposed_value = 7


class Target(Service):
    """What is attacked."""

    def __init__(self) -> None:
        self.exposed_thing = Thing()
        self.exposed_list = [1, 2, 3]
        self.added: list[Any] = []

    @exposed
    def add(self, a: Any, b: Any) -> Any:
        self.added.append((a, b))
        return a + b

    @exposed
    def echo(self, value: Any) -> Any:
        return value

    @exposed
    def many(self) -> Any:
        return tuple(Thing() for _ in range(10))

    @exposed
    def later(self) -> Any:
        return Deferred()

    @exposed
    def numbers(self) -> Iterator[int]:
        yield from range(100)


class Attack:
    """A hostile connection to a server that has another client, too."""

    def __init__(self, **config: Any) -> None:
        self.service = Target()
        self.good = connected_pair(server_root=self.service)
        self.peer = RawPeer(self.service, **config)
        self.root = self.peer.root()

    def payload(self, payload: bytes) -> list[Any]:
        """Send a payload in a good frame and return the answers."""
        self.peer.send_payload(payload)
        return self.peer.received()

    def answered_or_ended(self, answers: list[Any]) -> None:
        answers = [answer for answer in answers if answer[0] != MSG_REQUEST]
        assert len(answers) <= 1
        assert len(answers) == 1 or self.peer.ended

    def check_others(self) -> None:
        """Check that the server's other client is served as before."""
        assert self.good.result(self.good.client.root.add(1, 2)) == 3

    def reconnect(self) -> None:
        """Connect again if that connection was ended."""
        if self.peer.ended:
            self.peer.connection.connectionLost(Failure(ConnectionDone()))
            self.peer = RawPeer(self.service)
            self.root = self.peer.root()


def valid_payloads(root: Local) -> dict[str, bytes]:
    """Return one request of each handler, and answers of each kind."""
    thing = Remote(("a.B", 3, 4))
    arguments: dict[int, tuple[Any, ...]] = {
        1: ("x" * 40, (1, 2.5, b"bytes")),
        2: (),
        3: (),
        4: (root, "thing"),
        5: (root, "thing"),
        6: (root, "thing", thing),
        7: (root, (1,), (("a", 2),)),
        8: (root, "echo", (thing, 12345, -7), (("value", 2),)),
        9: (root,),
        10: (root,),
        11: (root, thing, "__eq__"),
        12: (root,),
        13: (root,),
        14: (root, 2),
        15: (root, 1),
        16: (root.pack,),
        17: (root, 10),
        18: (root, "__getitem__", "__getslice__", 0, None, ()),
        19: (root, thing),
        20: (root, root.pack),
        64: (1, ("cancel", "release")),
        65: (77,),
        66: (root, ("thing", "value"), None, ()),
        67: (((root.pack, 1), (("a.B", 1, 2), 3)),),
    }
    found = {
        f"request {handler}": request_payload(900 + handler, handler, *args)
        for handler, args in arguments.items()
    }
    found["reply"] = bytes([MSG_REPLY]) + dump((5, (2, ((1, "x"), (4, ("a.B", 3, 4))))))
    found["exception"] = bytes([MSG_EXCEPTION]) + dump(
        (5, (("builtins", "ValueError"), ("x", 2), (("code", 3),), "Traceback ..."))
    )
    return found


KINDS = list(valid_payloads(Local(("tests.peer.test_hostile.Target", 1, 2))))


# --- cut short --------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_cut_at_every_offset(kind: str) -> None:
    """In a frame that is whole: the payload itself ends too early."""
    attack = Attack()
    whole = valid_payloads(attack.root)[kind]
    for end in range(len(whole)):
        attack.answered_or_ended(attack.payload(whole[:end]))
        assert attack.peer.ended, end
        attack.reconnect()
    assert attack.service.added == []
    attack.check_others()


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_cut_at_every_offset_is_waited_for_and_nothing_is_done(kind: str) -> None:
    attack = Attack()
    whole = frame(valid_payloads(attack.root)[kind])
    for end in range(len(whole)):
        peer = RawPeer(attack.service)
        peer.root()
        peer.send(whole[:end])
        assert peer.received() == []
        assert not peer.ended
        peer.connection.connectionLost(Failure(ConnectionDone()))
        assert not peer.received()
    attack.check_others()


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_with_something_behind_it_is_refused(kind: str) -> None:
    attack = Attack()
    attack.answered_or_ended(attack.payload(valid_payloads(attack.root)[kind] + b"\x00"))
    assert attack.peer.ended
    attack.check_others()


def test_a_frame_without_its_newline_ends_the_connection() -> None:
    attack = Attack()
    attack.peer.send(frame(request_payload(1, HANDLE_PING))[:-1] + b"x")
    assert attack.peer.ended
    assert attack.peer.received() == []


@pytest.mark.parametrize("flag", [2, 3, 255])
def test_a_frame_with_an_unknown_flag_ends_the_connection(flag: int) -> None:
    attack = Attack()
    payload = request_payload(1, HANDLE_PING)
    attack.peer.send(struct.pack("!LB", len(payload), flag) + payload + b"\n")
    assert attack.peer.ended


def test_an_empty_frame_ends_the_connection() -> None:
    attack = Attack()
    attack.answered_or_ended(attack.payload(b""))
    assert attack.peer.ended


@pytest.mark.parametrize(
    "hello",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(1000),
        frame(b"hello"),
        frame(b"\x00" * 100),
        frame(b"\x05\x11\x50\x11"),
        b"\x00\x00\x00\x00\x00\n" * 5,
    ],
)
def test_who_speaks_another_protocol_is_hung_up_on_or_waited_for(hello: bytes) -> None:
    peer = RawPeer(Target)
    peer.send(hello)
    assert peer.received() == []
    assert len(peer.connection._tables.exports) == 0


# --- unknown numbers --------------------------------------------------------------


def test_every_unknown_tag() -> None:
    attack = Attack()
    head = bytes([MSG_REQUEST]) + b"\x11" + dump(5) + b"\x11" + dump(HANDLE_PING)
    for tag in range(256):
        for body in (b"\x11\x51" + bytes([tag]), b"\x11\x51\x10" + bytes([tag]), bytes([tag])):
            attack.answered_or_ended(attack.payload(head + body))
            attack.reconnect()
    attack.check_others()


@pytest.mark.parametrize("kind", [0, *range(4, 256)])
def test_every_unknown_kind(kind: int) -> None:
    peer = RawPeer(Target)
    peer.root()
    peer.send_payload(bytes([kind]) + request_payload(1, HANDLE_PING)[1:])
    assert peer.ended
    assert peer.received() == []


def test_every_tag_in_an_extended_value() -> None:
    attack = Attack()
    head = bytes([MSG_REQUEST]) + b"\x11" + dump(5) + b"\x11" + dump(HANDLE_PING)
    for tag in range(256):
        for body in (b"", b"\x50", b"\x02", b"\x10\x1c\x02", b"\xff", b"\x15\xff\xff\xff\xff"):
            boxed = b"\x11\x55" + bytes([tag]) + body
            for payload in (head + boxed, head + b"\x11\x52\x11" + boxed + b"\x11\x55\xf2\x50"):
                attack.answered_or_ended(attack.payload(payload))
                attack.reconnect()
    attack.check_others()


def test_a_value_that_names_more_than_it_may_costs_its_call() -> None:
    attack = Attack()
    head = bytes([MSG_REQUEST]) + b"\x11" + dump(5) + b"\x11" + dump(HANDLE_PING)
    doubled = b"\x1c\x14\x28\x1c\x02" + b"".join(
        b"\x1c\x11" + (b"\xf2" + dump(number)) * 2 for number in range(39)
    )
    attack.answered_or_ended(attack.payload(head + b"\x11\x55" + doubled))
    assert not attack.peer.ended
    assert attack.peer.ask(HANDLE_PING, 1) == 1
    attack.check_others()


@pytest.mark.parametrize("label", [0, 7, 100, -1, "x", None, (1,), 1.0, True, 1 << 70])
def test_every_unknown_label(label: Any) -> None:
    for box in ((label, ()), (2, ((label, 1),)), (2, ((1, 1), (label, ("a.B", 1, 2))))):
        attack = Attack()
        payload = bytes([MSG_REQUEST]) + dump((7, (HANDLE_PING, box)))
        attack.answered_or_ended(attack.payload(payload))
        assert attack.peer.ended
        attack.check_others()


@pytest.mark.parametrize("handler", [0, 21, 63, 90, 255, -1, 1 << 65, -(1 << 65)])
def test_every_unknown_handler_costs_only_the_call(handler: int) -> None:
    attack = Attack()
    assert attack.peer.ask(handler, attack.root) == RemoteError("KeyError", str(handler))
    assert attack.peer.ask(HANDLE_PING, 1) == 1


@pytest.mark.parametrize("part", ["handler", "number"])
@pytest.mark.parametrize("value", [None, "x", 1.5, (1,), True, b"x", frozenset(), 1j, ...])
def test_a_handler_or_a_number_that_is_no_int(part: str, value: Any) -> None:
    attack = Attack()
    number, handler = (value, HANDLE_PING) if part == "number" else (7, value)
    payload = bytes([MSG_REQUEST]) + dump((number, (handler, (1, ()))))
    attack.answered_or_ended(attack.payload(payload))
    assert attack.peer.ended
    attack.check_others()


# --- ids --------------------------------------------------------------------------

ANSWERED = sorted(number for number, kind in HANDLERS.items() if kind.answered)

BAD_PACKS: list[Any] = [
    ("a.B", 1, 2),
    ("tests.peer.test_hostile.Target", 10**30, -5),
    ("builtins.type", 1, 0),
    ("", 1, 2),
    ("x" * 300, 1, 2),
    ("a.B", 1),
    ("a.B", 1, 2, 3),
    ("a.B", "1", 2),
    (b"a.B", 1, 2),
    ("a.B", 1.0, 2),
    ("a.B", True, 2),
    ("a.B", None, None),
    (("a",), 1, 2),
    (),
    None,
    5,
    "a.B",
]


@pytest.mark.parametrize("pack", BAD_PACKS, ids=repr)
def test_ids_that_name_no_object(pack: Any) -> None:
    for label, handler in itertools.product((3, 4), ANSWERED):
        attack = Attack()
        args = (2, ((label, pack), (1, "add"), (1, ()), (1, ())))
        payload = bytes([MSG_REQUEST]) + dump((7, (handler, args)))
        attack.answered_or_ended(attack.payload(payload))
    attack.check_others()


def test_an_id_of_the_right_number_under_another_name_names_no_object() -> None:
    attack = Attack()
    _name, kind, number = attack.root.pack
    for pack in (("builtins.list", kind, number), (attack.root.pack[0], kind + 1, number)):
        assert attack.peer.ask(HANDLE_GETATTR, Local(pack), "thing").name == "KeyError"


def test_class_ids_open_no_class() -> None:
    attack = Attack()
    name, kind, _number = attack.root.pack
    assert attack.peer.ask(HANDLE_CALL, Local((name, kind, 0)), (), ()).name == "KeyError"


def test_ids_written_in_another_way_name_no_object() -> None:
    """An int has more than one encoding; an id has the one it was given in."""
    attack = Attack()
    name, kind, number = attack.root.pack
    odd = b"\x16\x02" + b"%02d" % number
    pack = b"\x12" + dump(name) + dump(kind) + odd
    body = b"\x11" + dump(HANDLE_GETATTR) + b"\x11\x52\x11\x11\x53" + pack + b"\x11\x51" + dump("x")
    attack.answered_or_ended(attack.payload(b"\x01\x11" + dump(3) + body))
    attack.check_others()


# --- arguments --------------------------------------------------------------------


def odd_values(attack: Attack) -> list[Any]:
    return [
        None,
        0,
        -1,
        1 << 70,
        "",
        "add",
        "__class__",
        b"\xff",
        1.5,
        (),
        ("a",),
        ((),),
        (("a", 1),),
        ((1, 2),),
        frozenset({1}),
        slice(1, 2),
        NotImplemented,
        attack.root,
        attack.root.pack,
        Remote(("builtins.ValueError", 900, 0)),
        (attack.root,),
        ((attack.root.pack, 1),),
    ]


@pytest.mark.parametrize("handler", sorted({*HANDLERS} - {HANDLE_CLOSE}))
def test_wrong_arguments_of_every_kind_cost_at_most_the_call(handler: int) -> None:
    attack = Attack(allow_setattr=True, allow_delattr=True, allow_pickle=True)
    attack.peer.connection._tables.exports.of(attack.service).count = 10**9  # type: ignore[union-attr]
    values = odd_values(attack)
    lists: list[tuple[Any, ...]] = [()]
    lists += [(value,) for value in values]
    lists += [(attack.root, value) for value in values]
    lists += [(attack.root, "add", value) for value in values]
    lists += [(attack.root, value, ()) for value in values]
    lists += [(attack.root, "add", (), value) for value in values]
    lists += [(attack.root, value, None, ()) for value in values]
    lists += [(attack.root, "thing", value, value) for value in values]
    lists += [(attack.root, "__getitem__", "__getslice__", 0, 1, value) for value in values]
    lists += [(value,) * count for value in values[:5] for count in (5, 6, 7, 50)]
    for args in lists:
        number = attack.peer.send_request(handler, *args)
        answers = [answer for answer in attack.peer.received() if answer[0] != MSG_REQUEST]
        assert not attack.peer.ended, args
        assert [answer[1] for answer in answers] == [number] * HANDLERS[handler].answered, args
    attack.check_others()


@pytest.mark.parametrize("handler", ANSWERED)
def test_arguments_that_are_no_tuple(handler: int) -> None:
    attack = Attack()
    for args in ((1, None), (1, "x"), (1, 5), (1, frozenset()), (3, attack.root.pack)):
        answers = attack.payload(bytes([MSG_REQUEST]) + dump((8, (handler, args))))
        attack.answered_or_ended(answers)
        assert not attack.peer.ended
        assert answers[0][0] == MSG_EXCEPTION
    attack.check_others()


class Endless:
    """What no policy opens, and what never ends."""

    def __init__(self) -> None:
        self.asked = 0

    def _rpyc_getattr(self, name: str) -> Any:
        raise AttributeError(name)

    def __iter__(self) -> Iterator[Any]:
        while self.asked < 1000:
            self.asked += 1
            yield ("x", 1)

    def keys(self) -> Any:
        return self

    def __getitem__(self, key: Any) -> Any:
        return 1


def test_no_object_is_iterated_for_the_arguments_of_a_call() -> None:
    """Neither the server's, whose policy was not asked, nor the peer's, which never ends."""
    attack = Attack()
    endless = attack.service.exposed_endless = Endless()  # type: ignore[attr-defined]
    ours = attack.peer.ask(HANDLE_GETATTR, attack.root, "endless")
    theirs = Remote(("builtins.dict", 900, 901))
    echo = attack.peer.ask(HANDLE_GETATTR, attack.root, "echo")
    for odd in (ours, theirs, (ours,), (theirs,)):
        for ask in (
            (HANDLE_CALL, echo, (), odd),
            (HANDLE_CALLATTR, attack.root, "echo", (), odd),
            (HANDLE_CALLPATH, attack.root, ("echo",), (), odd),
            (HANDLE_RELEASE, odd),
        ):
            assert attack.peer.ask(*ask).name == "TypeError"
    for odd in (ours, theirs):
        for ask in (
            (HANDLE_CALL, echo, odd, ()),
            (HANDLE_CALLATTR, attack.root, "echo", odd, ()),
            (HANDLE_CALLATTR, attack.root, "echo", odd, (("value", 1),)),
            (HANDLE_CALLPATH, attack.root, ("echo",), odd, ()),
            (HANDLE_CALLPATH, attack.root, odd, (), ()),
            (HANDLE_HELLO, 1, odd),
        ):
            assert attack.peer.ask(*ask).name == "TypeError"
    assert endless.asked == 0


def test_a_builtin_container_that_is_fed_a_peers_object_ends_in_a_type_error() -> None:
    """``dict.update(x)`` calls ``x.keys()``, and a plain Deferred can be iterated for ever."""
    attack = Attack()
    attack.service.exposed_dict = {1: 2}  # type: ignore[attr-defined]
    attack.service.exposed_set = {1}  # type: ignore[attr-defined]
    theirs = Remote(("builtins.dict", 900, 901))
    for name, method in (
        ("dict", "update"),
        ("dict", "__ior__"),
        ("set", "update"),
        ("set", "union"),
        ("list", "extend"),
        ("list", "__iadd__"),
    ):
        container = attack.peer.ask(HANDLE_GETATTR, attack.root, name)
        number = attack.peer.send_request(HANDLE_CALLATTR, container, method, (theirs,), ())
        answers = [answer for answer in attack.peer.received() if answer[0] != MSG_REQUEST]
        assert [answer[1] for answer in answers] == [number]
        assert answer_of(*answers[0]).name == "TypeError"
    attack.check_others()


def test_named_arguments_that_are_none() -> None:
    attack = Attack()
    for kwargs in (((1, 2),), (("a",),), ("ab",), 5, ((("a",), 1),), (("a", 1), ("a", 2))):
        answer = attack.peer.ask(HANDLE_CALLATTR, attack.root, "echo", (1,), kwargs)
        assert isinstance(answer, RemoteError)
    attack.check_others()


def test_the_same_call_site_with_other_bytes_behind_it() -> None:
    """What was called before is looked up by its bytes, and must not be trusted further."""
    attack = Attack()
    good = request_payload(1, HANDLE_CALLATTR, attack.root, "add", (1, 2), ())
    for _ in range(3):
        assert attack.payload(good)[0][2] == (1, 3)
    for end in range(len(good)):
        attack.answered_or_ended(attack.payload(good[:end]))
        attack.reconnect()
        attack.payload(request_payload(1, HANDLE_CALLATTR, attack.root, "add", (1, 2), ()))
    assert attack.peer.ask(HANDLE_CALLATTR, attack.root, "add", "ab", ()).name == "TypeError"
    assert attack.peer.ask(HANDLE_CALLATTR, attack.root, "add", (1,), (("b", 2),)) == 3
    assert attack.peer.ask(HANDLE_CALLATTR, attack.root, "add", 5, ()).name == "TypeError"
    thing = Local(("a.B", 1, 2))
    assert attack.peer.ask(HANDLE_CALLATTR, attack.root, "add", (thing, 1), ()).name == "KeyError"
    assert attack.peer.ask(HANDLE_CALLATTR, attack.root, "add", (1, 2), ()) == 3


def test_an_object_that_was_given_back_cannot_be_called_by_what_was_called_before() -> None:
    attack = Attack()
    numbers = attack.peer.ask(HANDLE_CALLATTR, attack.root, "numbers", (), ())
    for expected in range(3):
        assert attack.peer.ask(HANDLE_CALLATTR, numbers, "__next__", (), ()) == expected
    assert attack.peer.ask(HANDLE_DEL, numbers, 1) is None
    for _ in range(2):
        assert attack.peer.ask(HANDLE_CALLATTR, numbers, "__next__", (), ()).name == "KeyError"


# --- memory -----------------------------------------------------------------------


class Peak:
    """Measures how much more memory a block takes at its highest."""

    def __enter__(self) -> Peak:
        gc.collect()
        tracemalloc.start()
        self._before = tracemalloc.get_traced_memory()[0]
        return self

    def __exit__(self, *args: Any) -> None:
        self.bytes = tracemalloc.get_traced_memory()[1] - self._before
        tracemalloc.stop()


def test_a_length_of_4_gib_takes_no_memory() -> None:
    attack = Attack()
    chunk = bytes(65536)
    with Peak() as peak:
        attack.peer.send(b"\xff\xff\xff\xff\x00" + request_payload(9, HANDLE_PING, "x"))
        for _ in range(200):
            attack.peer.send(chunk)
    assert peak.bytes < MIB
    ((kind, number, args),) = attack.peer.received()
    assert (kind, number) == (MSG_EXCEPTION, 9)
    assert "max_frame" in args[1][0]
    attack.check_others()


def test_an_announced_length_takes_no_memory_before_the_bytes_come() -> None:
    attack = Attack()
    with Peak() as peak:
        attack.peer.send(struct.pack("!LB", 64 * MIB, 0) + b"\x01\x11")
    assert peak.bytes < MIB // 4


def test_an_oversized_frame_costs_its_call_and_the_stream_goes_on() -> None:
    attack = Attack(max_frame=1000)
    attack.peer.send_payload(request_payload(5, HANDLE_PING, "x" * 2000))
    ((kind, number, args),) = attack.peer.received()
    assert (kind, number) == (MSG_EXCEPTION, 5)
    assert "max_frame" in args[1][0]
    assert attack.peer.ask(HANDLE_PING, 1) == 1


@pytest.mark.parametrize("size", [100 * MIB])
def test_a_zlib_bomb_is_stopped_while_it_inflates(size: int) -> None:
    deflate = zlib.compressobj(9)
    head = b"\x01\x11" + dump(5) + b"\x11" + dump(HANDLE_PING) + b"\x11\x51\x10\x0f"
    packed = deflate.compress(head + struct.pack("!L", size))
    for _ in range(size // MIB):
        packed += deflate.compress(bytes(MIB))
    packed += deflate.flush()
    bomb = struct.pack("!LB", len(packed), 1) + packed + b"\n"
    attack = Attack(max_inflated=2 * MIB)
    with Peak() as peak:
        attack.peer.send(bomb)
    assert peak.bytes < 8 * MIB
    ((kind, number, args),) = attack.peer.received()
    assert (kind, number) == (MSG_EXCEPTION, 5)
    assert "max_inflated" in args[1][0]
    assert attack.peer.ask(HANDLE_PING, 1) == 1


@pytest.mark.parametrize("cut", [1, 5, 50])
def test_a_compressed_frame_that_is_damaged_ends_the_connection(cut: int) -> None:
    attack = Attack()
    packed = zlib.compress(request_payload(5, HANDLE_PING, "ab" * 1000))
    for bad in (packed[:-cut], packed + b"x" * cut, b"x" * cut + packed):
        attack.peer.send(struct.pack("!LB", len(bad), 1) + bad + b"\n")
        assert attack.peer.ended
        attack.peer.received()
        attack.reconnect()
    attack.check_others()


@pytest.mark.parametrize(
    "nested",
    [
        b"\x10" * 100_000 + b"\x00",
        b"\x14\x01" * 100_000 + b"\x00",
        b"\x1a\x10" * 100_000 + b"\x00",
        b"\x19\x12" * 100_000 + b"\x00",
        b"\x11" * 100_000,
    ],
    ids=["tuples", "counted tuples", "frozensets", "slices", "pairs"],
)
def test_a_hundred_thousand_nested_values_cost_the_call(nested: bytes) -> None:
    attack = Attack()
    head = b"\x01\x11" + dump(5) + b"\x11" + dump(HANDLE_PING) + b"\x11\x51"
    ((kind, number, args),) = attack.payload(head + nested)
    assert (kind, number) == (MSG_EXCEPTION, 5)
    assert "max_depth" in args[1][0]
    assert attack.peer.ask(HANDLE_PING, 1) == 1


def test_a_hundred_thousand_nested_boxes_cost_the_call() -> None:
    attack = Attack()
    head = b"\x01\x11" + dump(5) + b"\x11" + dump(HANDLE_PING)
    ((kind, number, args),) = attack.payload(head + b"\x11\x52\x10" * 100_000)
    assert (kind, number) == (MSG_EXCEPTION, 5)
    assert "max_depth" in args[1][0]
    assert attack.peer.ask(HANDLE_PING, 1) == 1


def test_nested_values_in_a_reply_cost_the_call() -> None:
    pair = connected_pair(server_root=Target)
    outcome = Outcome(pair.client.root.later())
    pair.pump()
    (number,) = pair.client.outbound.pending._waiting
    pair.client.dataReceived(frame(b"\x02\x11" + dump(number) + b"\x11\x51" + b"\x10" * 100_000))
    assert "max_depth" in str(outcome.error)
    assert pair.result(pair.client.root.add(1, 2)) == 3


@pytest.mark.parametrize(
    "value",
    [
        b"\x15\xff\xff\xff\xff" + b"\x00" * 10,
        b"\x0f\xff\xff\xff\xff" + b"\x00" * 10,
        b"\x08\x0f\xff\xff\xff\xff" + b"\x00" * 10,
        b"\x17\xff\xff\xff\xff" + b"1" * 10,
        b"\x1a\x15\xff\xff\xff\xff" + b"\x00" * 10,
    ],
    ids=["tuple", "bytes", "str", "int", "frozenset"],
)
def test_a_count_that_is_not_backed_by_bytes_takes_no_memory(value: bytes) -> None:
    attack = Attack()
    head = b"\x01\x11" + dump(5) + b"\x11" + dump(HANDLE_PING) + b"\x11\x51"
    with Peak() as peak:
        answers = attack.payload(head + b"\x10" + value)
    attack.answered_or_ended(answers)
    assert peak.bytes < MIB
    attack.check_others()


def test_a_million_values_are_bounded_by_an_option() -> None:
    attack = Attack(max_items=10_000)
    answer = attack.peer.ask(HANDLE_PING, tuple(range(20_000)))
    assert "max_items" in answer.text
    answer = attack.peer.ask(HANDLE_PING, ((attack.root, *range(20_000)),))
    assert "max_items" in answer.text
    assert attack.peer.ask(HANDLE_PING, 1) == 1


def test_an_int_of_a_million_digits_costs_the_call_and_no_time() -> None:
    attack = Attack()
    digits = b"9" * 1_000_000
    head = b"\x01\x11" + dump(5) + b"\x11" + dump(HANDLE_PING) + b"\x11\x51\x10"
    ((kind, number, args),) = attack.payload(head + b"\x17" + struct.pack("!L", 10**6) + digits)
    assert (kind, number) == (MSG_EXCEPTION, 5)
    assert "max_int_digits" in args[1][0]


def test_a_set_of_colliding_ints_is_refused() -> None:
    attack = Attack()
    colliding = tuple((index << 61) - index for index in range(20_000))
    head = b"\x01\x11" + dump(5) + b"\x11" + dump(HANDLE_PING) + b"\x11\x51\x10\x1a"
    attack.answered_or_ended(attack.payload(head + dump(colliding)))
    attack.check_others()


def test_a_large_frame_a_few_bytes_at_a_time_is_gathered_in_linear_work() -> None:
    attack = Attack()
    whole = frame(request_payload(5, HANDLE_PING, "x" * 300_000))
    with Peak() as peak:
        for start in range(0, len(whole), 7):
            attack.peer.send(whole[start : start + 7])
    assert peak.bytes < 5 * MIB
    assert len(attack.peer.received()) == 1


def test_bytes_after_the_end_are_not_looked_at() -> None:
    attack = Attack()
    bad = frame(b"\x09\x09\x09")
    call = frame(request_payload(5, HANDLE_CALLATTR, attack.root, "add", (1, 2), ()))
    attack.peer.send(bad + call + call)
    attack.peer.send(call)
    assert attack.peer.ended
    assert attack.service.added == []
    assert attack.peer.received() == []


def test_nothing_is_served_after_a_good_bye() -> None:
    attack = Attack()
    call = frame(request_payload(5, HANDLE_CALLATTR, attack.root, "add", (1, 2), ()))
    attack.peer.send(frame(request_payload(4, HANDLE_CLOSE)) + call)
    assert attack.peer.ended
    assert attack.service.added == []
    assert attack.peer.received() == []


# --- floods -----------------------------------------------------------------------


def test_a_flood_of_objects_is_bounded_by_an_option() -> None:
    attack = Attack(max_exports=50)
    answers = [attack.peer.ask(HANDLE_CALLATTR, attack.root, "many", (), ()) for _ in range(20)]
    refused = [answer for answer in answers if isinstance(answer, RemoteError)]
    assert len(refused) == 16
    assert all("max_exports" in answer.text for answer in refused)
    assert len(attack.peer.connection._tables.exports) == 41
    for thing in answers[0]:
        attack.peer.ask(HANDLE_DEL, thing, 1)
    again = attack.peer.ask(HANDLE_CALLATTR, attack.root, "many", (), ())
    assert len(again) == 10
    attack.check_others()


def test_a_flood_of_references_is_forgotten_with_the_request() -> None:
    attack = Attack()
    many = tuple(Remote(("a.B", 1, number)) for number in range(5_000))
    attack.peer.send_request(HANDLE_PING, "x", many)
    attack.peer.send_request(HANDLE_CALLATTR, attack.root, "later", many, ())
    assert len(attack.peer.connection._tables.imports) == 0
    attack.check_others()


def test_a_flood_of_unanswered_calls_is_bounded_by_an_option() -> None:
    attack = Attack(max_calls=20, max_waiting=30)
    for _ in range(200):
        attack.peer.send_request(HANDLE_CALLATTR, attack.root, "later", (), ())
    refused = attack.peer.received()
    assert len(refused) == 150
    assert all("max_waiting" in args[1][0] for _kind, _number, args in refused)
    attack.check_others()


def test_a_flood_of_hellos_and_releases() -> None:
    attack = Attack()
    for _ in range(200):
        attack.peer.ask(HANDLE_HELLO, 1, tuple("abc") * 100)
    pairs = tuple((("a.B", 1, number), 1) for number in range(5000))
    answer = attack.peer.ask(HANDLE_RELEASE, pairs)
    assert answer.name == "ValueError"
    assert len(answer.text) < 5000
    attack.check_others()


def test_a_flood_of_made_up_names_leaves_nothing_behind() -> None:
    attack = Attack(include_local_traceback=False, log_exceptions=False)
    for round_ in range(2):
        with Peak() as peak:
            for number in range(300):
                name = f"{round_}-{number}-" + "x" * 2000
                assert attack.peer.ask(HANDLE_GETATTR, attack.root, name).name == "AttributeError"
                attack.peer.ask(HANDLE_CALLATTR, attack.root, name[:200], (), ())
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
    assert held < MIB // 8
    assert peak.bytes < MIB


def test_a_peer_that_never_says_anything_holds_no_more_than_its_connection() -> None:
    peers = [RawPeer(Target) for _ in range(10)]
    for peer in peers:
        peer.send(b"\x00\x00")
        assert not peer.ended
        assert peer.received() == []


# --- a hostile server -------------------------------------------------------------


def client_that_waits() -> tuple[Pair, Outcome, int]:
    """Return a client with one call under way, and that call's number."""
    pair = connected_pair(server_root=Target)
    outcome = Outcome(pair.client.root.later())
    pair.pump()
    (number,) = pair.client.outbound.pending._waiting
    return pair, outcome, number


BAD_EXCEPTIONS: list[Any] = [
    None,
    0,
    2,
    "x",
    (),
    (1, 2, 3, 4),
    (("builtins", "ValueError"), (), ()),
    (("builtins", "ValueError"), (), (), "", ""),
    (("builtins", 3), (), (), ""),
    ((3, "ValueError"), (), (), ""),
    (("builtins", "ValueError"), "ab", (), ""),
    (("builtins", "ValueError"), (), (1,), ""),
    (("builtins", "ValueError"), (), (("a", 1, 2),), ""),
    (("builtins", "ValueError"), (), (), 3),
    (("builtins", "ValueError"), (), (), None),
]

STRANGE_EXCEPTIONS: list[Any] = [
    (("builtins", "a\0b"), (), (), ""),
    (("a\0", "b\0"), (), (), ""),
    (("", ""), (), (), ""),
    (("x" * 100_000, "y" * 100_000), (), (), ""),
    (("builtins", "SystemExit"), (3,), (), ""),
    (("builtins", "KeyboardInterrupt"), (), (), ""),
    (("builtins", "BaseException"), (), (), ""),
    (("builtins", "GeneratorExit"), (), (), ""),
    (("builtins", "StopIteration"), (3,), (), ""),
    (("builtins", "StopAsyncIteration"), (), (), ""),
    (("builtins", "ExceptionGroup"), ("x", ()), (), ""),
    (("builtins", "UnicodeDecodeError"), (), (), ""),
    (("builtins", "SyntaxError"), (), (("lineno", "x"), ("text", 5), ("filename", 3)), ""),
    (("builtins", "ImportError"), (), (("name", ()), ("path", 3)), ""),
    (("builtins", "OSError"), (), (("errno", "x"), ("filename", None)), ""),
    (("builtins", "eval"), ("1",), (), ""),
    (("builtins", "int"), ("1",), (), ""),
    (("builtins", "__import__"), ("os",), (), ""),
    (("os", "system"), ("true",), (), ""),
    (("subprocess", "CalledProcessError"), (), (), ""),
    (("txremote.errors", "ConnectionLost"), (), (), ""),
    (("txremote.errors", "RemoteProtocolError"), (), (), ""),
    (("txremote.errors", "_twisted_error"), (), (), ""),
    (("twisted.internet.defer", "CancelledError"), (), (), ""),
    (
        ("builtins", "ValueError"),
        (),
        (
            ("__class__", 3),
            ("__traceback__", 3),
            ("__cause__", 3),
            ("__dict__", 3),
            ("args", 3),
            ("with_traceback", 3),
            ("_remote_tb", 3),
            (3, 4),
            ("", 5),
            ("a\0b", 5),
            ("x" * 1000, 5),
        ),
        "",
    ),
    (("builtins", "ValueError"), ((),) * 1000, (), "x" * 100_000),
]


@pytest.mark.parametrize("value", BAD_EXCEPTIONS, ids=repr)
def test_an_exception_that_is_none_fails_the_call_and_ends_the_connection(value: Any) -> None:
    pair, outcome, number = client_that_waits()
    pair.client.dataReceived(frame(bytes([MSG_EXCEPTION]) + dump((number, value))))
    assert "an exception" in str(outcome.error)
    assert pair.client.transport.disconnecting


@pytest.mark.parametrize("switches", [{}, {"instantiate_custom_exceptions": True}])
@pytest.mark.parametrize("index", range(len(STRANGE_EXCEPTIONS)))
def test_a_strange_exception_fails_the_call_and_nothing_more(index: int, switches: Any) -> None:
    pair = connected_pair(server_root=Target, client_config=switches)
    outcome = Outcome(pair.client.root.later())
    pair.pump()
    (number,) = pair.client.outbound.pending._waiting
    value = STRANGE_EXCEPTIONS[index]
    pair.client.dataReceived(frame(bytes([MSG_EXCEPTION]) + dump((number, value))))
    error = outcome.error
    assert isinstance(error, Exception)
    assert len(type(error).__name__) < 1000
    str(error)
    repr(error)
    assert pair.result(pair.client.root.add(1, 2)) == 3


def test_no_code_is_imported_or_called_for_an_exception() -> None:
    called: list[Any] = []

    class Custom(Exception):
        def __init__(self, *args: Any) -> None:
            called.append(args)

    globals()["Custom"] = Custom
    try:
        for switches in ({}, {"instantiate_custom_exceptions": True}):
            pair = connected_pair(server_root=Target, client_config=switches)
            outcome = Outcome(pair.client.root.later())
            pair.pump()
            (number,) = pair.client.outbound.pending._waiting
            value = ((__name__, "Custom"), (1,), (), "")
            pair.client.dataReceived(frame(bytes([MSG_EXCEPTION]) + dump((number, value))))
            assert isinstance(outcome.error, Custom) is bool(switches)
            assert outcome.error.args == (1,)
        assert called == []
    finally:
        del globals()["Custom"]


def test_an_exception_class_that_resists_being_derived_from_fails_the_call() -> None:
    class Final(Exception):
        def __init_subclass__(cls, *, required: int) -> None:
            """Wants an argument that nobody gives."""

    globals()["Final"] = Final
    try:
        pair = connected_pair(
            server_root=Target, client_config={"instantiate_custom_exceptions": True}
        )
        outcome = Outcome(pair.client.root.later())
        pair.pump()
        (number,) = pair.client.outbound.pending._waiting
        value = ((__name__, "Final"), (1,), (), "")
        pair.client.dataReceived(frame(bytes([MSG_EXCEPTION]) + dump((number, value))))
        assert outcome.error.args == (1,)
        assert type(outcome.error).__name__.endswith("Final")
    finally:
        del globals()["Final"]


@pytest.mark.parametrize("kind", [MSG_REPLY, MSG_EXCEPTION])
def test_answers_that_nobody_asked_for_are_dropped(kind: int) -> None:
    pair, outcome, number = client_that_waits()
    body: Any = (1, "x")
    if kind == MSG_EXCEPTION:
        body = (("builtins", "ValueError"), (), (), "")
    for other in (number + 1, 10**9, -1, 1 << 80):
        pair.client.dataReceived(frame(bytes([kind]) + dump((other, body))))
    assert not outcome.fired
    pair.client.dataReceived(frame(bytes([kind]) + dump((number, body))))
    pair.client.dataReceived(frame(bytes([kind]) + dump((number, body))))
    assert len(outcome.results) == 1
    assert pair.result(pair.client.root.add(1, 2)) == 3


@pytest.mark.parametrize(
    "box",
    [None, 5, (), (1,), (1, 2, 3), (7, 1), ("x", 1), (2, 5), (2, ((9, 1),)), (3, ()), (4, "x")],
    ids=repr,
)
def test_a_reply_that_is_no_boxed_value_fails_the_call_and_ends_the_connection(box: Any) -> None:
    pair, outcome, number = client_that_waits()
    pair.client.dataReceived(frame(bytes([MSG_REPLY]) + dump((number, box))))
    assert outcome.fired
    assert isinstance(outcome.error, Exception)
    assert pair.client.transport.disconnecting


def test_a_reply_with_an_id_of_ours_that_is_none_fails_the_call_alone() -> None:
    pair, outcome, number = client_that_waits()
    body = (number, (2, ((3, ("a.B", 1, 2)), (4, ("a.C", 3, 4)))))
    pair.client.dataReceived(frame(bytes([MSG_REPLY]) + dump(body)))
    assert isinstance(outcome.error, KeyError)
    assert len(pair.client._tables.imports) == 1  # the root; the other was given back,
    assert outcome.error.__traceback__ is None  # and the error does not keep it
    assert pair.result(pair.client.root.add(1, 2)) == 3


def test_a_server_that_calls_us_reaches_nothing_that_is_not_offered() -> None:
    pair = connected_pair(server_root=Target)
    for path in ("on_connect", "conn", "ALIASES"):
        with pytest.raises(AttributeError):
            pair.result(pair.server.root.callRemote(path))


def test_an_iterator_that_answers_otherwise_than_it_should_ends_the_loop() -> None:
    class Liar(Target):
        def exposed_liar(self) -> Any:
            return self

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            raise TypeError("nothing to iterate")

    pair = connected_pair(server_root=Liar)

    async def use() -> Any:
        return [item async for item in await pair.client.root.liar()]

    with pytest.raises(TypeError, match="nothing to iterate"):
        pair.result(Deferred.fromCoroutine(use()))


# --- anything at all --------------------------------------------------------------


def stream(root: Local) -> bytes:
    """Return a stream of good frames of many kinds."""
    return b"".join(map(frame, valid_payloads(root).values()))


edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete", "repeat", "flip"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=8,
)


def edited(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    out = bytearray(data)
    for how, where, what in changes:
        at = int(where * len(out))
        if how == "set":
            out[at : at + len(what)] = what
        elif how == "insert":
            out[at:at] = what
        elif how == "delete":
            del out[at : at + len(what)]
        elif how == "repeat":
            out[at:at] = out[at : at + 20]
        elif out:
            out[at] ^= 1 << (what[0] % 8)
    return bytes(out)


@settings(max_examples=examples(60), deadline=None)
@given(changes=edits, chunk=st.sampled_from([1, 7, 100, 100_000]))
def test_a_damaged_stream_never_raises_and_harms_nobody_else(
    changes: list[tuple[str, float, bytes]], chunk: int
) -> None:
    attack = Attack()
    data = edited(stream(attack.root), changes)
    for start in range(0, len(data), chunk):
        attack.peer.send(data[start : start + chunk])
    attack.peer.received()  # what came back can be read
    attack.peer.connection.connectionLost(Failure(ConnectionDone()))
    assert len(attack.peer.connection._tables.exports) == 0
    attack.check_others()


@settings(max_examples=examples(60), deadline=None)
@given(kind=st.sampled_from(KINDS), changes=edits)
def test_a_damaged_message_in_a_good_frame_is_answered_or_ends_the_connection(
    kind: str, changes: list[tuple[str, float, bytes]]
) -> None:
    attack = Attack()
    payload = edited(valid_payloads(attack.root)[kind], changes)
    attack.peer.send_payload(payload)
    answers = attack.peer.received()
    assert sum(answer[0] != MSG_REQUEST for answer in answers) <= 1
    attack.check_others()


@settings(max_examples=examples(60), deadline=None)
@given(data=st.binary(max_size=200), first=st.booleans())
def test_random_bytes(data: bytes, first: bool) -> None:
    peer = RawPeer(Target)
    if not first:
        peer.root()
    peer.send(data)
    peer.send_payload(data) if not peer.ended else None
    peer.received()


@settings(max_examples=examples(50), deadline=None)
@given(kind=st.sampled_from(["reply", "exception"]), changes=edits)
def test_a_client_survives_a_damaged_answer(
    kind: str, changes: list[tuple[str, float, bytes]]
) -> None:
    pair, outcome, number = client_that_waits()
    payload = valid_payloads(Local(("a.B", 1, 2)))[kind].replace(dump(5), dump(number), 1)
    pair.client.dataReceived(frame(edited(payload, changes)))
    pair.lose()
    assert len(outcome.results) == 1


def test_all_of_it_in_every_dialect() -> None:
    """The first frame tells the dialect; a later one of another is refused."""
    five = b"\x12\x51" + dump(3) + b"\x11" + dump(HANDLE_GETROOT) + b"\x11\x51\x02"
    for first in (five, bytes(16) + five, bytes(16) + request_payload(3, HANDLE_GETROOT)):
        peer = RawPeer(Target)
        peer.send_payload(first)
        assert len(peer.transport.written) == 1
        for end in range(len(first)):
            other = RawPeer(Target)
            other.send_payload(first[:end])
        peer.send_payload(request_payload(4, HANDLE_PING))
        assert peer.ended


def test_a_chunk_that_is_asked_for_without_end() -> None:
    attack = Attack()
    numbers = attack.peer.ask(HANDLE_CALLATTR, attack.root, "numbers", (), ())
    assert len(attack.peer.ask(HANDLE_BUFFITER, numbers, 1 << 62)) == 100
    assert attack.peer.ask(HANDLE_CALLPATH, attack.root, ("thing",) * 10_000, None, ()).name
    attack.check_others()
