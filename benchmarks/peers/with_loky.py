"""
loky, the executor of joblib, from a plain script.
"""

from __future__ import annotations

from loky import ProcessPoolExecutor

from benchmarks.peers import pooling
from benchmarks.peers.with_futures import Client


def connect() -> Client:
    """Return the pool; it starts with the first job. Its workers stay."""
    return Client(ProcessPoolExecutor(pooling.PROCESSES, timeout=None))
