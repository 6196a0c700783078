"""Functions of the program that a limited source calls: by value, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txremote.errors import RemoteProtocolError
from txremote.work.limited.calls import FunctionCalls
from txremote.work.limited.messages import ANSWER, ERROR, MessageReader, pack, unpack


class Source:
    """The other end: its calls, and the answers that it gets."""

    def __init__(self, **functions: Callable[..., object]) -> None:
        self.calls = FunctionCalls(functions, 500, self._take)
        self.answers: list[tuple[Any, ...]] = []

    def _take(self, data: bytes) -> None:
        reader = MessageReader(10_000)
        reader.feed(data)
        name, *parts = reader.next() or ()
        self.answers.append((name, unpack(parts[0])) if name == ANSWER else (name, *parts))

    def call(self, name: str, *args: object, **kwargs: object) -> None:
        self.calls.call(name, pack(args, "args"), pack(kwargs, "kwargs"))


class Mine(Exception):
    """An error that a source does not know."""


class Wordless(Exception):
    """An error whose text is no text."""

    def __str__(self) -> str:
        raise ValueError


def raises(error: Exception) -> Callable[..., object]:
    """Return a function that raises."""

    def function() -> None:
        raise error

    return function


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (lambda: [1, (2,)], (ANSWER, [1, (2,)])),
        (raises(ValueError("no")), (ERROR, "ValueError", "no")),
        (raises(KeyError("a b")), (ERROR, "KeyError", "a b")),
        (raises(Mine("no")), (ERROR, "Mine", "Mine: no")),
        (raises(Wordless()), (ERROR, "RuntimeError", "an error in f that has no text")),
        (raises(ValueError("\udc80")), (ERROR, "RuntimeError", "an error in f that has no text")),
    ],
)
def test_a_call_has_one_answer(function: Callable[..., object], answer: object) -> None:
    """A value, or an error with its text and without a traceback."""
    source = Source(f=function)
    source.call("f")
    assert source.answers == [answer]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), "the answer of f is a object"),
        ("x" * 1000, "the answer of f has more than 500 bytes"),
        (10**5000, "an int of 16610 bits"),
    ],
    ids=["type", "size", "digits"],
)
def test_an_answer_that_cannot_be_sent_is_a_type_error(value: object, text: str) -> None:
    """Which the source gets, since it waits."""
    source = Source(f=lambda: value)
    source.call("f")
    ((name, kind, told),) = source.answers
    assert (name, kind) == (ERROR, "TypeError") and text in told


def test_a_deferred_and_a_coroutine_are_waited_for() -> None:
    """The result that a program's own Deferred has stays with it."""
    own: Deferred[int] = Deferred()

    async def later(n: int) -> int:
        return (await own) + n

    source = Source(own=lambda: own, later=later)
    source.call("own")
    assert source.answers == []
    own.callback(1)
    source.call("later", 2)
    assert source.answers == [(ANSWER, 1), (ANSWER, 3)]
    assert own.result == 1
    assert source.calls.made == 2


def test_stopped_it_cancels_what_runs_and_says_nothing() -> None:
    """A source that has ended waits for no answer."""
    waiting: Deferred[object] = Deferred()
    source = Source(f=lambda: waiting)
    source.call("f")
    source.calls.stop()
    assert waiting.called
    assert source.answers == []


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("g", (), {}),
        ("f", [], {}),
        ("f", (), []),
        ("f", (), {1: 2}),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(name: str, args: object, kwargs: object) -> None:
    """No function that was not declared is ever called."""
    called: list[object] = []
    source = Source(f=lambda *_args, **_kwargs: called.append(1))
    with pytest.raises(RemoteProtocolError):
        source.calls.call(name, pack(args, "it"), pack(kwargs, "it"))
    assert called == []


def test_a_second_call_before_the_answer_is_refused() -> None:
    """A source waits; one that does not is none of ours."""
    source = Source(f=Deferred)
    source.call("f")
    with pytest.raises(RemoteProtocolError):
        source.call("f")
    source.calls.stop()
