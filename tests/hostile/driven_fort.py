"""
The fort, in a process in which txremote goes by the driver that the tests try.

Not a test file: `benchmarks.child` runs it. The reactor is installed before `benchmarks.child`
imports one.
"""

from __future__ import annotations

import os

from tests import drivers

drivers.install(os.environ[drivers.DRIVER])

from benchmarks.peers.fort import (  # noqa: E402  # what it imports imports the reactor
    REACTOR,
    begin_peak,
    blobs,
    jobs,
    listen,
    peak,
    state,
    trouble,
    version,
)

__all__ = [
    "REACTOR",
    "begin_peak",
    "blobs",
    "jobs",
    "listen",
    "peak",
    "state",
    "trouble",
    "version",
]
