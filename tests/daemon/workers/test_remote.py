"""
The supervisor's monitor, as operators reach it through a worker. How questions travel is in
``test_control.py``, and real operators are in ``test_rolling.py``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from txremote.daemon.workers.remote import SupervisorsMonitor


class Control:
    """Notes what is asked."""

    def ask(self, name: str, *arguments: Any) -> Deferred[Any]:
        """Answer with the question."""
        return succeed((name, arguments))


def test_a_question_goes_to_the_supervisor_as_it_is() -> None:
    """With who asks, where something is to be changed."""
    monitor = SupervisorsMonitor()
    monitor.connect(Control())  # type: ignore[arg-type]
    asked: Any = monitor.ask("kill_task", "console", 3, "ann")
    assert asked.result == ("kill_task", ("console", 3, "ann"))
