"""
The shop as a stock RPyC serves it, for twistd to host as it is.
"""

from __future__ import annotations

from tests.interop.stock_server import Shop as StockShop

from txremote import current_call


class Shop(StockShop):
    """
    One for each connection.
    """

    def exposed_held(self):
        return len(self._conn.protocol._tables.exports)
