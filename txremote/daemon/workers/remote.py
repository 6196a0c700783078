"""
`SupervisorsMonitor`: the monitor of the supervisor, for operators who are connected to a worker.

They see and do what operators of a server without workers do: it concerns all workers.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from txremote.daemon.workers.control import ControlOfSupervisor


class SupervisorsMonitor:
    """Asks the supervisor (`txremote.monitor.operating.Asked`). For the reactor's thread."""

    def __init__(self) -> None:
        self._control: ControlOfSupervisor | None = None

    def connect(self, control: ControlOfSupervisor) -> None:
        """Ask over this connection from now on."""
        self._control = control

    def refresh(self) -> Deferred[None] | None:
        """Return nothing: the supervisor does that when it is asked."""
        return None

    def ask(self, name: str, *arguments: Any) -> object:
        """Return a Deferred of what the supervisor's monitor answers, as JSON has it."""
        assert self._control is not None
        return self._control.ask(name, *arguments)
