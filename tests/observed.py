"""
All connections with timed requests: ``python -m pytest -p tests.observed tests/peer tests/gate``.

Whatever holds of connections holds of observed ones, too.
"""

from __future__ import annotations

from txremote.monitor.callstats import CallStats
from txremote.peer.connection import Connection
from txremote.peer.observing import timed_requests

STATS = CallStats()

defaults = Connection.__init__.__kwdefaults__
assert defaults is not None
defaults["make_request"] = timed_requests(STATS)
