"""Objects that a peer has put into a program, where public names are open."""

from __future__ import annotations

import array
import datetime
import ipaddress
import pathlib
import re
import sys
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import pytest

import txremote.values.libraries  # noqa: F401  their kinds are in the table
from txremote import Service, exposed
from txremote.errors import NotSendable
from txremote.testing import Pair, connected_pair
from txremote.wire.value_kinds import LOADERS, REGISTERED_CODE
from txremote.wire.values import AsValue

VALUES: dict[int, Any] = {
    **dict(enumerate([deque([1]), bytearray(b"a"), range(3), array.array("d", [1.0])])),
    **dict(enumerate([OrderedDict(a=1), defaultdict(int), Counter("a")], 4)),
    **dict(enumerate([datetime.date(2026, 5, 1), datetime.time(1), datetime.datetime.min], 8)),
    **dict(enumerate([datetime.timedelta(1), datetime.UTC, zoneinfo.ZoneInfo("UTC")], 11)),
    **dict(enumerate([Decimal(1), Fraction(1, 3), uuid.UUID(int=1)], 14)),
    17: pathlib.PurePosixPath("/etc/hostname"),
    18: pathlib.PureWindowsPath("C:/a"),
    19: pathlib.Path("/etc/hostname"),
    **{
        code: make(text)
        for code, (make, text) in enumerate(
            [
                *((ipaddress.ip_address, "10.0.0.1"), (ipaddress.ip_address, "::1")),
                *((ipaddress.ip_network, "10.0.0.0/8"), (ipaddress.ip_network, "::/8")),
                *((ipaddress.ip_interface, "10.0.0.1/8"), (ipaddress.ip_interface, "::1/8")),
            ],
            21,
        )
    },
    27: re.compile("(a+)+b"),
}
if find_spec("numpy"):
    import numpy as np

    VALUES |= {64: np.arange(3.0), 65: np.bytes_(b"ssh-ed25519")}
if find_spec("pandas") and find_spec("pyarrow"):
    import pandas as pd
    import pyarrow as pa

    TABLE = pa.table({"a": [1, 2]})
    VALUES |= {66: TABLE, 67: TABLE.to_batches()[0]}
    VALUES |= {68: pd.DataFrame({"a": [1]}), 69: pd.Series([1])}

#: Those that are not handed back.
KEPT = {27, 64, 66, 67, 68, 69}

#: What another system, Python or program has.
ELSEWHERE = {20 if sys.platform != "win32" else 19, 7, REGISTERED_CODE}

#: Public methods that open files, or take as long as the peer's text makes them.
POWERS = re.compile(
    "open|read_.*|write_.*|to_csv|to_pandas|to_pickle|tofile|dump|unlink|touch|mkdir|rename|exists|stat|"
    "iterdir|glob|match|search|sub|findall"
)
#: An array is given the file that it writes to, and a path matches wildcards only.
HARMLESS = {
    *((array.array, "tofile"), (pathlib.PurePosixPath, "match"), (pathlib.PureWindowsPath, "match"))
}


class Store(Service):
    """It keeps what it is given, and gives it to everybody."""

    def __init__(self) -> None:
        self.held: list[Any] = []

    @exposed
    def keep(self, thing: Any) -> Any:
        self.thing = thing
        self.held.append(thing)

    @exposed
    def give(self) -> Any:
        return self.thing

    @exposed
    def everything(self) -> Any:
        return self.held


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def pair(store: Store) -> Pair:
    return connected_pair(server_root=store, server_config={"allow_public_attrs": True})


def test_the_table_has_each_kind_of_value() -> None:
    here = {code for code in LOADERS if code < 64 or code in VALUES}
    assert here == VALUES.keys() | ELSEWHERE


@pytest.mark.parametrize("code", VALUES, ids=lambda code: type(VALUES[code]).__name__)
def test_what_a_peer_has_sent_gives_it_no_power_over_files(
    code: int, store: Store, pair: Pair
) -> None:
    root = pair.client.root
    pair.result(root.keep(AsValue(VALUES[code])))
    names = {name for name in dir(store.thing) if not name.startswith("_")}
    powers = {name for name in names if POWERS.fullmatch(name)} - {
        name for kind, name in HARMLESS if type(store.thing) is kind
    }
    if code not in KEPT:
        assert not powers
        pair.result(root.give())
        return
    assert powers
    with pytest.raises(NotSendable, match="that a peer has sent is not handed out"):
        pair.result(root.give())


@pytest.mark.parametrize("code", KEPT & VALUES.keys())
def test_no_other_way_leads_to_it(code: int, store: Store, pair: Pair) -> None:
    root = pair.client.root
    pair.result(root.keep(AsValue(VALUES[code])))
    held = pair.result(root.everything())
    name = next(name for name in dir(store.thing) if POWERS.fullmatch(name))
    for way in (
        lambda: held[0],
        lambda: held.pop(),
        lambda: root.thing._read(),
        lambda: getattr(root.thing, name)("x"),
    ):
        with pytest.raises((NotSendable, AttributeError)):
            pair.result(way())


@pytest.mark.parametrize("code", VALUES, ids=lambda code: type(VALUES[code]).__name__)
def test_what_is_the_programs_own_is_handed_out_as_ever(
    code: int, store: Store, pair: Pair
) -> None:
    """An equal one that a peer has sent changes nothing."""
    pair.result(pair.client.root.keep(AsValue(VALUES[code])))
    store.thing = VALUES[code]
    pair.result(pair.client.root.give())
    if code == 19:
        assert pair.result(pair.client.root.thing.is_absolute()) is True
        pair.result(pair.client.root.thing.exists())
    if code == 27:
        assert pair.result(pair.client.root.thing.match("ab")) is not None


def test_it_goes_as_a_value_and_where_no_public_names_are_open_by_reference(store: Store) -> None:
    pattern = re.compile("(a+)+b")
    for config in ({"allow_public_attrs": True}, {}, {"allow_all_attrs": True}):
        pair = connected_pair(server_root=store, server_config=config)
        pair.result(pair.client.root.keep(AsValue(pattern)))
        if "allow_public_attrs" in config:
            store.thing = AsValue(store.thing)
            assert pair.result(pair.client.root.give()) == pattern
        else:
            assert "re.Pattern" in repr(pair.result(pair.client.root.give()))
