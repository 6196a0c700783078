"""
In place of the terminal's module, which Windows alone has: what it answers, in its types.
"""

from collections import namedtuple

import numpy

TIMEFRAME_M1 = 1

AccountInfo = namedtuple("AccountInfo", "login server balance")
Order = namedtuple("Order", "retcode volume price")
Tick = namedtuple("Tick", "time bid ask")

_RATES = [("time", "<i8"), ("open", "<f8"), ("close", "<f8")]


def initialize(*_args, **_options):
    return True


def shutdown():
    return True


def version():
    return (500, 4150, "1 Jan 2024")


def last_error():
    return (1, "Success")


def account_info():
    return AccountInfo(25115284, "Demo", 1000.5)


def symbols_total():
    return 3


def symbol_info_tick(symbol):
    return Tick(1700000000, 1.5, 1.75) if symbol == "EURUSD" else None


def copy_rates_from_pos(_symbol, _timeframe, first, count):
    return numpy.array([(i, i + 0.5, i + 1.0) for i in range(first, first + count)], _RATES)


def copy_rates_from(_symbol, _timeframe, since, count):
    start = int(getattr(since, "timestamp", lambda: since)())
    return numpy.array([(start + i, 0.5, 1.0) for i in range(count)], _RATES)


def order_check(request):
    return Order(0, request["volume"], request["price"])


def order_send(request):
    return Order(10009, request["volume"], request["price"])
