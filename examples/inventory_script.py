"""
The inventory from a script: the same calls, and no reactor.

With the server of ``inventory.py``::

    python examples/inventory_script.py 127.0.0.1 18861
"""

import sys
from decimal import Decimal

from inventory import Inventory, Item

import txremote.blocking as rpyc


def main(host, port):
    """The client."""
    conn = rpyc.connect(host, int(port))
    root = conn.root
    root.changes.subscribe(lambda item: print("changed:", item.name, item.count))

    tea = Item("tea", 3, Decimal("2.50"), ["hot"])
    ice = Item("ice", 10, Decimal("0.90"))
    print("in stock:", root.put([tea, ice]))
    left = root.take("tea", 1)  # a Record: it has the fields of an Item
    print("left:", left.name, left.count)
    for item in root.find("hot"):
        print("hot:", item.name, item.price)
    print("typed:", rpyc.typed(root, Inventory).find("hot"))  # Items, not Records
    print("worth:", root.worth())

    try:
        root.put([tea, Item("ice", 5, "cheap")])
    except TypeError as error:
        print("refused:", error.args[0])
    conn.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python examples/inventory_script.py HOST PORT")
    main(*sys.argv[1:])
