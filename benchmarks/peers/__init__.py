"""
The contestants: one file for each, its server and its client side by side.

A contestant that lives in a reactor says ``REACTOR = True`` and has
``listen(reactor, *args)``, a coroutine or Deferred of its address, and
``connect(reactor, address)``, one of its client. Another has ``serve(ready,
*args)``, which calls ``ready`` with the address and serves for ever, and
``connect(address)``. One that lives in a reactor and has a client that blocks as
well has a second file for that. One that lives in a loop of asyncio's says which in ``LOOP``, and
its ``listen`` and ``connect`` are coroutines without the reactor. A client has a method for each
piece of work, named and described in `benchmarks.rows`; it returns the seconds that took.

Every answer is checked, so nobody is fast by being wrong. TCP_NODELAY is set
for all.

A pool has no server: its file has ``connect()``, of a reactor where it lives in
one, and the methods of the rows of pools. What its workers run is in `jobs`.

A serializer has no server either: its ``connect()`` gives both ends.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    """
    One contestant.

    Attributes:
        title: Its column.
        module: Its file; empty if it is a pool and nothing else.
        needs: What has to be importable for it.
        blocking: The file of its client for a plain script, where that is another.
        pools: The file of its pools.
        values: The file of its server and client where calls have values.
        alone: Whether that one has no server: both ends are one process.
        program: A program that it needs, on the path or in ``.peers/NAME/bin``: an environment of
            its own, where its packages would disagree with the others'.
    """

    title: str
    module: str
    needs: str
    blocking: str = ""
    pools: str = ""
    values: str = ""
    alone: bool = False
    program: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can take part."""
        if self.program and self.where() is None:
            return False
        return importlib.util.find_spec(self.needs) is not None

    def where(self) -> str | None:
        """Return the path of its program; None if it is not installed."""
        own = Path(__file__).resolve().parents[2] / ".peers" / self.program / "bin" / self.program
        return str(own) if own.exists() else shutil.which(self.program)

    def client(self, blocking: bool) -> str:
        """
        Return the file of its client.

        Args:
            blocking: Whether it shall be one for a plain script.
        """
        return (blocking and self.blocking) or self.module


PEERS = {
    "echo": Peer(
        "floor", "benchmarks.peers.floor_echo", "twisted", "benchmarks.peers.floor_pingpong"
    ),
    "whole": Peer("floor", "benchmarks.peers.floor_whole", "twisted"),
    "bare": Peer("floor", "benchmarks.peers.floor_bare", "twisted"),
    "fire": Peer(
        "floor", "benchmarks.peers.floor_fire", "twisted", "benchmarks.peers.floor_pingpong"
    ),
    "lines": Peer(
        "floor", "benchmarks.peers.floor_lines", "twisted", "benchmarks.peers.floor_watchers"
    ),
    "producer": Peer("floor", "benchmarks.peers.floor_producer", "twisted"),
    "prepared": Peer("floor", "benchmarks.peers.floor_prepared", "twisted"),
    "redis": Peer("Redis", "benchmarks.peers.with_redis", "redis"),
    "crossbar": Peer("Crossbar", "benchmarks.peers.with_crossbar", "twisted", program="crossbar"),
    "pickle": Peer("floor", "", "pickle", values="benchmarks.peers.floor_pickle", alone=True),
    "msgspec": Peer("msgspec", "", "msgspec", values="benchmarks.peers.with_msgspec", alone=True),
    "rpyc": Peer(
        "RPyC",
        "benchmarks.peers.with_rpyc",
        "rpyc",
        values="benchmarks.peers.with_rpyc_values",
    ),
    "rpyc-obtain": Peer("RPyC obtain", "", "rpyc", values="benchmarks.peers.with_rpyc_obtain"),
    "pb": Peer("PB", "benchmarks.peers.with_pb", "twisted"),
    "amp": Peer("AMP", "benchmarks.peers.with_amp", "twisted"),
    "foolscap": Peer("foolscap", "benchmarks.peers.with_foolscap", "foolscap"),
    "pyro5": Peer("Pyro5", "benchmarks.peers.with_pyro5", "Pyro5"),
    "manager": Peer("manager", "benchmarks.peers.with_manager", "multiprocessing"),
    "asyncio": Peer("floor", "benchmarks.peers.asyncio_echo", "asyncio"),
    "uvloop": Peer("floor", "benchmarks.peers.asyncio_echo_uvloop", "uvloop"),
    "aio": Peer("txremote.aio", "benchmarks.peers.txr_aio", "txremote"),
    "aio-uvloop": Peer("txremote.aio", "benchmarks.peers.txr_aio_uvloop", "uvloop"),
    "plain": Peer("floor", "", "twisted", pools="benchmarks.peers.txr_pools"),
    "ampoule": Peer("ampoule", "", "ampoule", pools="benchmarks.peers.with_ampoule"),
    "ampoule-kept": Peer("ampoule kept", "", "ampoule", pools="benchmarks.peers.with_ampoule_kept"),
    "futures": Peer("futures", "", "concurrent.futures", pools="benchmarks.peers.with_futures"),
    "pebble": Peer("pebble", "", "pebble", pools="benchmarks.peers.with_pebble"),
    "loky": Peer("loky", "", "loky", pools="benchmarks.peers.with_loky"),
    "joblib": Peer("joblib", "", "joblib", pools="benchmarks.peers.with_joblib"),
    "dask": Peer("dask", "", "distributed", pools="benchmarks.peers.with_dask"),
    "plac": Peer("plac", "", "plac", pools="benchmarks.peers.with_plac"),
    "txremote": Peer(
        "txremote",
        "benchmarks.peers.txr",
        "txremote",
        "benchmarks.peers.txr_blocking",
        "benchmarks.peers.txr_pools",
        "benchmarks.peers.txr_values",
    ),
    "streams": Peer("txremote", "benchmarks.peers.txr_streams", "txremote"),
    "iterated": Peer("async for", "benchmarks.peers.txr_iterated", "txremote"),
    "one-call": Peer("floor", "benchmarks.peers.txr_graph", "txremote"),
    "awaited": Peer("awaited", "benchmarks.peers.txr_graph", "txremote"),
    "graph": Peer("txremote", "benchmarks.peers.txr_graph", "txremote"),
    "one-worker": Peer("1 worker", "benchmarks.peers.txr_workers", "txremote"),
    "workers": Peer("txremote", "benchmarks.peers.txr_workers", "txremote"),
    "topics": Peer("txremote", "benchmarks.peers.txr_topics", "txremote"),
    "observed": Peer("txremote, observed", "benchmarks.peers.txr_observed", "txremote"),
}

#: The file that installs whoever is missing.
REQUIREMENTS = "benchmarks/requirements.txt"
