"""
Real traffic with a few bytes changed: a short run of `benchmarks.fuzz`, the same each time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from benchmarks.fuzz import CHANGES, Fuzzer, Session, changed, framed, frames, record
from tests.examples import examples
from tests.hostile.attacker import Attacker
from tests.hostile.conftest import MIB, Siege
from tests.peer.pairs import RemoteError
from txremote.wire.consts import HANDLE_ITEMS

#: What a client of either kind is refused in the recorded session.
REFUSALS = {"ValueError", "AttributeError", "StopIteration"}


@pytest.fixture(scope="module")
def corpus(siege: Siege) -> Sequence[Session]:
    """What an RPyC client and a txremote script send, in four dialects."""
    return record(siege.ports["plain"])


def test_what_was_recorded_means_the_same_once_more(
    siege: Siege, corpus: Sequence[Session]
) -> None:
    """Else what is changed would be refused for its ids, and prove nothing."""
    for session in (corpus[0], corpus[4]):  # those of RPyC 6
        with Attacker(siege.ports["plain"]) as one:
            one.send(b"".join(session))
            one.hung_up()
            asked = [args[0] for _number, args in one._requests if args[0] != HANDLE_ITEMS]
            assert len(asked) == 9
            # the 50 items that the other asks for one by one come to a txremote as a stream
            streamed = 50 if session is corpus[4] else 0
            assert len(one._requests) - len(asked) == bool(streamed)
            answers = one._answers.values()
            refused = {answer.name for answer in answers if isinstance(answer, RemoteError)}
            assert refused == REFUSALS
            assert len(answers) + streamed > 90


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
