"""A bus within a process, for topics that stand for those of several processes."""

from __future__ import annotations

from txremote.topics.ports import BusLink, BusListener


class _Link:
    """One topic on a `MemoryBus`."""

    def __init__(self, bus: MemoryBus, name: str, listener: BusListener) -> None:
        self.name = name
        self.listener = listener
        self.published = 0
        self._bus = bus

    def publish(self, key: str | None, payload: bytes) -> None:
        self.published += 1
        if key is not None:
            self._bus.last[self.name, key] = (payload, str(id(self)), self.published)
        for link in list(self._bus.links):
            if link is not self and link.name == self.name:
                link.listener.received(key, payload, str(id(self)), self.published)

    def close(self) -> None:
        self._bus.links.remove(self)


class MemoryBus:
    """
    Gives the events of each topic to the others of its name, at once.

    Attributes:
        last: The last event of each name and key, as `BusListener.retained` takes it.
    """

    def __init__(self) -> None:
        self.links: list[_Link] = []
        self.last: dict[tuple[str, str], tuple[bytes, str, int]] = {}

    def join(self, name: str, listener: BusListener) -> BusLink:
        link = _Link(self, name, listener)
        self.links.append(link)
        for (topic, key), last in self.last.items():
            if topic == name:
                listener.retained(key, *last)
        return link
