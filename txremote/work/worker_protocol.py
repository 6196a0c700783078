"""
The numbers and switches that a pool and its worker processes agree on.

They are halves of one program, so versions need not be compatible.
"""

from __future__ import annotations

from dataclasses import dataclass

from txremote.config import ProgramConfig

#: The descriptors that a worker inherits, beside the standard ones. The last two are files of
#: shared memory, for large jobs and for large results, or no regular files where there are none.
REQUESTS, ANSWERS, TICKETS, LARGE_JOBS, LARGE_RESULTS = 3, 4, 5, 6, 7

#: The environment variable that tells a worker its parent's `sys.path`.
PATH_VARIABLE = "TXREMOTE_PATH"

#: The number of the job that sets up a worker: before all others.
INITIALIZER = 0

#: The first item of a reply to a job.
DONE, FAILED, DROPPED = 1, 0, -1

#: A value larger than this travels in parts of this size, in bytes: a frame of the
#: wire has a 32-bit length.
PART = 1 << 30

#: The configuration of both ends: nothing is too large, and nothing times out.
CONFIG = ProgramConfig.unbounded(
    allow_public_attrs=True,
    allow_setattr=True,
    allow_delattr=True,
    compress=False,
    log_exceptions=False,
    instantiate_custom_exceptions=True,
    import_custom_exceptions=True,
)


@dataclass(frozen=True)
class WorkerLimits:
    """How a worker is treated."""

    grace: float = 2.0  # seconds from TERM to KILL
    part: int = PART  # bytes
    start: float = 60.0  # seconds that it has to come up, its initializer included
    imports: float = 60.0  # seconds that a job with a time-out has to be loaded before it begins
