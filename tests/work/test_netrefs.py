"""
References in the arguments and results of a job in a thread.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

import txremote
from txremote import live
from txremote.blocking import BaseNetref
from txremote.refs.netref import NetrefMethod, is_netref
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.work.netrefs import call_with_netrefs, from_netrefs, settled_result, to_netrefs


class Shop(txremote.Service):
    """Gives away something that goes by reference."""

    exposed_word = "open"

    @txremote.exposed
    def basket(self) -> list[str]:
        """A new basket."""
        return ["apple"]


@pytest.fixture
def root() -> Any:
    """A netref of a shop, which blocks; this is not the reactor's doing."""
    conn = txremote.blocking.connect_thread(remote_service=Shop)
    yield conn.root
    conn.close()


@pytest.fixture(autouse=True)
def no_reactor(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests block, as a worker thread may."""
    monkeypatch.setattr("twisted.python.threadable.ioThread", None)


def test_a_reference_becomes_a_netref_and_back(root: Any) -> None:
    """By itself, in a tuple, however deep; and what is no reference stays what it is."""
    basket = root.basket()
    reference = from_netrefs(basket)
    assert type(reference) is RemoteReference
    assert from_netrefs((1, (basket,), "x")) == (1, (reference,), "x")
    assert to_netrefs(reference) is basket
    again = to_netrefs((1, (reference,), "x"))
    assert again[1][0] is basket
    for value in (5, "x", None, [reference], {"a": reference}):
        assert to_netrefs(value) is value
        assert from_netrefs(value) is value


def test_live_is_what_it_stands_for(root: Any) -> None:
    """Of a reference, that is a netref."""
    mine: list[int] = []
    basket = root.basket()
    assert to_netrefs(live(mine)) is mine
    assert to_netrefs((live(mine),))[0] is mine
    assert to_netrefs(live(from_netrefs(basket))) is basket


def test_a_path_is_read_as_its_name(root: Any) -> None:
    """A method of a reference can be called; one of a root that is still to be fetched cannot."""
    reference = from_netrefs(root)
    method = to_netrefs(reference.basket)
    assert type(method) is NetrefMethod
    assert method()[0] == "apple"
    assert to_netrefs(reference.word) == "open"
    late = RemotePath(LateReference(Deferred, None, "late"), ("basket",))
    assert to_netrefs(late) is late


def test_netrefs_are_told_without_asking(root: Any) -> None:
    """By their type alone."""
    assert is_netref(root)
    assert is_netref(root.basket)
    assert not is_netref(from_netrefs(root))
    assert not is_netref(BaseNetref)


def test_a_call_with_netrefs(root: Any) -> None:
    """Arguments by position and by name, and the function itself."""
    basket = from_netrefs(root.basket())
    assert call_with_netrefs(lambda one, two=None: one[0] + two[0], (basket,), {"two": basket}) == (
        "appleapple"
    )
    assert call_with_netrefs(from_netrefs(root).basket, (), {})[0] == "apple"


def test_a_result_comes_without_netrefs(root: Any) -> None:
    """A remote method too: it is fetched, as it is when it is sent."""
    assert type(settled_result(root.basket())) is RemoteReference
    assert type(settled_result(root.basket)) is RemoteReference


def test_a_promise_is_refused() -> None:
    """A coroutine is closed, so that Python does not complain of it as well."""

    async def later() -> None:
        pass

    coroutine = later()
    with pytest.raises(TypeError, match="gave a coroutine"):
        settled_result(coroutine)
    assert coroutine.cr_frame is None
    with pytest.raises(TypeError, match="gave a Deferred"):
        settled_result(Deferred())
