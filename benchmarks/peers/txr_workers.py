"""
``twistd txremote --workers N``, and the service that the workers have.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable

from txremote import Service, exposed

_TWISTD = "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"


class Bench(Service):
    """The service."""

    @exposed
    def compute(self, seconds: float) -> int:
        """Compute for some seconds of the processor, and return the number of the process."""
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return os.getpid()


def serve(ready: Callable[[int], object], workers: int) -> None:
    """Have so many workers serve, and tell the port."""
    options = ["--service", "benchmarks.peers.txr_workers.Bench", "--workers", str(workers)]
    options += ["--listen", "tcp:0:interface=127.0.0.1"]
    server = subprocess.Popen(
        [sys.executable, "-c", _TWISTD, "-n", "--pidfile=", "txremote", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    port, serving = 0, 0
    for line in server.stdout:
        print(line, end="")
        if found := re.search(r"workers serve on 127.0.0.1:(\d+)", line):
            port = int(found[1])
        serving += re.search(r"worker \d+ \(process \d+\) serves$", line.rstrip()) is not None
        if port and serving == workers:
            ready(port)
            port = 0  # it is told once
