"""
The numbers of the protocol: RPyC's own, and ours beside them.
"""

from __future__ import annotations

from typing import Any

import pytest
from rpyc.core import consts as stock_consts

from txremote.wire import consts

PREFIXES = ("MSG_", "LABEL_", "HANDLE_", "EXC_")


def numbers(module: Any) -> dict[str, Any]:
    """Return the numbers of a module by name."""
    return {name: value for name, value in vars(module).items() if name.startswith(PREFIXES)}


@pytest.mark.parametrize(("name", "value"), numbers(stock_consts).items())
def test_every_number_of_rpyc_is_here(name: str, value: int) -> None:
    """Under RPyC's name, with RPyC's value."""
    assert getattr(consts, name) == value


@pytest.mark.parametrize(("name", "value"), numbers(consts).items())
def test_wire_numbers_are_plain_ints(name: str, value: Any) -> None:
    """Brine goes by exact type: a member of an IntEnum would travel by reference."""
    assert type(value) is int


def test_extensions_are_new_handler_numbers() -> None:
    """From 64 on, so that a stock peer can only ever say KeyError; and one label."""
    ours = {k: v for k, v in numbers(consts).items() if k not in numbers(stock_consts)}
    names = ["HELLO", "CANCEL", "CALLPATH", "RELEASE", "STOPPING", "DEADLINE", "HALFWAY"]
    names += [
        "DESCRIBE",
        "FETCH",
        "TRACE",
        "OPERATIONS",
        "STREAM",
        "ITEMS",
        "CREDIT",
        "KEEP",
        "FORGET",
        *("SUBSCRIBE", "EVENTS", "EVENT_CREDIT"),
    ]
    assert set(ours) == {*(f"HANDLE_{name}" for name in names), "LABEL_EXTENDED", "LABEL_PROMISE"}
    assert sorted(ours.values()) == [5, 6, 64, 65, 66, 67, 68, 69, *range(70, 83)]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_number_is_used_twice(prefix: str) -> None:
    """Each kind of number is told from the others of its kind."""
    values = [value for name, value in numbers(consts).items() if name.startswith(prefix)]
    assert len(values) == len(set(values))


def test_every_feature_is_announced() -> None:
    """HELLO names each extension that a peer may use, as plain str."""
    named = {value for name, value in vars(consts).items() if name.startswith("FEATURE_")}
    # a script, which serves only while it waits, does not say "keepalive"; nor are all said always
    assert named == consts.KNOWN_FEATURES
    assert named - {"keepalive", "trace", "operations"} == {*consts.FEATURES}
    assert all(type(feature) is str for feature in consts.FEATURES)
