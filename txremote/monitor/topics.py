"""
The topics of this process: `TopicWatch` has their rows, and what they have counted in all.

A topic counts for itself what becomes of its events, and is only asked here when somebody looks: so
nothing of this is on the way of an event. Counts are to grow for as long as the process runs, while
a program may make topics and drop them again: each time that topics are looked at, what they have
counted since the last time is added to what is known of their names. The counts of a topic between
the last look and its end are lost.

Names are the program's own, but it may make them of what it is told, a room's name say. So the
first `MOST_NAMES` have figures of their own, and the others have theirs in common.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from typing import Final
from weakref import WeakKeyDictionary

from msgspec import Struct, structs

from txremote.monitor.rows import TopicRow, plain
from txremote.topics.topic import Topic, topics

#: How many topics have rows, where there are more: those with the most subscribers.
MOST_ROWS: Final = 1_000

#: How many names have figures of their own, and the name of all others.
MOST_NAMES: Final = 100
OTHERS: Final = "other"

_SUMS: Final = "subscribers published delivered dropped lagging buffered missed".split()


class TopicTotals(Struct, frozen=True):
    """The counts of the topics of one name; see `TopicRow`."""

    name: str
    published: int = 0
    delivered: int = 0
    dropped: int = 0
    missed: int = 0


def add_topic_totals(*parts: Iterable[TopicTotals]) -> tuple[TopicTotals, ...]:
    """Return the sums by name; of more names than `MOST_NAMES` the last count as `OTHERS`."""
    found: dict[str, TopicTotals] = {}
    for each in (each for part in parts for each in part):
        name = each.name
        if name not in found and len(found) >= MOST_NAMES:
            name = OTHERS
        before = found.get(name, TopicTotals(name))
        found[name] = TopicTotals(
            name,
            before.published + each.published,
            before.delivered + each.delivered,
            before.dropped + each.dropped,
            before.missed + each.missed,
        )
    return tuple(found.values())


def joined(rows: Iterable[TopicRow]) -> list[TopicRow]:
    """Return rows of which no two of a worker have the same name."""
    found: dict[tuple[str, int], TopicRow] = {}
    for row in rows:
        key = row.name, row.worker
        before = found.get(key)
        found[key] = row if before is None else _both(before, row)
    return list(found.values())


def _both(first: TopicRow, second: TopicRow) -> TopicRow:
    sums = {name: getattr(first, name) + getattr(second, name) for name in _SUMS}
    buses = dict.fromkeys((*first.bus.split(", "), second.bus))
    return structs.replace(first, **sums, bus=", ".join(filter(None, buses)))


def most_subscribed(rows: Iterable[TopicRow]) -> list[TopicRow]:
    """Return `MOST_ROWS` rows at most, by name."""
    found = nlargest(MOST_ROWS, rows, key=lambda row: row.subscribers)
    return sorted(found, key=lambda row: (row.name, row.worker))


class TopicWatch:
    """
    Looks at the topics of this process. For the reactor's thread.

    Attributes:
        totals: Their counts by name, as of the last look.
    """

    def __init__(self) -> None:
        self._seen: WeakKeyDictionary[Topic, TopicTotals] = WeakKeyDictionary()
        self.totals: tuple[TopicTotals, ...] = ()

    def rows(self) -> list[TopicRow]:
        """Look, and return a row for each name."""
        rows, news = [], []
        for topic in _all_topics():
            now = topic.stats()
            name = plain(now.name)
            before = self._seen.get(topic, TopicTotals(name))
            # an event of the bus is just being counted, perhaps, in another thread
            published = max(now.published - now.received, before.published)
            counted = TopicTotals(name, published, now.delivered, now.dropped, now.missed)
            news.append(_since(before, counted))
            self._seen[topic] = counted
            rows.append(
                TopicRow(
                    name=name,
                    subscribers=now.subscribers,
                    published=published,
                    delivered=now.delivered,
                    dropped=now.dropped,
                    lagging=now.lagging,
                    buffered=now.buffered,
                    missed=now.missed,
                    bus=plain(now.bus),
                )
            )
        self.totals = add_topic_totals(self.totals, news)
        return most_subscribed(joined(rows))


def _all_topics() -> list[Topic]:
    while True:
        try:
            return list(topics)
        except RuntimeError:  # another thread has made one meanwhile
            continue


def _since(before: TopicTotals, now: TopicTotals) -> TopicTotals:
    """Return what a topic has counted since it was looked at."""
    return TopicTotals(
        now.name,
        now.published - before.published,
        now.delivered - before.delivered,
        now.dropped - before.dropped,
        now.missed - before.missed,
    )
