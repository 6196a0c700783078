"""
mt5-mac-bridge, with siliconmetatrader5 beneath it: the same API, called by netrefs, with a
thread that serves in the background, and a watchdog that pings.
"""

from __future__ import annotations

import datetime
import sys
import threading

import mt5_mac_bridge
import numpy
import rpyc

from tests.interop.published.play import say_port
from tests.processes import free_port

# what has to be said: numpy arrays travel as pickles
if rpyc.__name__ == "txremote.blocking":
    rpyc.core.protocol.DEFAULT_CONFIG["allow_pickle"] = True


def serve() -> None:
    """Run siliconmetatrader5's own server."""
    from siliconmetatrader5.server import ClassicServer

    port = free_port()
    say_port(port)
    ClassicServer.run([sys.argv[0], "--host=127.0.0.1", f"--port={port}"])


def use(port: int) -> None:
    """Go through the bridge by its handle, and by ``import MetaTrader5``."""
    handle = mt5_mac_bridge.init("bridge", host="127.0.0.1", port=port)
    import MetaTrader5 as mt5

    assert mt5 is handle.mt5
    assert mt5.ping()
    assert mt5.last_error() == (1, "Success")
    assert mt5.account_info().balance == 1000.5
    rates = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 0, 3)
    assert isinstance(rates, numpy.ndarray) and rates["close"].sum() == 6.0
    since = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    rates = mt5.copy_rates_from("EURUSD", mt5.TIMEFRAME_M1, since, 2)
    assert rates["time"].tolist() == [1704067200, 1704067201]
    assert mt5.order_check({"volume": 1.0, "price": 2.0}).retcode == 0
    assert mt5.order_send({"volume": 1.0, "price": 2.0}).volume == 1.0
    pause = threading.Event()
    mt5.start_watchdog(interval_sec=0.05)
    for _ in range(400):
        if mt5.health_status()["status"] == "healthy":
            break
        pause.wait(0.02)
    assert mt5.health_status()["status"] == "healthy", mt5.health_status()
    mt5_mac_bridge.shutdown(handle)
    assert not mt5.ping()
