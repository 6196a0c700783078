"""
The shop as a stock RPyC serves it, for twistd to host as it is.
"""

from __future__ import annotations

from tests.interop.stock_server import Shop as StockShop


class Shop(StockShop):
    """One for each connection."""

    _disconnected = 0

    def on_disconnect(self, conn):
        Shop._disconnected += 1

    def exposed_goodbyes(self):
        return Shop._disconnected

    def exposed_held(self):
        # the stock one looks into RPyC's own table
        return len(self._conn.protocol._tables.exports)
