"""
The inventory from RPyC's own client, version 5 or 6: what is annotated is copied from it.

With the server of ``inventory.py``::

    python examples/inventory_rpyc.py 127.0.0.1 18861
"""

import sys
from decimal import Decimal

import rpyc
from inventory import Item
from rpyc.core.vinegar import GenericException

#: The server reads an item's fields, so this side has to let it.
CONFIG = {"allow_public_attrs": True}


def main(host, port):
    """The client."""
    conn = rpyc.connect(host, int(port), config=CONFIG)
    root = conn.root

    tea = Item("tea", 3, Decimal("2.50"), ["hot"])
    ice = Item("ice", 10, Decimal("0.90"))
    print("in stock:", root.put([tea, ice]))
    # What the server returns goes as RPyC sends it: a reference, whose text is asked for here.
    print("left:", root.take("tea", 1))
    print("worth of the tea:", root.worth()["tea"])

    try:
        root.put([tea, Item("ice", 5, "cheap")])
    except GenericException as error:  # RPyC knows no exception class of txremote's
        print("refused:", error.args[0])
    conn.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python examples/inventory_rpyc.py HOST PORT")
    main(*sys.argv[1:])
