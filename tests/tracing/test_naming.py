"""The names of calls, of whatever objects."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.tracing.recorded import Shop
from txremote.peer.calling import call_attribute
from txremote.peer.inbound import pass_on_to
from txremote.peer.with_values import call_with_values
from txremote.refs.reference import RemoteReference
from txremote.testing import connected_pair
from txremote.tracing.naming import (
    LONGEST,
    called_by_path,
    called_by_request,
    handler_of,
    member_of,
    span_name,
    type_name,
)
from txremote.wire.consts import (
    HANDLE_BUFFITER,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_GETATTR,
    HANDLE_PING,
    HANDLE_SETATTR,
    HANDLE_STR,
)


@pytest.mark.parametrize(
    "handler, args, name",
    [
        (HANDLE_CALLATTR, (Shop(), "here", ("secret",)), "Shop.here"),
        (HANDLE_CALLATTR, (Shop(), b"here"), "Shop.?"),
        (HANDLE_CALLATTR, (), "NoneType.__call__"),
        (HANDLE_CALLPATH, (Shop(), ("shelf", "here"), ()), "Shop.shelf.here"),
        (HANDLE_CALLPATH, (Shop(), 7), "Shop.__call__"),
        (HANDLE_GETATTR, (Shop(), "note"), "Shop.note"),
        (HANDLE_SETATTR, (Shop(), "note", "secret"), "Shop.__setattr__"),
        (HANDLE_STR, (Shop(),), "Shop.__str__"),
        (HANDLE_CALL, (Shop, ()), "Shop.__call__"),
        (HANDLE_CALL, (Shop().here, ()), "Shop.here"),
        (HANDLE_CALL, (connected_pair, ()), "testing.connected_pair"),
        (HANDLE_CALL, (len, ()), "builtins.len"),
        (HANDLE_CALL, (partial(len, "secret"), ()), "partial.__call__"),
    ],
)
def test_a_name_has_no_argument_in_it_and_asks_no_object(
    handler: int, args: tuple[Any, ...], name: str
) -> None:
    assert span_name(called_by_request(handler, args)) == name


def test_an_object_that_fails_at_whatever_it_is_asked_has_a_name() -> None:
    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise SystemExit(name)

    class Odd(metaclass=Meta):
        def __getattribute__(self, name: str) -> Any:
            raise SystemExit(name)

    odd: Any = object.__new__(Odd)
    assert span_name(called_by_request(HANDLE_CALLATTR, (odd, odd))).endswith("Odd.?")
    assert span_name(called_by_request(HANDLE_CALLATTR, (Odd, "x"))).endswith("Odd.x")
    assert span_name(called_by_request(HANDLE_CALL, (odd,))).endswith("Odd.__call__")


def test_a_reference_has_the_name_of_its_class() -> None:
    pair = connected_pair(server_root=Shop)
    root = pair.client.root
    assert type(root) is RemoteReference
    called = called_by_request(HANDLE_CALLATTR, (root, "here"))
    assert called == (f"{Shop.__module__}.Shop", "here")


def test_names_that_are_kept_are_no_longer_than_a_name_is() -> None:
    assert member_of(HANDLE_GETATTR, (Shop(), "note")) == "note"
    assert member_of(HANDLE_GETATTR, (Shop(), "n" * (LONGEST + 1))) is None
    assert member_of(HANDLE_GETATTR, ()) is None


def test_long_names_are_cut() -> None:
    long = "x" * 1000
    for called in (called_by_path(long, (long,)), called_by_path("a", (long,) * 100_000)):
        assert len(span_name(called)) <= 2 * LONGEST + 1


@pytest.mark.parametrize(
    "function, handler",
    [
        (call_attribute, HANDLE_CALLATTR),
        (partial(call_with_values, call_attribute, ()), HANDLE_CALLATTR),
        (partial(pass_on_to, None, HANDLE_BUFFITER), HANDLE_BUFFITER),
        (lambda *_args: None, None),
        (partial(len), None),
    ],
)
def test_the_number_of_a_request_is_known_by_the_function_that_serves_it(
    function: Any, handler: int | None
) -> None:
    assert handler_of(function) == handler
    assert handler != HANDLE_PING


def test_an_exceptions_class_has_its_module() -> None:
    class Own(ValueError):
        """Somebody's."""

    assert type_name(ValueError()) == "ValueError"
    assert type_name(Own()) == f"{__name__}.Own"
