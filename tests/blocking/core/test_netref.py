"""
Requests by their number, as RPyC's own helpers send them.
"""

from __future__ import annotations

import txremote.blocking as rpyc
from tests.blocking.script_threads import linked, scripted
from txremote.blocking.core.consts import HANDLE_CALLATTR, HANDLE_GETATTR
from txremote.blocking.core.netref import asyncreq, syncreq


class Shop(rpyc.Service):
    """Has a name, and adds."""

    exposed_name = "shop"

    def exposed_add(self, a: int, b: int) -> int:
        return a + b


@scripted
def test_a_request_for_a_netref() -> None:
    with linked(Shop) as conn:
        assert syncreq(conn.root, HANDLE_GETATTR, "name") == "shop"
        assert asyncreq(conn.root, HANDLE_CALLATTR, "add", (1, 2), ()).value == 3
