"""The attributes of spans, and how they end."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import StatusCode
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.python.failure import Failure

from tests.peer.pairs import Outcome
from tests.tracing.recorded import Shop, recording
from txremote.testing import connected_pair
from txremote.tracing.spans import LONGEST_TEXT, _address_of, end_client


@pytest.mark.parametrize(
    "address, shown",
    [
        (IPv4Address("TCP", "10.0.0.1", 80), ("10.0.0.1", 80)),
        (IPv6Address("TCP", "::1", 80), ("::1", 80)),
        (UNIXAddress(b"/run/x.sock"), ("/run/x.sock", 0)),
        (UNIXAddress(None), ("", 0)),
        (None, ("", 0)),
    ],
)
def test_a_span_has_the_peers_address(address: object, shown: tuple[str, int]) -> None:
    assert _address_of(address) == shown


def test_both_spans_of_a_call_have_its_names() -> None:
    with recording() as recorder:
        pair = connected_pair(server_root=Shop)
        pair.result(pair.client.root.here())
        outcome = Outcome(pair.client.root.fails("no" * 1000))
        pair.pump()
        assert isinstance(outcome.error, ValueError)
    for kind in ("client", "server"):
        attributes = recorder.one(kind, "Shop.here").attributes
        assert attributes is not None
        assert attributes["rpc.system"] == "txremote"
        assert attributes["rpc.service"] == f"{Shop.__module__}.Shop"
        assert attributes["rpc.method"] == "here"
        assert "error.type" not in attributes
        failed = recorder.one(kind, "Shop.fails")
        assert failed.status.status_code is StatusCode.ERROR
        assert failed.status.description == ("no" * 1000)[:LONGEST_TEXT]


class Odd(Exception):
    """Must not be asked for its text."""

    def __str__(self) -> str:
        raise SystemExit


@pytest.mark.parametrize(
    "error, text",
    [(Odd("told"), "told"), (Odd("a", "b"), None), (Odd(object()), None), (Odd(), None)],
)
def test_an_error_with_other_arguments_than_one_text_has_its_class_alone(
    error: Any, text: str | None
) -> None:
    with recording() as recorder:
        span = recorder.provider.get_tracer("test").start_span("call")
        end_client(Failure(error), span)
    (ended,) = recorder.spans
    assert ended.status.description == text
