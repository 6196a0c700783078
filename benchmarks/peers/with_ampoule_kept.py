"""
ampoule, told to keep its processes.
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers import with_ampoule

REACTOR = True


async def connect(reactor: Any) -> with_ampoule.Client:
    """Start the pool."""
    return await with_ampoule.connect(reactor, recycleAfter=0)
