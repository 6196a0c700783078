"""Tests of `txremote.peer.unanswered_call`."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txremote.errors import WrongThread
from txremote.peer.pending_calls import PendingCalls
from txremote.peer.unanswered_call import UnansweredCall, already_answered, keep_received


class Elsewhere:
    """A guard that is asked in another thread than its own."""

    def check(self) -> None:
        raise WrongThread("use it in its own thread")


def test_a_prompt_shows_that_a_call_is_to_be_awaited_until_it_is_answered() -> None:
    call = UnansweredCall()
    assert repr(call).endswith(", to be awaited>")
    call.callback(3)
    assert "to be awaited" not in repr(call)


def test_a_call_of_its_own_loop_is_not_awaited_in_another_thread() -> None:
    guarded = PendingCalls(None, lambda _call, _result: None, lambda _number: None, Elsewhere())
    _number, call = guarded.add()
    unanswered: Any = call
    with pytest.raises(WrongThread, match="await txremote"):
        unanswered._check_thread()
    answered: Any = already_answered(5)
    answered._check_thread()  # in any thread


def test_a_value_is_kept_as_it_was_received_where_that_is_asked_for() -> None:
    call = UnansweredCall()
    kept: Any = keep_received(call)
    assert kept is call
    assert kept._keeps
    other: Deferred[Any] = Deferred()
    assert keep_received(other) is other
