"""
Which keys a subscription names.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from txremote.topics.filters import LONGEST_KEY, MOST_KEYS, checked_keys, checked_prefix
from txremote.wire.values import ReceivedValue


@pytest.mark.parametrize(
    "keys", [("a", "b"), ["a", "b", "a"], {"a", "b"}, ReceivedValue(["a", "b"], False, ())]
)
def test_keys_come_in_any_container_of_values(keys: Any) -> None:
    assert checked_keys(keys) == {"a", "b"}


def test_one_key_may_stand_alone_and_none_means_all() -> None:
    assert checked_keys("ab") == {"ab"}
    assert checked_keys(None) is None
    assert checked_prefix(None) is None
    assert checked_prefix("a.") == "a."


class Endless:
    """Says that it is a list, as a netref of one does, and never ends."""

    __class__ = list  # type: ignore[assignment]

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Any:
        return map(str, count())


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ((1,), "a key is a str, not an int"),
        (object(), "name them in a tuple"),
        (Endless(), "name them in a tuple"),
        (("x" * (LONGEST_KEY + 1),), "a key of 1001 characters"),
        (tuple(map(str, range(MOST_KEYS + 1))), "names 10000 at most"),
    ],
)
def test_others_are_refused_in_a_sentence(keys: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        checked_keys(keys)
