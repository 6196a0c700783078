"""
loky, the executor of joblib, from a plain script.
"""

from __future__ import annotations

from functools import partial

from loky import ProcessPoolExecutor

from benchmarks.peers.with_futures import Client


def connect() -> Client:
    """Return the pool; it starts with the first job. Its workers stay."""
    return Client(partial(ProcessPoolExecutor, timeout=None))
