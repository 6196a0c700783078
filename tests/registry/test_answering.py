"""What a registry answers, and what it does not."""

from __future__ import annotations

from rpyc.core import brine as stock
from twisted.internet.task import Clock

from txremote.registry import answering
from txremote.registry.answering import Answering
from txremote.registry.entries import Entries
from txremote.registry.messages import MAX_LIST, List, Query, Register, Unregister, encoded


def registry(*, allow_listing: bool = False) -> tuple[Clock, Answering, list[str]]:
    """Return answers with a fake clock, and what they complain of."""
    clock, complaints = Clock(), list[str]()
    entries = Entries(clock.seconds)
    return clock, Answering(entries, clock.seconds, allow_listing, complaints.append), complaints


def test_a_server_is_where_its_message_came_from() -> None:
    """Until it says that it has gone."""
    _clock, answers, _complaints = registry()
    assert stock.load(answers.answer(encoded(Register(("shop",), 7)), "10.0.0.1")) == "OK"
    assert stock.load(answers.answer(encoded(Query("Shop")), "10.0.0.2")) == (("10.0.0.1", 7),)
    answers.answer(encoded(Unregister(7)), "10.0.0.2")  # another's
    assert answers.entries.names() == ("SHOP",)
    assert stock.load(answers.answer(encoded(Unregister(7)), "10.0.0.1")) == "OK"
    assert stock.load(answers.answer(encoded(Query("Shop")), "10.0.0.2")) == ()


def test_names_are_told_only_where_that_is_allowed() -> None:
    """None is RPyC's "no"."""
    assert stock.load(registry()[1].answer(encoded(List(None)), "10.0.0.1")) is None
    _clock, answers, _complaints = registry(allow_listing=True)
    answers.answer(encoded(Register(("shop",), 7)), "10.0.0.1")
    assert stock.load(answers.answer(encoded(List(None)), "10.0.0.1")) == ("SHOP",)
    assert stock.load(answers.answer(encoded(List("10.0.0.2")), "10.0.0.1")) == ()


def test_answers_are_as_long_as_they_are_read() -> None:
    """The servers that were renewed last are in it: they are the likeliest to be there."""
    _clock, answers, _complaints = registry(allow_listing=True)
    for number in range(1, 201):
        answers.entries.enter(("shop", f"service-{number:100}"), (f"10.0.0.{number}", number))
    answer = answers.answer(encoded(Query("shop")), "10.0.0.1")
    assert 1400 < len(answer) <= 1500
    assert stock.load(answer)[-1] == ("10.0.0.200", 200)
    for most in (1500, MAX_LIST):
        answer = answers.answer(encoded(List(None)), "10.0.0.1", most)
        assert most - 200 < len(answer) <= most
        assert len(stock.load(answer)) > 10


def test_a_host_that_asks_too_often_waits_and_others_do_not() -> None:
    """An answer may be fifty times as long as its question, and go to whom the sender names."""
    clock, answers, complaints = registry()
    question = encoded(Query("shop"))
    given = [answers.answer(question, "10.0.0.1") for _ in range(500)]
    assert sum(each is not None for each in given) == answering.MOST_ANSWERS
    assert answers.answer(question, "10.0.0.2") is not None
    clock.advance(1)
    assert answers.answer(question, "10.0.0.1") is not None
    assert complaints == ["10.0.0.1 has asked 200 times within a second, and waits"]
    for number in range(answering.MOST_HOSTS + 10):
        answers.answer(b"", f"host {number}")
    assert len(answers._asked) == answering.MOST_HOSTS


def test_nonsense_has_no_answer() -> None:
    """And one complaint, which says whose it is."""
    _clock, answers, complaints = registry()
    assert answers.answer(b"\xff" * 2000, "10.0.0.1") is None
    assert complaints == [
        "a message of 10.0.0.1 has no answer: a message of 2000 bytes, more than 1500"
    ]
