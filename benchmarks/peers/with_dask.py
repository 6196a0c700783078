"""
Dask's own client, from a plain script; and the cluster that it and txremote's
pool each have.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.peers import jobs, pooling
from benchmarks.peers.work import check

if TYPE_CHECKING:
    from distributed import Client as DaskClient

_COMMON = ("--host", "127.0.0.1", "--no-dashboard")

# A worker that is told to end takes its leave of the scheduler, and waits for that
# if it is gone. So they end with their standard input, as all processes here do.
_PROGRAM = """
import os, runpy, sys, threading

def wait():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=wait, daemon=True).start()
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


class Client:
    """The client."""

    def __init__(self, client: DaskClient, cluster: Cluster) -> None:
        self._client = client
        self._cluster = cluster

    def dask(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        start = perf_counter()
        for _ in range(count):
            self._burst(size)
        return perf_counter() - start

    def _burst(self, size: int) -> None:
        client = self._client
        # not pure, or the second burst would be given the results of the first
        futures = [client.submit(jobs.increment, number, pure=False) for number in range(size)]
        check(sum(client.gather(futures)), size * (size + 1) // 2)


class Cluster:
    """
    A scheduler and `pooling.PROCESSES` workers of one thread each. They end when
    this process does.

    Attributes:
        address: The scheduler's.
    """

    def __init__(self) -> None:
        scheduler = _start("scheduler", "--port", "0", "--no-show", stderr=subprocess.PIPE)
        found = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
        self.address = str(found)
        # what else it says
        threading.Thread(target=deque, args=(scheduler.stderr, 0), daemon=True).start()
        words = (self.address, "--no-nanny", "--nthreads", "1")
        workers = [
            _start("worker", *words, stderr=subprocess.DEVNULL) for _ in range(pooling.PROCESSES)
        ]
        self._processes = [scheduler, *workers]  # with their standard inputs


def _start(command: str, *words: str, stderr: int) -> Any:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, f"distributed.cli.dask_{command}", *_COMMON, *words],
        stdin=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def connect() -> Client:
    """Start a cluster; return its client."""
    from distributed import Client as DaskClient

    cluster = Cluster()
    client = DaskClient(cluster.address, set_as_default=False)
    client.wait_for_workers(pooling.PROCESSES)
    return Client(client, cluster)
