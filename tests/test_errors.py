"""
The errors: what a program may catch them as, and what they say.
"""

from __future__ import annotations

import inspect
import pickle
import re

import pytest
from twisted.internet import error as twisted_error
from twisted.python.failure import Failure

import txremote
from txremote import errors
from txremote.errors import (
    AsyncResultTimeout,
    ConnectionLost,
    DeadReferenceError,
    GenericException,
    NotSendable,
    RemoteProtocolError,
    RemoteStopIteration,
    TxRemoteError,
    WouldBlockReactor,
    WrongProcess,
    WrongThread,
    WrongValue,
)

ALL = [kind for _name, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize(
    ("kind", "bases"),
    [
        (TxRemoteError, (Exception,)),
        (RemoteProtocolError, (TxRemoteError,)),
        (NotSendable, (TxRemoteError, ValueError)),
        (WrongValue, (TxRemoteError, TypeError)),
        (DeadReferenceError, (TxRemoteError, EOFError)),
        (WrongThread, (TxRemoteError, RuntimeError)),
        (WrongProcess, (TxRemoteError, RuntimeError)),
        (WouldBlockReactor, (TxRemoteError, RuntimeError)),
        (ConnectionLost, (twisted_error.ConnectionLost, twisted_error.ConnectionClosed, EOFError)),
        (AsyncResultTimeout, (TimeoutError,)),
        (RemoteStopIteration, (StopAsyncIteration,)),
        (GenericException, (Exception,)),
    ],
)
def test_errors_can_be_caught_as(kind: type[Exception], bases: tuple[type, ...]) -> None:
    """Twisted's programs and RPyC's trap what they always trapped."""
    for base in bases:
        assert issubclass(kind, base)
        assert Failure(kind("a sentence")).check(base)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Each error is drawn where it is, with the bases that are not above it."""
    drawn = {}
    above = {0: "Exception"}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(
            r"    ([\u2502 ]*)[\u251c\u2514]\u2500\u2500 (\w+)(?: +\(([\w., ]+)\))?", line
        )
        if found:
            level = len(found[1]) // 4 + 1
            above[level] = found[2]
            drawn[found[2]] = {above[level - 1], *re.findall(r"[\w.]+", found[3] or "")}
    assert set(drawn) == {kind.__name__ for kind in ALL}
    for kind in ALL:
        names = {base.__name__ for base in kind.__mro__}
        names |= {f"{base.__module__}.{base.__name__}" for base in kind.__mro__}
        assert drawn[kind.__name__] <= names


@pytest.mark.parametrize("kind", ALL)
def test_every_error_can_be_imported_from_the_top(kind: type[Exception]) -> None:
    """``from txremote import ...`` has all of them."""
    assert getattr(txremote, kind.__name__) is kind
    assert kind.__name__ in txremote.__all__


@pytest.mark.parametrize("kind", ALL)
def test_an_error_says_its_sentence_and_no_more(kind: type[Exception]) -> None:
    """Its text is what it was made with."""
    assert str(kind("a sentence")) == "a sentence"


def test_a_lost_connection_says_better_than_twisted() -> None:
    """Without a reason it says what happened; with several, all of them."""
    assert str(ConnectionLost()) == "the connection was lost"
    assert str(ConnectionLost("one", 2)) == "one: 2"
    assert "non-clean" not in str(ConnectionLost("the server went away"))


def test_a_protocol_error_may_name_its_limit() -> None:
    """``limit`` is the option to raise, or None where raising nothing would help."""
    assert RemoteProtocolError("odd").limit is None
    error = RemoteProtocolError("too long (option max_frame)", "max_frame")
    assert (str(error), error.limit) == ("too long (option max_frame)", "max_frame")


@pytest.mark.parametrize("kind", ALL)
def test_errors_can_be_pickled(kind: type[Exception]) -> None:
    """They cross to a pool's process and back as they are."""
    got = pickle.loads(pickle.dumps(kind("a sentence")))
    assert type(got) is kind
    assert got.args == ("a sentence",)
    limited = pickle.loads(pickle.dumps(RemoteProtocolError("too long", "max_frame")))
    assert limited.limit == "max_frame"


def test_the_end_of_a_remote_iteration_can_leave_a_coroutine() -> None:
    """Python turns a StopIteration that leaves a coroutine into a RuntimeError; not this one."""

    async def ended() -> None:
        raise RemoteStopIteration

    with pytest.raises(RemoteStopIteration):
        ended().send(None)
