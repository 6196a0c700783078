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


def test_a_bus_of_ones_own_is_taken_as_it_is_and_none_is_none() -> None:
    join: Any = MemoryBus().join
    made = bus_of(None, join, False, 1)
    assert made is not None
    assert made(None) is join
    assert bus_of(None, None, False, 1) is None
    with pytest.raises(ValueError, match="no bus 'x'"):
        bus_of(None, "x", False, 1)
