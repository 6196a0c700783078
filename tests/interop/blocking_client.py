"""
The checks of ``stock_client.py`` with txremote's blocking facet as the library.

Run as a process of its own, at a server of any kind::

    python -m tests.interop.blocking_client PORT
"""

from __future__ import annotations

import sys

import txremote.blocking
from tests.interop import stock_client

check = stock_client.check


def connect():
    conn = txremote.blocking.connect("127.0.0.1", int(sys.argv[1]))
    return conn


stock_client.rpyc = txremote.blocking
txremote.blocking.__version__ = "x"
stock_client.buffiter = txremote.blocking.buffiter
stock_client.AsyncResultTimeout = txremote.blocking.AsyncResultTimeout
stock_client.connect = connect

if __name__ == "__main__":
    stock_client.main()
