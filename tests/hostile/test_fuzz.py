"""
Real traffic with a few bytes changed: a short run of `benchmarks.fuzz`, the same each time.
"""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from benchmarks.fuzz import CHANGES, Fuzzer, Session, changed, framed, frames, record
from tests.examples import examples
from tests.hostile.attacker import DEADLINE
from tests.hostile.conftest import MIB, Siege
from tests.peer.pairs import answer_of
from txremote.wire.brine import Budget, load
from txremote.wire.consts import (
    HANDLE_BUFFITER,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CLOSE,
    HANDLE_CREDIT,
    HANDLE_EVENTS,
    HANDLE_FETCH,
    HANDLE_ITEMS,
    HANDLE_STREAM,
    MSG_EXCEPTION,
    MSG_REQUEST,
)
from txremote.wire.framing import FrameReader
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.messages import open_envelope, open_request, sniff

#: For the session of each client, of RPyC 6: its place in the corpus, what the fort asks it for in
#: any case, and the classes of what it is refused.
SESSIONS = {
    "rpyc": (
        *(0, {HANDLE_CALL, HANDLE_BUFFITER, HANDLE_CALLATTR}),
        # what the fort has to ask a stock RPyC for comes late, and so do the ids of the results
        {"ValueError", "AttributeError", "StopIteration", "KeyError", "DeadReferenceError"},
    ),
    "script": (
        *(4, {HANDLE_CALL, HANDLE_ITEMS}),
        {"ValueError", "AttributeError", "StopIteration", "CancelledError"},
    ),
    "reactor": (
        *(8, {HANDLE_STREAM, HANDLE_ITEMS, HANDLE_CREDIT, HANDLE_EVENTS, HANDLE_FETCH}),
        {"CancelledError"},
    ),
}


@pytest.fixture(scope="module")
def corpus(siege: Siege) -> Sequence[Session]:
    """What an RPyC client, a script and a program with a reactor send, in four dialects."""
    return record(siege.ports["plain"])


def answered(port: int, session: Session, asks: set[int]) -> Iterator[tuple[int, int, bytes]]:
    """
    Send a session at once, and return the messages that come: kind, handler or 0, payload.

    It says good-bye when it has been asked for all that it is asked for in any case: the server may
    need some turns of its loop for that, and drops what is under way as soon as the client goes.
    """
    missing = set(asks)
    reader = FrameReader()
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
        sock.sendall(b"".join(frame for frame in session if not is_leave(frame)))
        while data := sock.recv(1 << 16):
            for payload in reader.feed(data):
                assert isinstance(payload, bytes)
                kind, handler = kind_and_handler(payload)
                yield kind, handler, payload
                if handler in missing:
                    missing.discard(handler)
                    if not missing:
                        sock.sendall(b"".join(filter(is_leave, session)))
                        sock.shutdown(socket.SHUT_WR)


def kind_and_handler(payload: bytes) -> tuple[int, int]:
    """Return what a message is, and what a request asks for."""
    budget = Budget(DEFAULT_LIMITS, 0)
    kind, _number, pos, _sender = open_envelope(payload, sniff(payload), budget)
    return kind, open_request(payload, pos, budget)[0] if kind == MSG_REQUEST else 0


def is_leave(frame: bytes) -> bool:
    """Tell whether a message says good-bye."""
    [payload] = FrameReader().feed(frame)
    assert isinstance(payload, bytes)
    return kind_and_handler(payload) == (MSG_REQUEST, HANDLE_CLOSE)


@pytest.mark.parametrize("client", SESSIONS)
def test_what_was_recorded_means_the_same_once_more(
    siege: Siege, corpus: Sequence[Session], client: str
) -> None:
    """Else what is changed would be refused for its ids, and prove nothing."""
    place, asks, refuses = SESSIONS[client]
    asked, refused, answers = set(), Counter[str](), 0
    for kind, handler, payload in answered(siege.ports["plain"], corpus[place], asks):
        if kind == MSG_REQUEST:
            asked.add(handler)
            continue
        answers += 1
        if kind == MSG_EXCEPTION:
            number, args = load(payload[1:])
            refused[answer_of(kind, number, args).name] += 1
    assert asks <= asked
    assert refused.keys() <= refuses
    assert refused["KeyError"] < 10
    assert answers > 50


def test_recorded_traffic_with_a_few_bytes_changed(siege: Siege, corpus: Sequence[Session]) -> None:
    """Each of 100 connections is hung up on, and nobody else notices; in ``nox`` it is 400."""
    with siege.attack(memory=60 * MIB):
        Fuzzer(siege.ports["plain"], 20261121, corpus).go(examples(400))


def test_a_round_can_be_done_again(corpus: Sequence[Session]) -> None:
    """It depends on the seed and its number only."""
    one, other = (changed(random.Random("1 17"), corpus) for _ in range(2))
    assert one == other
    assert one != changed(random.Random("1 18"), corpus)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_something(change) -> None:
    """And takes sessions of any length, down to one empty message."""
    corpus = [(framed(b"\x01\x11\x50abcdef"), framed(b"")), (framed(b"x" * 50),)]
    differ = 0
    for number in range(50):
        source = random.Random(number)
        before = list(source.choice(corpus))
        session = list(before)
        change(source, session, corpus)
        assert all(isinstance(frame, bytes) for frame in session)
        differ += session != before
    assert differ


def test_a_stream_is_cut_into_its_frames() -> None:
    """Header and newline stay with each."""
    session = [framed(b"abc"), framed(b""), framed(b"\n" * 300)]
    assert list(frames(b"".join(session))) == session
