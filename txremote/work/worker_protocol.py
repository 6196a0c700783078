"""
How a pool treats its worker processes, and the configuration of both as peers. The numbers that
they agree on are in `txremote.work.plainphase`.

They are halves of one program, so versions need not be compatible.
"""

from __future__ import annotations

from dataclasses import dataclass

from txremote.config import ProgramConfig
from txremote.work.plainphase import PART

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
