"""
``twistd --logger txremote.daemon.jsonlog.observer``: the log as JSON, an object a line.

Twisted's own JSON observer writes whole events, most of whose values JSON does not
know: of an address it says that it cannot be written. Here each event has what it
says as text, and its own fields as they would be printed::

    {"time": "2026-11-21T10:12:01.250312+00:00", "level": "info",
     "namespace": "txremote.connection",
     "text": "IPv4Address(type='TCP', host='127.0.0.1', port=40318) has gone after ...",
     "peer": "127.0.0.1:40318", "seconds": 3.1, "requests": 12, "why": "..."}

It goes to standard output, from where systemd and containers take it.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import FileLogObserver, ILogObserver, LogEvent, formatEvent

_PLAIN = (str, int, float, bool, type(None))
_LONGEST = 10_000  # characters of what is no text to begin with


def observer() -> ILogObserver:
    """Return the observer that twistd asks for: to standard output."""
    return observer_to(sys.stdout)


def observer_to(file: Any) -> ILogObserver:
    """
    Return an observer that writes to a file, flushed after each event.

    Args:
        file: Takes str.
    """
    return FileLogObserver(file, event_as_json)


def event_as_json(event: LogEvent) -> str:
    """Return an event as one line of JSON, with its line end."""
    failure = event.get("log_failure")
    level = event.get("log_level")
    told = {
        "time": datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(),
        "level": level.name if level is not None else None,
        "namespace": event.get("log_namespace"),
        "text": formatEvent(event),
    }
    if failure is not None:
        told["traceback"] = failure.getTraceback()
    if "isError" not in event:  # else it is of Twisted's older log, and has no own fields
        for name, value in event.items():
            if not name.startswith("log_") and name not in told:
                told[name] = _shown(value)
    return json.dumps(told) + "\n"


def _shown(value: Any) -> Any:
    """Return a field's value as JSON can have it."""
    if isinstance(value, float) and value - value != 0:  # no number of JSON's
        return str(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (IPv4Address, IPv6Address)):
        return f"{value.host}:{value.port}"
    if isinstance(value, UNIXAddress):
        return "unix"
    try:
        return str(value)[:_LONGEST]
    except Exception:  # any code can be behind __str__
        return f"<unprintable {type(value).__name__}>"
