"""
Which keys a subscriber wants, as a peer says it: checked, and bounded.
"""

from __future__ import annotations

from typing import Final

from txremote.wire.naming import class_name, with_article
from txremote.wire.values import ReceivedValue

#: How many keys one subscription may name.
MOST_KEYS: Final = 10_000

#: Longest key, in characters.
LONGEST_KEY: Final = 1000


def checked_keys(keys: object) -> frozenset[str] | None:
    """
    Return the keys that a subscription names.

    Raises:
        TypeError: they are no str, or tuple, set or list of some.
        ValueError: they are too many, or one is too long.
    """
    if keys is None:
        return None
    if type(keys) is ReceivedValue:
        keys = keys.value
    if type(keys) is str:
        return frozenset((_checked(keys),))
    if not isinstance(keys, tuple | frozenset | set | list):
        raise TypeError(
            f"keys is {with_article(class_name(type(keys)))}: name them in a tuple, "
            'keys=("a", "b"), which travels as a value'
        )
    if len(keys) > MOST_KEYS:
        raise ValueError(f"{len(keys)} keys, and a subscription names {MOST_KEYS} at most")
    return frozenset(map(_checked, keys))


def checked_prefix(prefix: object) -> str | None:
    """Return what keys begin with. Raises as `checked_keys` does."""
    return None if prefix is None else _checked(prefix)


def _checked(key: object) -> str:
    if type(key) is not str:
        raise TypeError(f"a key is a str, not {with_article(class_name(type(key)))}")
    if len(key) > LONGEST_KEY:
        raise ValueError(f"a key of {len(key)} characters, more than {LONGEST_KEY}")
    return key
