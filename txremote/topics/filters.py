"""
Names of topics, keys of events, and which keys a subscriber wants: checked, and bounded.

The bounds are those of all buses, too, so what a topic takes can go by any of them.
"""

from __future__ import annotations

from typing import Any, Final

from txremote.wire.naming import class_name, with_article
from txremote.wire.values import ReceivedValue

#: How many keys one subscription may name.
MOST_KEYS: Final = 10_000

#: Longest key, in characters.
LONGEST_KEY: Final = 1000

#: Longest name of a topic, in characters.
LONGEST_NAME: Final = 1000


def checked_name(name: object) -> str:
    """
    Return the name of a topic.

    Raises:
        TypeError: it is no str.
        ValueError: it is empty, too long, or no text that UTF-8 carries.
    """
    if type(name) is not str:
        raise TypeError(f"the name of a Topic is a str, not {with_article(class_name(type(name)))}")
    if not 0 < len(name) <= LONGEST_NAME:
        raise ValueError(
            f"a Topic's name of {len(name)} characters: it has 1 to {LONGEST_NAME} of them"
        )
    try:
        name.encode()
    except UnicodeEncodeError as problem:
        raise ValueError(f"a Topic's name that UTF-8 cannot carry: {problem}") from None
    return name


def checked_key(key: object) -> str | None:
    """Return the key of an event, or None. Raises as `checked_keys` does."""
    return None if key is None else _checked(key)


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
    # not isinstance: a peer's object may say that it is one of these, and never end
    if not issubclass(type(keys), tuple | frozenset | set | list):
        raise TypeError(
            f"keys is {with_article(class_name(type(keys)))}: name them in a tuple, "
            'keys=("a", "b"), which travels as a value'
        )
    found: Any = keys
    if len(found) > MOST_KEYS:
        raise ValueError(f"{len(found)} keys, and a subscription names {MOST_KEYS} at most")
    return frozenset(map(_checked, found))


def checked_prefix(prefix: object) -> str | None:
    """Return what keys begin with. Raises as `checked_keys` does."""
    return None if prefix is None else _checked(prefix)


def _checked(key: object) -> str:
    if type(key) is not str:
        raise TypeError(f"a key is a str, not {with_article(class_name(type(key)))}")
    if len(key) > LONGEST_KEY:
        raise ValueError(f"a key of {len(key)} characters, more than {LONGEST_KEY}")
    return key
