"""A stock RPyC server whose results have annotations, which RPyC does not read. Says its port."""

from __future__ import annotations

from collections.abc import Iterator

import rpyc
from rpyc.utils.server import ThreadedServer

from tests.interop.typed_shop import Item


class Shop(rpyc.Service):
    """What a view with the same annotations takes and gives."""

    def exposed_all(self, count: int) -> list[Item]:
        return [Item(f"item {n}", n, ["a"]) for n in range(count)]

    def exposed_by_name(self) -> dict[str, list[int]]:
        return {"a": [1, 2], "b": []}

    def exposed_pair(self) -> tuple[list[int], str]:
        return [1], "one"

    def exposed_total(self, items: list[int]) -> int:
        return sum(items)

    def exposed_prices(self, items: list[Item]) -> list[int]:
        return [item.price for item in items]

    def exposed_some(self, count: int) -> Iterator[Item]:
        return (Item(f"item {n}", n, []) for n in range(count))

    def exposed_wrong(self) -> int:
        return "no int"  # type: ignore[return-value]

    exposed_sizes: list[int] = [1, 2]


if __name__ == "__main__":
    config = {"allow_public_attrs": True}
    server = ThreadedServer(Shop, hostname="127.0.0.1", protocol_config=config)
    server._listen()
    print("port", server.port, flush=True)
    server.start()
