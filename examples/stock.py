"""
A program for RPyC: a service, and a script that uses it. Nothing here is txremote's.

RPyC serves it, as its manual says, or ``twistd`` does; both from the folder above this one::

    python examples/stock.py 18861
    twistd -n txremote --service examples.stock.Stock

and the script calls either of them::

    python examples/stock.py 127.0.0.1 18861

With ``import txremote.blocking as rpyc`` in place of ``import rpyc`` the same lines are faster.
Clients may have RPyC 5 or 6: ``twistd`` serves both, where RPyC's own server serves its version.
"""

import sys

import rpyc


class Stock(rpyc.Service):
    """The service. Each connection has a list of its own."""

    def __init__(self):
        self._items = []

    def exposed_put(self, name, count):
        """Put something on the list."""
        if count <= 0:
            raise ValueError(f"{count} of {name}")
        self._items.append((name, count))

    def exposed_items(self):
        """Return the list itself: a reference, which stays here."""
        return self._items

    def exposed_each(self, tell):
        """Call a function of the client's with each item, and return how many there are."""
        for name, count in self._items:
            tell(name, count)
        return len(self._items)


def main(host, port):
    """The client."""
    conn = rpyc.connect(host, int(port))
    conn.root.put("rope", 3)
    conn.root.put("bow", count=1)
    items = conn.root.items()
    print("listed:", [name for name, _count in items], len(items))
    print("told:", conn.root.each(lambda name, count: print("-", name, count)))
    later = rpyc.async_(conn.root.put)("net", 2)
    later.wait()
    print("last:", items[-1])
    try:
        conn.root.put("sword", 0)
    except ValueError as error:
        print("refused:", error.args[0])
    conn.close()


def serve(port):
    """The server, by RPyC."""
    from rpyc.utils.server import ThreadedServer

    ThreadedServer(Stock, hostname="127.0.0.1", port=int(port)).start()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python examples/stock.py PORT | HOST PORT")
    (serve if len(sys.argv) == 2 else main)(*sys.argv[1:])
