"""
The rows of topics, and what is known in all of those that come and go.
"""

from __future__ import annotations

import gc
import threading

from tests.monitor.web.made_up import row
from tests.topics.buses import MemoryBus
from txremote.monitor import topics as module
from txremote.monitor.rows import TopicRow
from txremote.monitor.topics import (
    MOST_NAMES,
    OTHERS,
    TopicTotals,
    TopicWatch,
    add_topic_totals,
    joined,
    most_subscribed,
)
from txremote.topics.topic import Topic


def row_of(watch: TopicWatch, name: str) -> TopicRow:
    """Return the row of a topic of a test."""
    (found,) = [each for each in watch.rows() if each.name == name]
    return found


def test_a_row_tells_what_a_topic_has_counted() -> None:
    """Two topics of one name are one row; a hostile name is plain text."""
    watch = TopicWatch()
    first, second = Topic("row\x1b a", buffer=2), Topic("row\x1b a", buffer=2)
    taken: list[object] = []
    first.subscribe(taken.append)
    slow = second.subscribe()
    for number in range(3):
        first.publish(number)
        second.publish(number)
    first.missed(4, "it was away")
    first.missed(None, "it was away")
    counts = {"subscribers": 2, "published": 6, "delivered": 3, "dropped": 1, "buffered": 2}
    assert row_of(watch, "row  a") == row(TopicRow, name="row  a", missed=5, **counts)
    assert taken == [0, 1, 2]
    slow.close()


def test_the_bus_is_told_and_an_event_counts_once_in_all_processes() -> None:
    """Where it was published; so sums tell how many there were."""
    watch, bus = TopicWatch(), MemoryBus()
    on_bus = Topic("on a bus", bus=bus.join)
    assert row_of(watch, "on a bus").bus == "not joined yet"
    on_bus.subscribe(print)
    (link,) = bus.links
    link.listener.state(False, "it was\nkilled")
    assert row_of(watch, "on a bus").bus == "away: it was killed"
    other = Topic("on a bus", bus=bus.join)  # as in another process
    for number in range(3):
        other.publish(number)
    both = row_of(watch, "on a bus")
    assert (both.published, both.delivered) == (3, 3)
    assert on_bus.stats().received == 3


def test_counts_stay_when_a_topic_is_gone() -> None:
    """They are Prometheus' counters, which never go back."""
    watch = TopicWatch()

    def totals() -> TopicTotals:
        watch.rows()
        return {each.name: each for each in watch.totals}["comes and goes"]

    for round_ in (1, 2):
        topic = Topic("comes and goes")
        topic.publish("a")
        assert totals().published == 2 * round_ - 1
        topic.publish("b")
        assert totals().published == 2 * round_
        del topic
        gc.collect()
    assert totals() == TopicTotals("comes and goes", published=4)
    assert "comes and goes" not in {each.name for each in watch.rows()}


def test_very_many_names_have_their_figures_in_common() -> None:
    """The first ones keep their own; of the rows those with the most subscribers are left."""
    many = [TopicTotals(f"room {n}", 1, 2, 3, 4) for n in range(MOST_NAMES + 5)]
    found = add_topic_totals(many, many)
    assert len(found) == MOST_NAMES + 1
    assert found[0] == TopicTotals("room 0", 2, 4, 6, 8)
    assert found[-1] == TopicTotals(OTHERS, 10, 20, 30, 40)
    assert add_topic_totals(found, many)[-1] == TopicTotals(OTHERS, 15, 30, 45, 60)
    rows = [row(TopicRow, name=f"{n:05}", subscribers=n) for n in range(module.MOST_ROWS + 2)]
    assert [each.name for each in most_subscribed(rows)][:2] == ["00002", "00003"]


def test_rows_of_one_name_become_one_in_each_worker() -> None:
    """A bus that is away is told, though the other topic has joined it."""
    rows = [
        row(TopicRow, name="a", worker=1, published=1, bus="joined"),
        row(TopicRow, name="a", worker=2, published=2, bus="joined"),
        row(TopicRow, name="a", worker=1, published=4, bus="away: it was killed"),
    ]
    assert joined(rows) == [
        row(TopicRow, name="a", worker=1, published=5, bus="joined, away: it was killed"),
        rows[1],
    ]


def test_topics_that_threads_make_meanwhile_are_no_problem() -> None:
    """The set of all topics is not to be walked while it grows."""
    watch, kept, over = TopicWatch(), [], threading.Event()
    first = Topic("made before")

    def make() -> None:
        while not over.is_set():
            kept.append(Topic("made in a thread"))
            if len(kept) > 2_000:
                kept.clear()

    thread = threading.Thread(target=make)
    thread.start()
    try:
        for _ in range(20):
            assert first.name in {row.name for row in watch.rows()}
    finally:
        over.set()
        thread.join()
