"""
Telling systemd how the server is, as ``sd_notify`` does: for units of ``Type=notify``.

systemd names a datagram socket in ``NOTIFY_SOCKET``; without one nothing here does anything. A
`SystemdNotifier` compares, now and then, how things are with what systemd was told last, and
sends the difference as one datagram:

* ``READY=1`` when the monitor says ready, which is when all ports listen, with ``MAINPID``:
  twistd without ``-n`` is a child of the process that systemd started;
* ``STATUS=``, a sentence for ``systemctl status``;
* ``WATCHDOG=1``, twice in the time that ``WATCHDOG_USEC`` gives, as long as the monitor says
  healthy. A loop that is stuck sends nothing at all, and so systemd ends the process;
* ``STOPPING=1`` when the server begins to stop.

A socket that is full is never waited for: what systemd was not told is told the next time.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final, Protocol

from twisted.application.service import Service as TwistedService
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.levels import Logger
from txremote.monitor.rows import Health, Overview
from txremote.refs.clock import Reactor, steady

_log = Logger("txremote")

#: Seconds between two looks: until all ports listen, and then, without a watchdog.
STARTING: Final = 0.1
REPORTING: Final = 10.0


class Watched(Protocol):
    """The part of a `Monitor` that is asked."""

    def overview(self) -> Overview:
        """Return how the server is, in figures."""

    def health(self) -> Health:
        """Return whether it is healthy, and ready."""


class SystemdNotifier(TwistedService):
    """
    Tells systemd about one server; nothing where systemd did not start it. In the reactor's thread.

    It is made before twistd makes a child of itself, which ``WATCHDOG_PID`` knows nothing of.

    Args:
        monitor: Tells how the server is.
        reactor: The reactor.
        environ: The environment of the process.

    Attributes:
        address: The socket: a path, or ``@NAME`` in the abstract namespace; "" for none.
        watchdog: Seconds after which systemd ends a service that was not heard of; 0 for never.
    """

    name = "systemd"

    def __init__(
        self, monitor: Watched, reactor: Reactor, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.address = _address_of(environ)
        self.watchdog = _watchdog_of(environ)
        self._monitor = monitor
        self._clock: IReactorTime = steady(reactor)
        self._timer: IDelayedCall | None = None
        self._stopping = False
        self._told: set[str] = set()  # of what is told once
        self._told_status = ""
        self._unhealthy: tuple[str, ...] = ()
        self._fails = False

    def startService(self) -> None:
        """Begin to tell."""
        super().startService()  # type: ignore[no-untyped-call]
        if self.address:
            self._look()

    def stopping(self) -> None:
        """Tell that the server begins to stop; the watchdog is kept quiet until `stopService`."""
        self._stopping = True
        if self.address:
            self._tell(self._news())

    def stopService(self) -> None:
        """Tell nothing any more."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _look(self) -> None:
        self._tell(self._news())
        wait = min(self.watchdog / 2 or REPORTING, REPORTING if self._told else STARTING)
        self._timer = self._clock.callLater(wait, self._look)

    def _news(self) -> list[str]:
        """Return the lines that systemd does not know yet."""
        health = self._monitor.health()
        lines = []
        if health.ready and "READY=1" not in self._told and not self._stopping:
            lines += ["READY=1", f"MAINPID={os.getpid()}"]
        if self._stopping and "STOPPING=1" not in self._told:
            lines.append("STOPPING=1")
        status = status_of(self._monitor.overview(), health, self._stopping)
        if status != self._told_status:
            lines.append(f"STATUS={status}")
        if self.watchdog and self._is_well(health):
            lines.append("WATCHDOG=1")
        return lines

    def _is_well(self, health: Health) -> bool:
        reasons = () if health.healthy else health.reasons
        if reasons and not self._unhealthy:
            _log.warn(
                "systemd is not told that all is well, and may end the server: {reasons}",
                reasons="; ".join(reasons),
            )
        self._unhealthy = reasons
        return health.healthy

    def _tell(self, lines: list[str]) -> None:
        if not lines or not self._send("\n".join(lines).encode()):
            return
        for line in lines:
            name, _equals, value = line.partition("=")
            if name == "STATUS":
                self._told_status = value
            elif name in ("READY", "STOPPING"):
                self._told.add(line)

    def _send(self, datagram: bytes) -> bool:
        """Send a datagram, or return False: not now, or not at all, which is logged once."""
        where = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(datagram, where)
        except BlockingIOError:
            return False
        except OSError as problem:
            if not self._fails:
                _log.warn(
                    "systemd cannot be told how the server is ($NOTIFY_SOCKET, {where}): {why}",
                    where=self.address,
                    why=problem.strerror or problem,
                )
            self._fails = True
            return False
        return True


def status_of(overview: Overview, health: Health, stopping: bool) -> str:
    """Return the sentence that ``systemctl status`` shows."""
    calls = _counted(overview.calls_running, "call")
    if stopping:
        return f"Stopping: {calls} under way"
    if not health.healthy:
        return f"Not healthy: {'; '.join(health.reasons)}".replace("\n", " ")
    if not health.ready:
        return f"Not ready: {'; '.join(health.reasons)}".replace("\n", " ")
    return f"Serving: {_counted(overview.connections, 'connection')}, {calls} under way"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _address_of(environ: Mapping[str, str]) -> str:
    address = environ.get("NOTIFY_SOCKET", "")
    if address and address[0] not in "/@":
        _log.warn("$NOTIFY_SOCKET is neither a path nor @NAME, and is not used: {it}", it=address)
        return ""
    return address


def _watchdog_of(environ: Mapping[str, str]) -> float:
    """Return the seconds of the watchdog, 0 if there is none for this process."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    return int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0
