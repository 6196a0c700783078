"""
mt5linux: the terminal's API for Linux. Its client evaluates in a classic server, which runs
on the terminal's machine or under Wine; here the terminal's module stands in.
"""

from __future__ import annotations

import sys

import mt5linux
import numpy
import rpyc

from tests.interop.published.play import say_port
from tests.processes import free_port

# what has to be said: numpy arrays travel as pickles
if rpyc.__name__ == "txremote.blocking":
    rpyc.core.protocol.DEFAULT_CONFIG["allow_pickle"] = True


def serve() -> None:
    """Run the package's own server, a command."""
    from mt5linux.__main__ import ClassicServer

    port = free_port()
    say_port(port)
    ClassicServer.run([sys.argv[0], "--host=127.0.0.1", f"--port={port}"])


def use(port: int) -> None:
    """Ask for the account, a tick and rates, and send an order."""
    mt5 = mt5linux.MetaTrader5(host="127.0.0.1", port=port, timeout=20)
    assert mt5.initialize(login=25115284) is True
    assert mt5.version() == (500, 4150, "1 Jan 2024")
    account = mt5.account_info()
    assert account.server == "Demo" and account.balance == 1000.5
    rates = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 2, 4)
    assert isinstance(rates, numpy.ndarray)
    assert rates["open"].tolist() == [2.5, 3.5, 4.5, 5.5]
    tick = mt5.symbol_info_tick("EURUSD")
    assert (tick.bid, tick.ask) == (1.5, 1.75)
    assert mt5.order_send({"volume": 0.25, "price": tick.ask}).retcode == 10009
    assert mt5.shutdown() is True
