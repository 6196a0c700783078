"""
What a topic asks of a bus, and what a bus gives to a topic.
"""

from __future__ import annotations

from tests.topics.buses import MemoryBus
from txremote.topics.encoding import decode_event, encode_event
from txremote.topics.ports import BusListener, Join


class Listener:
    """Notes what comes."""

    def __init__(self) -> None:
        self.events: list[tuple[str | None, object, int]] = []
        self.last: list[tuple[str | None, object, int]] = []

    def received(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        self.events.append((key, decode_event(payload), number))

    overtaken = received

    def retained(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        self.last.append((key, decode_event(payload), number))

    def missed(self, count: int | None, why: str) -> None:
        raise AssertionError(why)

    def state(self, connected: bool, why: str) -> None:
        raise AssertionError(why)


def test_events_cross_a_bus_as_bytes_and_none_comes_back_to_its_publisher() -> None:
    bus = MemoryBus()
    join: Join = bus.join
    here, there, late = Listener(), Listener(), Listener()
    listener: BusListener = here
    link = join("prices", listener)
    other = join("prices", there)
    join("news", Listener())
    link.publish("a", encode_event({"price": 1}))
    link.publish(None, encode_event((2,)))
    assert there.events == [("a", {"price": 1}, 1), (None, (2,), 2)]
    assert here.events == []
    other.close()
    link.publish("a", encode_event(3))
    assert len(there.events) == 2
    join("prices", late)
    assert (late.events, late.last) == ([], [("a", 3, 3)])
