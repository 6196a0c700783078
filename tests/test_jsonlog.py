"""
The log as JSON: an object a line, whatever is in an event.
"""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import ILogObserver, Logger, globalLogPublisher
from twisted.python import log as legacy
from zope.interface.verify import verifyObject

from txremote.jsonlog import event_as_json, observer, observer_to


class Loud:
    """Something that cannot be printed."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.fixture
def written() -> Any:
    """Return what gives all that was logged since the beginning of a test."""
    file = io.StringIO()
    writer = observer_to(file)
    globalLogPublisher.addObserver(writer)
    yield lambda: [json.loads(line) for line in file.getvalue().splitlines()]
    globalLogPublisher.removeObserver(writer)


def test_an_event_is_a_line(written: Any) -> None:
    """With its text, when it was, its level, and its own fields."""
    Logger("txremote.test").warn(
        "{peer} did {what}\nand more",
        peer=IPv4Address("TCP", "127.0.0.1", 5),
        what=["ä", None],
        count=3,
        share=float("nan"),
        nobody=None,
        loud=Loud(),
    )
    [event] = written()
    assert event.pop("time").endswith("+00:00")
    assert event == {
        "level": "warn",
        "namespace": "txremote.test",
        "text": "IPv4Address(type='TCP', host='127.0.0.1', port=5) did ['ä', None]\nand more",
        "peer": "127.0.0.1:5",
        "what": "['ä', None]",
        "count": 3,
        "share": "nan",
        "nobody": None,
        "loud": "<unprintable Loud>",
    }


def test_a_failure_has_its_traceback(written: Any) -> None:
    """As text."""
    try:
        1 / 0  # it raises
    except ZeroDivisionError:
        Logger("txremote.test").failure("it failed")
    [event] = written()
    assert (event["level"], event["text"]) == ("critical", "it failed")
    assert "ZeroDivisionError: division by zero" in event["traceback"]


def test_twisted_s_older_log(written: Any) -> None:
    """Its events are lines as well."""
    legacy.msg("hello", system="-", thing=object())
    [event] = written()
    assert event["text"] == "hello"
    assert set(event) == {"time", "level", "namespace", "text"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (IPv6Address("TCP", "::1", 5), "[::1]:5"),
        (UNIXAddress(b"/run/x.sock"), "unix"),
        (UNIXAddress(None), "unix"),
    ],
)
def test_addresses(address: Any, shown: str) -> None:
    """As short as can be."""
    assert json.loads(event_as_json({"peer": address}))["peer"] == shown


def test_the_observer_of_twistd(capsys: pytest.CaptureFixture[str]) -> None:
    """It writes to standard output, as it is when it is made."""
    made = observer()
    assert verifyObject(ILogObserver, made)
    made({"log_format": "{x}", "x": 1, "log_time": 0.0})
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "time": "1970-01-01T00:00:00+00:00",
        "level": None,
        "namespace": None,
        "text": "1",
        "x": 1,
    }
