"""Calling an object for a peer: which may be called, by whichever request."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.peer.pairs import Local, RawPeer
from txremote import Service, exposed, threaded
from txremote.wire.consts import (
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CTXEXIT,
    HANDLE_OLDSLICING,
)


class Loud:
    """Its ``__call__`` is no affair of peers."""

    def __call__(self, *args: Any) -> str:
        raise AssertionError("called")


class Quiet:
    @exposed
    def __call__(self, *args: Any) -> str:
        return "called"


class ByPrefix(Loud):
    def __call__(self, *args: Any) -> str:
        return "called"

    exposed___call__ = __call__


class Choosing(Loud):
    def _rpyc_getattr(self, name: str) -> Any:
        raise AttributeError(f"no {name} for you")


class Doing(partial[str]):
    """What is called is Python's own."""


def ways_to_call(number: int, root: Local, held: Local) -> tuple[Any, ...]:
    """Return one of the requests that call an object."""
    return (
        (HANDLE_CALL, held, (), ()),
        (HANDLE_CALLATTR, held, "__call__", (), ()),
        (HANDLE_CALLATTR, root, "held", (), ()),
        (HANDLE_CALLPATH, root, ("held",), (), ()),
        (HANDLE_CALLPATH, held, (), (), ()),
        (HANDLE_CALLPATH, held, ("__call__",), (), ()),
        (HANDLE_OLDSLICING, root, "held", "held", 0, 1, ()),
        (HANDLE_CTXEXIT, root, None),
    )[number]


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("preset", ["exposed", "public", "classic"])
@pytest.mark.parametrize("called", [Loud(), Quiet(), ByPrefix(), Choosing()])
def test_an_object_is_called_if_its_call_is_exposed_whichever_handler_does_it(
    number: int, preset: str, called: Any
) -> None:
    """One answer for all of them; in classic mode all is open."""

    class Holder(Service):
        exposed_held = called
        exposed_get = staticmethod(lambda: called)
        __exit__ = called

    peer = RawPeer(Holder, access=preset)
    root = peer.root()
    held = peer.ask(HANDLE_CALLATTR, root, "get", (), ())
    answer = peer.ask(*ways_to_call(number, root, held))
    if type(called) in (Quiet, ByPrefix):
        assert answer == "called"
    elif preset == "classic":
        assert answer.name in ("AssertionError", "AttributeError")
    else:
        assert answer.name == "AttributeError", answer
        assert "__call__" in answer.text


@pytest.mark.parametrize(
    "called",
    [
        len,
        partial(len, "ab"),
        Doing(len, "ab"),
        lambda *_: 2,
        threaded(lambda *_: 2),
        [1, 2].__len__,
    ],
)
def test_what_is_made_to_be_called_is_called_as_it_is(called: Any) -> None:
    """Functions of all kinds, as with RPyC."""

    class Holder(Service):
        exposed_get = staticmethod(lambda: called)

    peer = RawPeer(Holder)
    held = peer.ask(HANDLE_CALLATTR, peer.root(), "get", (), ())
    args = ("ab",) if called is len else ()
    assert peer.ask(HANDLE_CALL, held, args, ()) == 2


def test_a_refusal_to_call_says_what_to_do() -> None:
    """As the others do."""

    class Holder(Service):
        exposed_held = Loud()

    peer = RawPeer(Holder)
    answer = peer.ask(HANDLE_CALLATTR, peer.root(), "held", (), ())
    assert answer.text == "cannot call Loud: its __call__ is not exposed (mark it with @exposed)"
