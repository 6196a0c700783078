"""
`Shares`: how much each connection has subscribed to, of one topic. It is bounded.

A subscription costs its topic its keys, and the events that wait for it, whether it is read or not.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from txremote.topics.filters import LONGEST_KEY, MOST_KEYS

#: How many subscriptions of a topic one connection may have.
MOST_OF_A_CONNECTION: Final = 1000

#: How many characters the keys of them may have, together.
MOST_CHARACTERS: Final = MOST_KEYS * LONGEST_KEY


class Shares:
    """
    The subscriptions of one topic, by connection; None is this program.

    Args:
        topic: The topic's name.
    """

    __slots__ = ("_characters", "_subscriptions", "_topic")

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._subscriptions: Counter[object] = Counter()
        self._characters: Counter[object] = Counter()

    def add(self, connection: object, characters: int) -> None:
        """
        Count a subscription whose keys have so many characters.

        Raises:
            RuntimeError: the connection has too many of either.
        """
        if connection is None:
            return
        if self._subscriptions[connection] >= MOST_OF_A_CONNECTION:
            raise RuntimeError(
                f"{MOST_OF_A_CONNECTION} subscriptions of the topic {self._topic!r} are all that a "
                "connection may have: name several keys in one"
            )
        if self._characters[connection] + characters > MOST_CHARACTERS:
            raise RuntimeError(
                f"the keys that a connection names of the topic {self._topic!r} have at most "
                f"{MOST_CHARACTERS} characters together: close subscriptions, or name a prefix"
            )
        self._subscriptions[connection] += 1
        self._characters[connection] += characters

    def remove(self, connection: object, characters: int) -> None:
        """Count one no more."""
        if connection is None:
            return
        self._subscriptions[connection] -= 1
        self._characters[connection] -= characters
        if not self._subscriptions[connection]:
            del self._subscriptions[connection], self._characters[connection]
