"""Contexts as text, both ways, and texts that are none."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from txremote.tracing.w3c import LONGEST_STATE, read, written

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def context(**state: str) -> SpanContext:
    return SpanContext(
        0x0AF7651916CD43DD8448EB211C80319C,
        0xB7AD6B7169203331,
        is_remote=False,
        trace_flags=TraceFlags(1),
        trace_state=TraceState(list(state.items())),
    )


def test_a_context_is_written_and_read_as_w3c_has_it() -> None:
    assert written(context()) == (PARENT, "")
    assert written(context(vendor="a b", other="1")) == (PARENT, "vendor=a b,other=1")
    found = read(PARENT, "vendor=a b,\tother=1")
    assert found is not None
    assert written(found) == (PARENT, "vendor=a b,other=1")
    assert found.is_remote


def test_a_long_state_is_sent_without_its_oldest_members() -> None:
    members = {f"k{number}": "v" * 100 for number in range(9)}
    text = written(context(**members))[1]
    assert len(text) <= LONGEST_STATE
    assert [member.partition("=")[0] for member in text.split(",")] == ["k0", "k1", "k2", "k3"]


@pytest.mark.parametrize(
    "parent",
    [
        None,
        7,
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "",
        PARENT[:-1],
        PARENT + "-01",
        PARENT + "\n",
        PARENT.upper(),
        PARENT.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-" + "x" * 1000,
        "x" * 1_000_000,
        PARENT.replace("0", chr(0x660)),
    ],
)
def test_what_is_no_parent_is_no_context(parent: object) -> None:
    assert read(parent, "a=1") is None


def test_a_later_version_may_say_more() -> None:
    found = read("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None)
    assert found is not None
    assert written(found)[0] == PARENT


@pytest.mark.parametrize(
    "state",
    [
        None,
        7,
        "a",
        "a=",
        "A=1",
        "a=1,a=2",
        "a=\x00",
        "a=1,\n=2",
        "a=é",
        ",".join(f"k{number}=1" for number in range(33)),
        "a=" + "x" * 257,
        "k=" + "x" * (LONGEST_STATE + 1),
        "," * LONGEST_STATE,
    ],
)
def test_what_is_no_state_is_left_out_and_fills_no_log(
    state: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        found = read(PARENT, state)
    assert found is not None
    assert not found.trace_state
    assert not caplog.records
