"""
What the workers of a pool run. It is imported in each of them, so it is small.

``python -m benchmarks.peers.jobs COUNT`` burns that many jobs, without a pool.
"""

from __future__ import annotations

import sys
import time

#: Seconds of processor time that `burn` takes.
BURN = 0.003

#: Seconds that `doze` takes.
DOZE = 0.01


def increment(number: int) -> int:
    """Add one: a job that is nothing but what the pool makes of it."""
    return number + 1


def same(value: object) -> object:
    """Return what it is given."""
    return value


def burn(number: int) -> int:
    """Keep a processor, and its interpreter, busy for `BURN`. Add one."""
    end = time.process_time() + BURN
    while time.process_time() < end:
        continue
    return number + 1


def doze(number: int) -> int:
    """Wait for `DOZE`, as code does that asks a database. Add one."""
    time.sleep(DOZE)
    return number + 1


if __name__ == "__main__":
    for job in range(int(sys.argv[1])):
        burn(job)
