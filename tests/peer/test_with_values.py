"""Requests with values in their arguments."""

from __future__ import annotations

import pathlib
from types import SimpleNamespace
from typing import Any

import pytest

from txremote import Record, Service, exposed
from txremote.gate.threaded import ThreadedCall, ThreadedMethod
from txremote.peer.with_values import call_with_values
from txremote.testing import connected_pair
from txremote.wire.consts import (
    HANDLE_BUFFITER,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CMP,
    HANDLE_FETCH,
    HANDLE_GETATTR,
    HANDLE_REPR,
    HANDLE_SETATTR,
)
from txremote.wire.values import AsValue, ReceivedValue


def test_a_handler_gets_values_as_they_are() -> None:
    """In tuples, too."""
    seen: list[Any] = []

    def handler(serving: Any, *args: Any) -> str:
        seen.append(args)
        return "done"

    value = ReceivedValue([1], False, ())
    received = (1, (value, "a"), value)
    assert call_with_values(handler, received, SimpleNamespace(), *received) == "done"
    assert seen == [(1, ([1], "a"), [1])]


def test_a_thread_gets_those_with_references_as_they_were_unboxed() -> None:
    """It will have netrefs in them."""
    mixed = ReceivedValue(["a reference"], True, ())
    plain = ReceivedValue([1], False, ())

    def handler(serving: Any, args: Any, kwargs: Any) -> ThreadedCall:
        return ThreadedCall(ThreadedMethod(len), args, dict(kwargs))

    args, kwargs = (mixed, plain, (mixed,)), (("name", mixed),)
    call: Any = call_with_values(handler, (args, kwargs), SimpleNamespace(), args, kwargs)
    assert call.args == (mixed, [1], (mixed,))
    assert call.kwargs == {"name": mixed}


HANDLED = {
    HANDLE_GETATTR: ("__len__",),
    HANDLE_SETATTR: ("name", 1),
    HANDLE_CALL: ((), ()),
    HANDLE_CALLATTR: ("append", (1,), ()),
    HANDLE_CALLPATH: (("name", "upper"), (), ()),
    HANDLE_REPR: (),
    HANDLE_CMP: (1, "__eq__"),
    HANDLE_BUFFITER: (10,),
    HANDLE_FETCH: (),
}


@pytest.mark.parametrize("handler", HANDLED)
@pytest.mark.parametrize("target", [[1], pathlib.Path("/etc/passwd"), Record("Item", name="a")])
def test_a_peer_works_on_no_value_that_it_sent_along(handler: int, target: Any) -> None:
    """With every name open even: a path of its own choice would read any file here."""
    pair = connected_pair(config={"allow_public_attrs": True, "allow_setattr": True})
    with pytest.raises(TypeError, match="by value is no reference to an object here"):
        pair.result(pair.client.request(handler, AsValue(target), *HANDLED[handler]))
    assert pair.result(pair.client.ping()) is None


@pytest.mark.parametrize("handler", [HANDLE_CALLATTR, HANDLE_CALL])
def test_arguments_that_are_a_value_as_a_whole_are_arguments(handler: int) -> None:
    """A tuple is a tuple, however it is boxed; anything else is refused."""

    class Adder(Service):
        @exposed
        def add(self, a: Any, b: Any) -> Any:
            return a + b

    pair = connected_pair(server_root=Adder)
    root = pair.client.root
    target = (root, "add") if handler == HANDLE_CALLATTR else (pair.result(root.add._read()),)
    assert pair.result(pair.client.request(handler, *target, AsValue((1, 2)), ())) == 3
    with pytest.raises(TypeError, match="come as a tuple"):
        pair.result(pair.client.request(handler, *target, AsValue([1, 2]), ()))
    with pytest.raises(TypeError, match="named arguments come as"):
        pair.result(pair.client.request(handler, *target, (1, 2), AsValue([("a", 1)])))
