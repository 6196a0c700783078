"""
Whether the process works, and whether it should be sent clients.

The event loop's heart beats by a timer. Everything else here only reads plain attributes, so a
thread may ask while the loop is stuck, which is when it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from txremote.monitor.rows import Health, ServingState
from txremote.net.server_service import ServerService

#: Seconds without a turn after which the event loop counts as stuck.
STUCK_AFTER: Final = 5.0


class Heart:
    """The beats of the event loop: `beat` is called in its thread, the rest may be in any."""

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._last: float | None = None

    def beat(self) -> None:
        """Note that the loop turns."""
        self._last = self._seconds()

    def stop(self) -> None:
        """Expect no more beats."""
        self._last = None

    @property
    def silent_for(self) -> float:
        """Seconds since the last beat; 0 where none is expected."""
        last = self._last
        return 0.0 if last is None else max(0.0, self._seconds() - last)


def state_of(
    running: bool, begun: bool, stopping: bool, servers: Mapping[str, ServerService]
) -> ServingState:
    """
    Return the state of a process: from all its servers. Any thread.

    Args:
        running: Whether the monitor runs.
        begun: Whether it has ever run.
        stopping: Whether the process has begun to stop.
    """
    if begun and not running:
        return "stopped"
    found = list(servers.values())
    if stopping or any(server.stopping for server in found):
        return "draining"
    return "serving" if running and all(server.ports for server in found) else "starting"


def health_of(state: ServingState, heart: Heart, servers: Mapping[str, ServerService]) -> Health:
    """Return the health of a process in a state. Any thread."""
    reasons = []
    silent = heart.silent_for
    healthy = silent < STUCK_AFTER
    if not healthy:
        reasons.append(f"the event loop has not turned for {silent:.0f} s")
    if state == "draining":
        reasons.append("the server is stopping")
    elif state == "stopped":
        reasons.append("the server has stopped")
    elif state == "starting":
        silent_ones = [name for name, server in list(servers.items()) if not server.ports]
        reasons.append(f"it does not listen yet: {', '.join(silent_ones) or 'it is starting'}")
    return Health(healthy=healthy, ready=healthy and state == "serving", reasons=tuple(reasons))
