"""
`threaded` methods: ordinary to the program, run in a thread for a peer.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from txremote import Service, exposed, threaded
from txremote.gate.exposure import is_exposed
from txremote.gate.threaded import ThreadedCall, ThreadedMethod
from txremote.testing import connected_pair


class Works(Service):
    """A service with threaded methods."""

    factor = 10

    @exposed
    @threaded
    def above(self, number: int, *, plus: int = 0) -> int:
        """Say ten times as much."""
        return number * self.factor + plus

    @threaded
    @exposed
    def below(self, number: int) -> int:
        return number

    @threaded
    def exposed_prefixed(self, number: int) -> int:
        return number

    @threaded
    def hidden(self) -> None:
        pass

    @exposed
    @threaded
    @staticmethod
    def alone(number: int) -> int:
        return number


@threaded
def function(number: int) -> int:
    """Not in any class."""
    return number + 1


def test_a_call_of_the_programs_own_is_plain() -> None:
    works = Works()
    assert works.above(2) == 20
    assert works.above(2, plus=1) == 21
    assert works.below(3) == 3
    assert works.exposed_prefixed(4) == 4
    assert Works.above(works, 5) == 50
    assert function(1) == 2


def test_it_keeps_its_name_docstring_and_signature() -> None:
    assert Works.above.__name__ == "above"
    assert inspect.getdoc(Works().above) == "Say ten times as much."
    assert list(inspect.signature(function).parameters) == ["number"]
    assert function.__doc__ is not None


def test_it_is_bound_to_whose_it_is() -> None:
    one, two = Works(), Works()
    two.factor = 100
    assert (one.above(1), two.above(1)) == (10, 100)
    assert type(one.above) is ThreadedMethod
    assert Works.above is Works.__dict__["above"]


def test_it_is_exposed_whichever_decorator_comes_first() -> None:
    assert is_exposed(Works.__dict__["above"], "exposed_")
    assert is_exposed(Works.__dict__["below"], "exposed_")
    assert not is_exposed(Works.__dict__["hidden"], "exposed_")


@pytest.mark.parametrize("name", ["above", "below", "prefixed", "exposed_prefixed", "alone"])
def test_a_peer_calls_it_as_any_method(name: str) -> None:
    pair = connected_pair(server_root=Works)
    call = pair.client.root.callRemote(name, 1)
    pair.pump()
    assert call.result == (10 if name == "above" else 1)


def test_a_peer_may_fetch_it_first_and_call_it_then() -> None:
    """A stock client does, with GETATTR and CALL."""
    from txremote import get_remote

    pair = connected_pair(server_root=Works)
    fetched = get_remote(pair.client.root, "above")
    pair.pump()
    called = fetched.result(2, plus=2)
    pair.pump()
    assert called.result == 22


def test_a_hidden_one_stays_hidden() -> None:
    pair = connected_pair(server_root=Works)
    call = pair.client.root.hidden()
    pair.pump()
    failures: list[Any] = []
    call.addErrback(failures.append)
    failures[0].trap(AttributeError)


def test_a_call_keeps_what_it_was_given() -> None:
    method = ThreadedMethod(lambda *args, **kwargs: (args, kwargs))
    call = ThreadedCall(method, (1, 2), {"a": 3})
    assert call() == ((1, 2), {"a": 3})


def test_in_a_thread_arguments_are_presented_and_the_result_made_plain() -> None:
    class View:
        def to_netrefs(self, value: Any) -> Any:
            if type(value) is tuple:
                return tuple(f"netref of {item}" for item in value)
            return f"netref of {value}"

        def from_netrefs(self, value: Any) -> Any:
            return ("plain", value)

    method = ThreadedMethod(lambda *args, **kwargs: (args, kwargs))
    call = ThreadedCall(method, ("a",), {"b": "c"})
    assert call.execute(View()) == ("plain", (("netref of a",), {"b": "netref of c"}))
