"""A service for twistd, whose method calls back and has a job done. Not a test file."""

from __future__ import annotations

from typing import Any

from tests.tracing.seen import Seen, seen
from txremote import Service, exposed, run_async


class Hosted(Service):
    """Does both."""

    @exposed
    async def both(self, function: Any) -> Seen:
        """Call the caller, and have a pool's process tell what it sees."""
        await function(1)
        found: Seen = await run_async(seen)
        return found
