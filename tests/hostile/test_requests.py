"""
Requests that no client sends: of RPyC's handlers and of ours, with odd arguments, too
many, too long, at the wrong time.
"""

from __future__ import annotations

import itertools
import math
import random
import select
import time
from contextlib import ExitStack
from typing import Any

import pytest

from tests.hostile.attacker import DEADLINE, Attacker, request
from tests.hostile.conftest import MIB, Siege
from tests.peer.pairs import Local, Remote, RemoteError
from txremote.peer.handlers import HANDLERS as KINDS
from txremote.wire.brine import dump
from txremote.wire.consts import (
    FEATURES,
    HANDLE_BUFFITER,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CANCEL,
    HANDLE_CLOSE,
    HANDLE_CMP,
    HANDLE_CTXEXIT,
    HANDLE_DEADLINE,
    HANDLE_DEL,
    HANDLE_GETATTR,
    HANDLE_GETROOT,
    HANDLE_HELLO,
    HANDLE_INSPECT,
    HANDLE_INSTANCECHECK,
    HANDLE_PICKLE,
    HANDLE_PING,
    HANDLE_RELEASE,
    HANDLE_STOPPING,
    MSG_REPLY,
)
from txremote.wire.framing import frame

HUGE = 10**300

#: Numbers that are none, or none that makes sense.
NUMBERS = (math.nan, math.inf, -math.inf, -1, -HUGE, 1 << 31, 1 << 63, HUGE, True, None, "1", b"1")


def refused(answer: Any, *names: str) -> None:
    """Check that an answer is an error, of one of these classes if any are named."""
    assert isinstance(answer, RemoteError), answer
    assert not names or answer.name in names, answer


def well(one: Attacker, root: Local) -> None:
    """Check that he is served as if nothing had been."""
    assert one.ask(HANDLE_PING, "alive") == "alive"
    assert one.call(root, "add", 1, 2) == 3


# -- of ours


def test_deadlines_without_requests(siege: Siege) -> None:
    """However many there are, one is remembered; it counts for the next request only."""
    count = 5000
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        one.send(
            b"".join(request(100 + n, HANDLE_DEADLINE, 7000 + n, n % 50) for n in range(count))
        )
        assert set(one.answers(count).values()) == {None}
        well(one, root)


@pytest.mark.parametrize("door", ["plain", "threads"])
def test_deadlines_that_make_no_sense(siege: Siege, door: str) -> None:
    """Refused, or so far away that it does not matter; what comes behind is done."""
    with siege.attack(), Attacker(siege.ports[door]) as one:
        root = one.root()
        for number, time_left in itertools.product((5, *NUMBERS), (*NUMBERS, 10**5000, 0.5, (1,))):
            if type(time_left) is int and len(f"{time_left:x}") > 4000:
                continue  # more digits than an int may have here
            one.ask(HANDLE_DEADLINE, number, time_left)
        for time_left in (1 << 31, 1 << 63, HUGE, 0):
            number = one._numbers + 2
            one.send_request(HANDLE_DEADLINE, number, time_left)
            assert one.send_request(HANDLE_CALLATTR, root, "add", (number, 1), ()) == number
            answer = one.answer(number)
            assert answer == number + 1 or (time_left == 0 and isinstance(answer, RemoteError))
        if door == "plain":  # a timer of as many seconds
            number = one._numbers + 2
            one.send_request(HANDLE_DEADLINE, number, HUGE)
            one.send_request(HANDLE_CALLATTR, root, "never", (), ())
            one.ask(HANDLE_CANCEL, number)
            refused(one.answer(number), "CancelledError")
        well(one, root)


@pytest.mark.parametrize(("door", "name"), [("plain", "never"), ("threads", "add")])
def test_calls_that_are_taken_back_at_once(siege: Siege, door: str, name: str) -> None:
    """Each is answered once, and so is each CANCEL, of what has ended or never was, too."""
    count = 2000
    args = (1, 2) if name == "add" else ()
    with siege.attack(), Attacker(siege.ports[door]) as one:
        root = one.root()
        one.send(
            b"".join(
                request(n, HANDLE_CALLATTR, root, name, args, ())
                + request(count + n, HANDLE_CANCEL, n)
                + request(2 * count + n, HANDLE_CANCEL, 3 * count)
                for n in range(100, 100 + count)
            )
        )
        answers = one.answers(3 * count)
        assert {answers[n] for n in range(100 + count, 100 + 3 * count)} == {None}
        assert siege.state()["unanswered"] == 0
        well(one, root)


def test_somebody_who_stops_again_and_again(siege: Siege) -> None:
    """A client that says it stops is served until it goes, however often it says so."""
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        for _ in range(1000):
            one.send_request(HANDLE_STOPPING)
        assert set(one.answers(1000).values()) == {None}
        refused(one.ask(HANDLE_STOPPING, root))
        well(one, root)


HELLOS: list[tuple[Any, ...]] = [
    (1, FEATURES),
    (1, ()),
    (1, ("x",) * 1_000_000),
    (1, tuple(map(str, range(200_000)))),
    (1, ("x" * MIB,)),
    (1, (None, 1, 1.5, b"cancel", (), ("cancel",), True, slice(1))),
    (1, (Remote(("a.B", 1, 2)), "cancel")),
    (HUGE, FEATURES),
    ("1", FEATURES),
    (1, "cancel"),
    (),
    (1, FEATURES, 1),
]


def test_introductions(siege: Siege) -> None:
    """What a peer says of itself is believed as far as it is understood, each time."""
    with siege.attack(memory=60 * MIB), ExitStack() as stack:
        for hello in HELLOS:
            one = stack.enter_context(Attacker(siege.ports["plain"]))
            root = one.root()
            for words in (HELLOS[0], hello):
                answer = one.ask(HANDLE_HELLO, *words)
                assert isinstance(answer, RemoteError) or answer[0] == 1
            thing = one.call(root, "thing", 5)
            assert one.ask(HANDLE_GETATTR, thing, "number") == 5
            well(one, root)


def test_long_paths(siege: Siege) -> None:
    """Followed to the end, name by name, without a stack; or refused at the first name."""
    paths: list[Any] = [
        ("nothing",) * 10_000,
        ("__class__",) * 10_000,
        ("x" * MIB,),
        (),
        ("",),
        ("number", "number"),
        ("\0",) * 10_000,
        (1, None),
        (b"number",) * 2,
        "number",
        None,
        5,
    ]
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        thing = one.call(root, "thing", 7)
        path = ("same",) * 10_000
        assert one.ask(HANDLE_CALLPATH, thing, (*path, "number"), None, ()) == 7
        assert one.ask(HANDLE_CALLPATH, thing, path, None, ()) == thing
        refused(one.ask(HANDLE_CALLPATH, thing, path, (), ()), "TypeError")
        for wrong in paths:
            refused(one.ask(HANDLE_CALLPATH, thing, wrong, (), ()))
        refused(one.ask(HANDLE_CALLPATH, thing, ("number",), 5, ()), "TypeError")
        refused(one.ask(HANDLE_CALLPATH, root, ("add",), (1, 2), ("a",)), "TypeError")
        well(one, root)


def test_large_pings(siege: Siege) -> None:
    """Who reads has each back."""
    payload = bytes(MIB)
    with siege.attack(), ExitStack() as stack:
        for _ in range(5):
            one = stack.enter_context(Attacker(siege.ports["plain"]))
            for _ in range(10):
                assert one.ask(HANDLE_PING, payload) == payload


def pour(attackers: list[Attacker], data: bytes, most: int) -> int:
    """
    Send the same again and again, read nothing, and stop when nothing more is taken.

    Returns:
        How many bytes were.
    """
    polling = select.poll()
    waiting = {one.socket.fileno(): memoryview(b"") for one in attackers}
    sockets = {one.socket.fileno(): one.socket for one in attackers}
    for number in waiting:
        sockets[number].setblocking(False)
        polling.register(number, select.POLLOUT)
    poured, end = 0, time.monotonic() + DEADLINE
    while ready := polling.poll(200):
        assert poured < most, "it takes it all"
        assert time.monotonic() < end
        for number, _event in ready:
            waiting[number] = waiting[number] or memoryview(data)
            try:
                sent = sockets[number].send(waiting[number])
            except ConnectionError:
                polling.unregister(number)
                continue
            waiting[number] = waiting[number][sent:]
            poured += sent
    return poured


def test_large_pings_of_somebody_who_does_not_read(siege: Siege) -> None:
    """They are not even taken in, when some have not been fetched."""
    # each client's frame of a MiB may be there three times: read, decoded, and to be sent
    with siege.attack(memory=45 * MIB), ExitStack() as stack:
        lazy = [stack.enter_context(Attacker(siege.ports["plain"])) for _ in range(10)]
        for one in lazy:
            one.root()
        pour(lazy, request(77, HANDLE_PING, bytes(MIB)), 10 * 40 * MIB)
        for one in lazy:
            one.vanish()


def test_more_or_less_than_was_given(siege: Siege) -> None:
    """DEL and RELEASE give back what was given, and nothing else, whatever is asked."""
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        thing = one.call(root, "thing", 6)
        for count in (*NUMBERS, 0, 2, (1,)):
            refused(one.ask(HANDLE_DEL, thing, count), "ValueError")
            refused(one.ask(HANDLE_RELEASE, ((thing.pack, count),)), "ValueError")
        assert one.ask(HANDLE_GETATTR, thing, "number") == 6
        assert one.ask(HANDLE_DEL, thing, 1) is None
        refused(one.ask(HANDLE_DEL, thing, 1))
        refused(one.ask(HANDLE_RELEASE, ((thing.pack, 1),)), "ValueError")
        well(one, root)


def test_long_lists_of_what_is_given_back(siege: Siege) -> None:
    """What is wrong in them does not keep from being given back what is right."""
    with siege.attack(memory=60 * MIB), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        things = one.call(root, "things", 100)
        made_up = [((f"a.B{n}", n, n), n) for n in range(20_000)]
        right = [(thing.pack, 1) for thing in things]
        answer = one.ask(HANDLE_RELEASE, (*made_up, *right, *right))
        refused(answer, "ValueError")
        assert len(answer.text) < 5000
        assert siege.state()["exports"] == 1
        for wrong in (None, 5, "x", (5,), ((root.pack,),), ((root.pack, 1, 1),), ((None, 1),)):
            refused(one.ask(HANDLE_RELEASE, wrong))
        well(one, root)


def test_the_root_given_back(siege: Siege) -> None:
    """He has it no more, and may ask for it again."""
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        assert one.ask(HANDLE_DEL, root, 1) is None
        refused(one.call(root, "add", 1, 2))
        again = one.root()
        assert again != root
        well(one, again)


# -- RPyC's


def test_calls_whose_answers_nobody_waits_for(siege: Siege) -> None:
    """Thousands are sent by ten who go at once, by a good-bye or without: no harm done."""
    with siege.attack():
        for number in range(10):
            with Attacker(siege.ports["threads" if number % 2 else "plain"]) as one:
                root = one.root()
                flood = b"".join(
                    request(100 + n, HANDLE_CALLATTR, root, "add", (n, 1), ()) for n in range(2000)
                )
                one.send(flood + (request(1, HANDLE_CLOSE) if number % 3 else b""))
                if number % 4 < 2:
                    one.vanish()


PACKS: list[Any] = [
    (),
    ("a.B", 0, 0),
    ("a.B", -1, -1),
    ("", 1, 1),
    ("x" * 300, 1, 1),
    ("builtins.type", 1, 0),
    ("a.B", HUGE, -HUGE),
    ("a.B", 1.0, True),
    ("a.B", None, None),
    ("a.B", 1),
    ("a.B", 1, 1, 1),
    (b"a.B", 1, 1),
    (("a.B",), (1,), (1,)),
    "a.B",
    None,
    5,
    slice(1, 2),
]


@pytest.mark.parametrize("door", ["plain", "threads"])
def test_made_up_ids(siege: Siege, door: str) -> None:
    """They are looked for and not found, or are no ids; never more than that."""
    with siege.attack(), ExitStack() as stack:
        one = stack.enter_context(Attacker(siege.ports[door]))
        root = one.root()
        for pack in PACKS:
            refused(one.ask(HANDLE_INSPECT, pack))
            refused(one.ask(HANDLE_RELEASE, ((pack, 1),)))
            for handler in (HANDLE_INSTANCECHECK, HANDLE_DEL):
                refused(one.ask(handler, root, pack))
        well(one, root)
        for pack, box in itertools.product(PACKS, (Local, Remote)):  # may cost the connection
            other = stack.enter_context(Attacker(siege.ports[door]))
            other.send(request(5, HANDLE_GETATTR, box(pack), "number"))
            other.end_sending()
            other.hung_up()


CMP_NAMES: list[Any] = [
    *("__class__", "__getattribute__", "__init__", "__reduce_ex__", "__setattr__", "__array__"),
    *("__subclasshook__", "__dir__", "__eq__\0", "__EQ__", "eq", "", "exposed_add", "add", "_kept"),
    *(b"__class__", None, 5, True, ("__eq__",), "x" * 100_000),
]


def test_comparisons_that_are_none(siege: Siege) -> None:
    """What is compared by is one of six names, and nothing is called by another."""
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        thing = one.call(root, "thing", 1)
        for name in CMP_NAMES:
            for obj, other in ((root, thing), (thing, "number"), (5, "number"), ("x", 1)):
                refused(one.ask(HANDLE_CMP, obj, other, name))
        assert one.ask(HANDLE_CMP, thing, thing, "__eq__") is True
        well(one, root)


def test_chunks_pickles_and_ways_out(siege: Siege) -> None:
    """BUFFITER, PICKLE and CTXEXIT with whatever may stand there: errors, as for anything."""
    named = [f"builtins.{name}" for name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit")]
    named += ["builtins.object", "builtins.eval", "os.system", "x" * 200, "builtins.", ".."]
    with siege.attack(), Attacker(siege.ports["plain"]) as one:
        root = one.root()
        for count in (*NUMBERS[:5], 0, *NUMBERS[8:]):
            numbers = one.call(root, "numbers")
            refused(one.ask(HANDLE_BUFFITER, numbers, count), "ValueError")
        for many in (1 << 31, 1 << 63, HUGE):
            assert one.ask(HANDLE_BUFFITER, one.call(root, "numbers"), many) == tuple(range(50))
        for obj in (root, one.call(root, "thing"), 5, "text", None, (1, 2), slice(1)):
            refused(one.ask(HANDLE_BUFFITER, obj, 10))
            for protocol in (2, -1, HUGE, None, "2"):
                refused(one.ask(HANDLE_PICKLE, obj, protocol), "ValueError")
            for error in (None, 5, root):
                refused(one.ask(HANDLE_CTXEXIT, obj, error))
        gate = one.call(root, "gate")
        for error in (5, "x", (1, 2), ("builtins", "SystemExit"), root, gate, slice(1), math.nan):
            refused(one.ask(HANDLE_CTXEXIT, gate, error), "TypeError")
        for number, name in enumerate(named):
            refused(one.ask(HANDLE_CTXEXIT, gate, Remote((name, 5, 900 + number))))
        for nothing in (None, False):
            assert one.ask(HANDLE_CTXEXIT, gate, nothing) is None
        well(one, root)


def odd(source: random.Random, mine: list[Local]) -> Any:
    """Return something that may stand as an argument, and seldom should."""
    kind = source.randrange(10)
    if kind < 4:
        return source.choice(mine)
    if kind < 6:
        return source.choice(["add", "number", "__class__", "__call__", "__eq__", "", "x" * 2000])
    if kind == 6:
        return Remote((source.choice(["a.B", "builtins.list"]), 5, source.randrange(1, 50)))
    if kind == 7:
        return tuple(odd(source, mine) for _ in range(source.randrange(4)))
    return source.choice([*NUMBERS, 0, 1, 20, b"", slice(None), frozenset({1}), ..., 2j])


#: Those that RPyC has, those that we have, and those that nobody has.
HANDLERS = [*range(-1, 24), *range(60, 91), 255, 1 << 63, HUGE]


@pytest.mark.parametrize("door", ["plain", "login", "threads"])
def test_every_request_with_odd_arguments(siege: Siege, door: str) -> None:
    """Each is answered, by a value or an error, and the server is none the wiser."""
    source = random.Random(20261121)
    mild = [each for each in HANDLERS if each not in KINDS or KINDS[each].answered]
    with siege.attack(memory=60 * MIB), Attacker(siege.ports[door], "127.0.0.40") as one:
        root = one.root()
        if door == "login":
            root = one.call(root, "login", "ann", "secret")
        mine = [root]
        if door != "threads":
            things = ("thing", "gate", "numbers")
            mine += [one.call(root, name) for name in things]
        for _ in range(1000):
            handler = source.choice(mild)
            args = [odd(source, mine) for _ in range(source.randrange(6))]
            number = one.send_request(handler, *args)
            while number not in one._answers:
                asked = len(one._requests)
                assert one.read(), (handler, args)
                for their, _request in one._requests[asked:]:  # of an object of ours: no idea
                    one.send(frame(bytes([MSG_REPLY]) + dump((their, (1, None)))))
            one._answers.clear()
        assert one.ask(HANDLE_PING, "alive") == "alive"
        one.ask(HANDLE_GETROOT)


def test_handlers_that_are_no_numbers(siege: Siege) -> None:
    """They cost the connection, as everything does that has no meaning at all."""
    with siege.attack():
        for handler in ("3", None, 1.0, True, (3,), b"3"):
            with Attacker(siege.ports["plain"]) as one:
                one.root()
                one.send_request(handler)  # type: ignore[arg-type]
                assert one.hung_up() == "closed"
