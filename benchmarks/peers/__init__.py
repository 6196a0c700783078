"""
The contestants: one file for each, its server and its client side by side.

A contestant that lives in a reactor says ``REACTOR = True`` and has
``listen(reactor, *args)``, a coroutine or Deferred of its address, and
``connect(reactor, address)``, one of its client. Another has ``serve(ready,
*args)``, which calls ``ready`` with the address and serves for ever, and
``connect(address)``. A client has a method for each piece of work, named and
described in `benchmarks.rows`; it returns the seconds that took.

Every answer is checked, so nobody is fast by being wrong. TCP_NODELAY is set
for all.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """
    One contestant.

    Attributes:
        title: Its column.
        module: Its file.
        needs: What has to be importable for it.
    """

    title: str
    module: str
    needs: str

    @property
    def installed(self) -> bool:
        """
        Whether it can take part.
        """
        return importlib.util.find_spec(self.needs) is not None


PEERS = {
    "echo": Peer("floor", "benchmarks.peers.floor_echo", "twisted"),
    "whole": Peer("floor", "benchmarks.peers.floor_whole", "twisted"),
    "bare": Peer("floor", "benchmarks.peers.floor_bare", "twisted"),
    "rpyc": Peer("RPyC", "benchmarks.peers.with_rpyc", "rpyc"),
    "pb": Peer("PB", "benchmarks.peers.with_pb", "twisted"),
    "amp": Peer("AMP", "benchmarks.peers.with_amp", "twisted"),
    "foolscap": Peer("foolscap", "benchmarks.peers.with_foolscap", "foolscap"),
    "pyro5": Peer("Pyro5", "benchmarks.peers.with_pyro5", "Pyro5"),
    "txremote": Peer("txremote", "benchmarks.peers.txr", "txremote"),
}

#: The file that installs whoever is missing.
REQUIREMENTS = "benchmarks/requirements.txt"
