"""All that twistd runs stops in order, once, whoever asks for it."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from txremote.daemon.stopping import StoppedInOrder


class Part:
    """Notes what is done to it."""

    def __init__(self, name: str, told: list[str]) -> None:
        self._name = name
        self._told = told

    def __getattr__(self, what: str) -> Any:
        def noted() -> Deferred[None]:
            self._told.append(f"{self._name}.{what}")
            return succeed(None)

        return noted


class Reactor:
    """Keeps what is to be done before it stops."""

    trigger: Any = None

    def addSystemEventTrigger(self, _phase: str, _event: str, function: Any) -> int:
        self.trigger = function
        return 5

    def removeSystemEventTrigger(self, trigger: int) -> None:
        assert trigger == 5
        self.trigger = None


class Stopped(StoppedInOrder):
    """Serves until its part has ended."""

    def __init__(self, reactor: Any, told: list[str]) -> None:
        super().__init__(reactor)
        parts: dict[str, Any] = {name: Part(name, told) for name in ("monitor", "systemd", "site")}
        self.monitor, self._systemd = parts["monitor"], parts["systemd"]
        self._sites, registered = [parts["site"]], Part("registry", told)
        self._registering = [registered]  # type: ignore[list-item]
        self.ending: Deferred[None] = Deferred()
        self.running = True

    async def _stop_parts(self) -> None:
        await self.ending


@pytest.mark.parametrize("by_reactor", [False, True])
def test_strangers_are_told_first_and_operators_see_it_to_the_end(by_reactor: bool) -> None:
    told: list[str] = []
    reactor = Reactor()
    service = Stopped(reactor, told)
    before = signal.getsignal(signal.SIGTERM)
    service._handlers[signal.SIGTERM] = before
    service._stop_before_reactor()
    stopped: list[str] = []
    for stop in (reactor.trigger if by_reactor else service.stopService, service.stopService):
        stop().addCallback(lambda _none: stopped.append("stopped"))
    assert told == ["monitor.note_draining", "systemd.stopping", "registry.leave"]
    assert by_reactor or reactor.trigger is None
    assert not stopped
    service.ending.callback(None)
    assert told[3:] == [
        *("systemd.stopService", "registry.stopService", "site.stopService"),
        "monitor.stopService",
    ]
    assert stopped == ["stopped"] * 2
    assert signal.getsignal(signal.SIGTERM) is before
