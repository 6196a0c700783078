"""
An inventory: items are dataclasses, and travel as values.

Serve it, from the folder above this one; all clients share the one inventory::

    twistd -n txremote --service examples.inventory.inventory

and use it, from a reactor::

    python examples/inventory.py tcp:127.0.0.1:18861

``inventory_script.py`` does the same without a reactor, ``inventory.ipynb`` in a notebook, and
``inventory_rpyc.py`` with RPyC's own client.
"""

import sys
from dataclasses import dataclass, field, replace
from decimal import Decimal

from twisted.internet.task import react

from txremote import Service, Topic, connect, exposed, typed


@dataclass
class Item:
    """What is in stock. Client and server may each have a class of this name and these fields."""

    name: str
    count: int
    price: Decimal
    tags: list[str] = field(default_factory=list)


class Inventory(Service, values=True):
    """
    What the server offers. ``values=True`` has the annotations say what is copied: an argument
    has the type that stands there when the method begins, or its caller gets an error.
    """

    #: Each item that changes, for all who subscribe.
    exposed_changes = Topic("changes")

    def __init__(self):
        self._items = {}

    @exposed
    def put(self, items: list[Item]) -> int:
        """Add items, and return how many there are of all kinds together."""
        for item in items:
            known = self._items.get(item.name, replace(item, count=0))
            self._items[item.name] = replace(item, count=known.count + item.count)
            self.exposed_changes.publish(self._items[item.name])
        return sum(item.count for item in self._items.values())

    @exposed
    def take(self, name: str, count: int) -> Item:
        """Take some of an item out, and return what is left of it."""
        item = self._items[name]
        if item.count < count:
            raise ValueError(f"there are {item.count} of {name}")
        item = self._items[name] = replace(item, count=item.count - count)
        self.exposed_changes.publish(item)
        return item

    @exposed
    def find(self, tag: str) -> list[Item]:
        """Return the items with a tag."""
        return [item for item in self._items.values() if tag in item.tags]

    @exposed
    def worth(self) -> dict[str, Decimal]:
        """Return what the stock of each item is worth."""
        return {name: item.count * item.price for name, item in self._items.items()}


#: An instance, not a class: all connections share it.
inventory = Inventory()


async def main(reactor, endpoint):
    """The client."""
    conn = await connect(endpoint, reactor=reactor)
    root = conn.root
    await root.changes.subscribe(lambda item: print("changed:", item.name, item.count))

    tea = Item("tea", 3, Decimal("2.50"), ["hot"])
    ice = Item("ice", 10, Decimal("0.90"))
    print("in stock:", await root.put([tea, ice]))
    left = await root.take("tea", 1)  # a Record: it has the fields of an Item
    print("left:", left.name, left.count)
    for item in await root.find("hot"):  # a list of values: nothing more is asked for
        print("hot:", item.name, item.price)
    print("typed:", await typed(root, Inventory).find("hot"))  # Items, not Records
    print("worth:", await root.worth())

    try:
        await root.put([tea, Item("ice", 5, "cheap")])
    except TypeError as error:
        print("refused:", error.args[0])
    await conn.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/inventory.py ENDPOINT")
    react(main, sys.argv[1:])
