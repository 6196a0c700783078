"""
A topic's side of a bus: joined once, in the loop, when it is first used.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.topics.buses import MemoryBus
from txremote.topics.bus import bus_of
from txremote.topics.encoding import decode_event, encode_event
from txremote.topics.ports import BusLink, BusListener
from txremote.topics.topic import Topic


def test_a_bus_is_joined_once_in_the_loops_thread_by_a_topic_that_is_used() -> None:
    async def main() -> None:
        bus = MemoryBus()
        threads: list[int] = []

        def join(name: str, listener: BusListener) -> BusLink:
            threads.append(threading.get_ident())
            return bus.join(name, listener)

        topic = Topic("a", bus=join)
        assert threads == []
        topic.publish(1)
        await asyncio.to_thread(topic.publish, 2)
        topic.subscribe(print)
        await asyncio.sleep(0)
        assert threads == [threading.get_ident()]
        assert bus.links[0].published == 2
        topic.close()
        assert bus.links == []

    asyncio.run(main())


def test_a_bus_that_cannot_be_joined_fails_each_use() -> None:
    def join(name: str, listener: BusListener) -> BusLink:
        raise ImportError("not installed")

    async def main() -> None:
        topic = Topic("a", bus=join)
        for _ in range(2):
            with pytest.raises(ImportError, match="not installed"):
                topic.publish(1)
            with pytest.raises(ImportError, match="not installed"):
                topic.subscribe(print)
        assert topic.stats().published == 0

    asyncio.run(main())


class Bus:
    """
    The bus of one topic.

    Attributes:
        listener: The topic's side.
        published: What it was given.
    """

    def __init__(self) -> None:
        self.listener: Any = None
        self.published: list[object] = []

    def join(self, _name: str, listener: BusListener) -> Bus:
        self.listener = listener
        return self

    def publish(self, key: str | None, payload: bytes) -> None:
        self.published.append(decode_event(payload))

    def close(self) -> None: ...


@pytest.mark.parametrize(("slow", "live"), [("drop-oldest", [270, 250]), ("latest", [270])])
def test_an_event_that_all_others_have_before_the_last_one_does_not_replace_it(
    slow: Any, live: list[int]
) -> None:
    """Who wants the newest ones only is told instead."""

    async def main() -> None:
        bus = Bus()
        topic = Topic("prices", slow=slow, retain=True, bus=bus.join)
        events, gaps, other = list[int](), list[object](), list[int]()
        topic.subscribe(events.append, missed=lambda *gap: gaps.append(gap))
        topic.subscribe(other.append, keys="ice")
        topic.publish(270, "tea")
        bus.listener.overtaken("tea", encode_event(250), "other", 1)
        late = list[int]()
        topic.subscribe(late.append)
        assert (events, late, other) == (live, [270], [])
        assert gaps == ([(1, "a newer one of its key came before it")] * (slow == "latest"))
        assert topic.stats().received == 1
        assert topic.stats().dropped == len(gaps)

    asyncio.run(main())


def test_what_a_thread_publishes_is_the_last_one_before_the_loop_has_given_it_to_the_bus() -> None:
    async def main() -> None:
        bus = Bus()
        topic = Topic("prices", retain=True, bus=bus.join)
        topic.publish(0, "ice")
        thread = threading.Thread(target=topic.publish, args=(270, "tea"))
        thread.start()
        thread.join()
        assert bus.published == [0]
        bus.listener.received("tea", encode_event(250), "other", 1)
        bus.listener.received("ice", encode_event(90), "other", 2)
        await asyncio.sleep(0)
        assert bus.published == [0, 270]
        last = list[int]()
        topic.subscribe(last.append)
        assert last == [270, 90]
        bus.listener.received("tea", encode_event(280), "other", 3)
        assert last[2:] == [280]

    asyncio.run(main())


def test_a_bus_of_ones_own_is_taken_as_it_is_and_none_is_none() -> None:
    join: Any = MemoryBus().join
    made = bus_of(None, join, False, 1)
    assert made is not None
    assert made(None) is join
    assert bus_of(None, None, False, 1) is None
    with pytest.raises(ValueError, match="no bus 'x'"):
        bus_of(None, "x", False, 1)
