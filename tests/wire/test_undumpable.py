"""The error for what brine cannot carry."""

from __future__ import annotations

import pytest
from rpyc.core import brine as stock_brine

from txremote.wire.brine import dump
from txremote.wire.undumpable import Undumpable


def test_undumpable_is_what_rpyc_raises() -> None:
    """RPyC raises TypeError for what brine cannot carry; so it is one here."""
    assert issubclass(Undumpable, TypeError)
    with pytest.raises(Undumpable, match="brine carries no list"):
        dump([])
    with pytest.raises(TypeError):
        stock_brine.dump([])
