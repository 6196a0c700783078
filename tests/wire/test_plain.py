"""Types whose values need no conversion, and are nothing to wait for."""

from __future__ import annotations

import inspect

from txremote.wire.brine import dumpable
from txremote.wire.plain import ATOMS, PLAIN


def test_atoms_travel_by_value() -> None:
    for kind in ATOMS - {type(None)}:
        assert dumpable(kind())


def test_nothing_plain_is_awaited() -> None:
    assert ATOMS < PLAIN
    for kind in PLAIN - {type(None)}:
        assert not inspect.isawaitable(kind())
