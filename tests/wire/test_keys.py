"""
Keys are id packs as they are encoded. The tests of boxing hold how they are measured.
"""

from __future__ import annotations

import pytest

from txremote.errors import RemoteProtocolError
from txremote.wire.brine import dump
from txremote.wire.keys import REMOTE_REF_HEAD, check_pack, key_end, key_of, key_of_boxed, load_key


@pytest.mark.parametrize("pack", [("a.b", 1, 2), ("a" * 255, -(10**200), 10**254)])
def test_a_key_is_measured_in_place(pack: tuple[str, int, int]) -> None:
    key = key_of(pack)
    assert key_end(b"before" + key + b"behind", 6) == 6 + len(key)
    assert key_of_boxed(REMOTE_REF_HEAD + key) == key
    assert load_key(key) == pack


def test_id_packs_given_by_value_are_checked() -> None:
    """INSPECT, INSTANCECHECK and RELEASE get packs as plain values."""
    assert check_pack(("name", 1, 2)) == ("name", 1, 2)
    for wrong in (None, (), ("a", 1), ("a", 1, 2, 3), (1, 2, 3), ("a", True, 1), ["a", 1, 2]):
        with pytest.raises(RemoteProtocolError, match="an id pack is"):
            check_pack(wrong)
    with pytest.raises(RemoteProtocolError, match="an id pack is"):
        load_key(dump((1, 2, 3)))
