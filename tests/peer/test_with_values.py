"""Requests with values in their arguments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from txremote.gate.threaded import ThreadedCall, ThreadedMethod
from txremote.peer.with_values import call_with_values
from txremote.wire.values import ReceivedValue


def test_a_handler_gets_values_as_they_are() -> None:
    """In tuples, too."""
    seen: list[Any] = []

    def handler(serving: Any, *args: Any) -> str:
        seen.append(args)
        return "done"

    value = ReceivedValue([1], False, ())
    assert call_with_values(handler, SimpleNamespace(), 1, (value, "a"), value) == "done"
    assert seen == [(1, ([1], "a"), [1])]


def test_a_thread_gets_those_with_references_as_they_were_unboxed() -> None:
    """It will have netrefs in them."""
    mixed = ReceivedValue(["a reference"], True, ())
    plain = ReceivedValue([1], False, ())

    def handler(serving: Any, args: Any, kwargs: Any) -> ThreadedCall:
        return ThreadedCall(ThreadedMethod(len), args, dict(kwargs))

    args, kwargs = (mixed, plain, (mixed,)), (("name", mixed),)
    call: Any = call_with_values(handler, SimpleNamespace(), args, kwargs)
    assert call.args == (mixed, [1], (mixed,))
    assert call.kwargs == {"name": mixed}
