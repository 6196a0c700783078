"""
How much a connection may subscribe to, of one topic.
"""

from __future__ import annotations

from typing import Any

import pytest

from txremote.topics import places, shares
from txremote.topics.topic import Topic


def test_a_connection_has_so_many_subscriptions_of_a_topic(monkeypatch: Any) -> None:
    class Asks:
        executor: Any = type("Executor", (), {"submit": staticmethod(lambda function: function())})

    monkeypatch.setattr(shares, "MOST_OF_A_CONNECTION", 2)
    monkeypatch.setattr(shares, "MOST_CHARACTERS", 10)
    monkeypatch.setattr(places.answering, "connection", lambda: Asks)
    topic = Topic()
    held = [topic.subscribe(), topic.subscribe()]
    with pytest.raises(RuntimeError, match="name several keys in one"):
        topic.subscribe()
    held.pop()
    with pytest.raises(RuntimeError, match="have at most 10 characters together"):
        topic.subscribe(keys=("abcdef", "12345"))
    for _ in range(3):  # one that has ended counts no more
        topic.subscribe(keys=("abcdef", "12"), prefix="ab")
