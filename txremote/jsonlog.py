"""
``twistd --logger txremote.jsonlog.observer``: the log on standard output, as JSON.

Twisted's own JSON observer writes whole events, of whose values JSON knows few. Here each event
is one line, with its text and its own fields as they would be printed: a ``peer`` is
``127.0.0.1:40318``.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TextIO

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import FileLogObserver, ILogObserver, LogEvent, formatEvent

from txremote.peer.naming import address_text

_PLAIN = (str, int, float, bool, type(None))
_LONGEST = 10_000  # characters of a value that had to be made a text


def observer() -> ILogObserver:
    """Return the observer that twistd asks for: to standard output."""
    return observer_to(sys.stdout)


def observer_to(file: TextIO) -> ILogObserver:
    """Return an observer that writes to a file, flushed after each event."""
    return FileLogObserver(file, event_as_json)


def event_as_json(event: LogEvent) -> str:
    """Return an event as one line of JSON, with its line end."""
    failure = event.get("log_failure")
    level = event.get("log_level")
    fields: dict[str, object] = {
        "time": datetime.fromtimestamp(event.get("log_time", 0.0), UTC).isoformat(),
        "level": level.name if level is not None else None,
        "namespace": event.get("log_namespace"),
        "text": formatEvent(event),
    }
    if failure is not None:
        fields["traceback"] = failure.getTraceback()
    if "isError" not in event:  # else it is from Twisted's older log, without fields of its own
        for name, value in event.items():
            if not name.startswith("log_") and name not in fields:
                fields[name] = _json_of(value)
    return json.dumps(fields) + "\n"


def _json_of(value: object) -> object:
    """Return a field's value as JSON can have it."""
    if isinstance(value, float) and value - value != 0:  # JSON has no such number
        return str(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (IPv4Address, IPv6Address, UNIXAddress)):
        return address_text(value)
    try:
        return str(value)[:_LONGEST]
    except Exception:  # any code can be behind __str__
        return f"<unprintable {type(value).__name__}>"
