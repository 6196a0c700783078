"""
The checks of ``stock_client.py`` that are for a threaded service, by a stock client.

Run as a process of its own, with whatever RPyC is on its path, at a twistd that hosts
``hosted_shop.Shop``, a service written for RPyC::

    python -m tests.interop.hosted_client PORT
"""

from __future__ import annotations

import rpyc

from tests.interop import stock_client
from tests.interop.peer_processes import Checks
from tests.interop.stock_client import consts

more = Checks()


@more
def async_with_100_waiting(conn):
    """A service written for RPyC answers one after the other, as RPyC does."""
    later = rpyc.async_(conn.root.later)
    results = [later(0.001, number) for number in range(100)]
    heard = []
    results[7].add_callback(lambda result: heard.append(result.value))
    assert [result.value for result in results] == list(range(100))
    assert heard == [7]


@more
def nothing_of_txremotes_own_was_sent_to_us(conn):
    """Code that may block looks at classes, as RPyC's does; no more than that."""
    assert conn.asked <= {
        *(consts.HANDLE_CALL, consts.HANDLE_CALLATTR, consts.HANDLE_GETATTR),
        *(consts.HANDLE_DEL, consts.HANDLE_BUFFITER, consts.HANDLE_CLOSE),
        consts.HANDLE_INSPECT,
    }, conn.asked


def checks() -> Checks:
    """Return what is checked."""
    kept = dict(stock_client.check)
    last = kept.pop("good bye")
    del kept["async with 100 in flight"]
    return Checks({**kept, **more, "good bye": last})


if __name__ == "__main__":
    stock_client.check = checks()
    stock_client.main()
