"""
The log of a worker, as its supervisor writes it.
"""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher, textFileLogObserver
from twisted.python.failure import Failure

from txremote.daemon.workers.relay import MOST, Relay, line_of, write_line
from txremote.daemon.workers.reports import LogLine
from txremote.jsonlog import observer_to
from txremote.monitor.recentlog import RecentLog


class Supervisor:
    """Takes lines, when it is told to."""

    def __init__(self) -> None:
        self.taken: list[LogLine] = []
        self.waiting: list[Deferred[None]] = []

    def log(self, lines: list[LogLine]) -> Deferred[None]:
        """Take lines."""
        self.taken += lines
        self.waiting.append(Deferred())
        return self.waiting[-1]


class Loop(Clock):
    """A clock that runs what other threads say at once."""

    def callFromThread(self, call: Any, *args: Any) -> None:
        """Run it."""
        call(*args)


def event(text: str, **fields: object) -> dict[str, Any]:
    """Return an event of the log."""
    return {"log_format": text, "log_level": LogLevel.warn, "log_namespace": "txremote", **fields}


def test_an_event_keeps_its_text_its_level_and_its_plain_fields() -> None:
    """Objects are in the text alone; addresses are as they are written."""
    peer = IPv4Address("TCP", "127.0.0.1", 5)
    try:
        raise KeyError("gone")
    except KeyError:
        failure = Failure()
    line = line_of(event("{what} of {peer}", what=3, peer=peer, log_failure=failure, it=object()))
    assert line.text.startswith("3 of ") and "gone" not in line.text
    assert line.error == "'gone'" and line.traceback == failure.getTraceback()
    assert line.level == "warn" and line.namespace == "txremote"
    assert line.fields == {"what": 3, "peer": "127.0.0.1:5"}


def test_whatever_is_logged_can_be_sent() -> None:
    """Odd names of files, and texts that would make a message longer than one may be."""
    loop, supervisor = Loop(), Supervisor()
    relay = Relay(loop)  # type: ignore[arg-type]
    relay.begin(supervisor)  # type: ignore[arg-type]
    relay(event("{name}", name="caf\udce9"))
    for _ in range(100):
        relay(event("{it}", it="\0" * 1_000_000))
    sizes = []
    for _ in range(20):
        taken = len(supervisor.taken)
        loop.advance(1)
        sizes.append(len(msgspec.json.encode(supervisor.taken[taken:])))
        while supervisor.waiting:
            supervisor.waiting.pop().callback(None)
    assert supervisor.taken[0].text == "caf\\udce9"
    assert len(supervisor.taken) == 101
    assert max(sizes) < 10_000_000


def test_lines_go_together_one_batch_at_a_time_and_too_many_are_counted() -> None:
    """A supervisor that does not take them costs a bounded memory."""
    loop, supervisor = Loop(), Supervisor()
    relay = Relay(loop)  # type: ignore[arg-type]
    relay(event("early"))
    relay.begin(supervisor)  # type: ignore[arg-type]
    relay(event("soon"))
    loop.advance(1)
    assert [each.text for each in supervisor.taken] == ["early", "soon"]
    for number in range(MOST + 3):
        relay(event("{n}", n=number))
    loop.advance(1)
    assert len(supervisor.waiting) == 1
    while supervisor.waiting:
        supervisor.waiting.pop().callback(None)
        loop.advance(1)
    texts = [each.text for each in supervisor.taken]
    assert "3 lines of the log are lost: there were too many at once" in texts
    assert len(texts) == 2 + MOST + 1


def test_all_is_sent_before_a_worker_ends() -> None:
    """Also what waits behind a batch that is under way."""
    loop, supervisor = Loop(), Supervisor()
    relay = Relay(loop)  # type: ignore[arg-type]
    relay.begin(supervisor)  # type: ignore[arg-type]
    relay(event("one"))
    loop.advance(1)
    relay(event("two"))
    flushed = Deferred.fromCoroutine(relay.flush())
    supervisor.waiting.pop().callback(None)
    supervisor.waiting.pop().callback(None)
    assert flushed.called
    assert [each.text for each in supervisor.taken] == ["one", "two"]
    assert not loop.getDelayedCalls()


def test_a_line_is_written_with_the_workers_number() -> None:
    """In the text, and as a field."""
    events: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(events.append)
    try:
        write_line(2, LogLine(1.5, "error", "txremote.call", "it {failed}", {"n": 1}))
    finally:
        globalLogPublisher.removeObserver(events.append)
    (found,) = events
    assert formatEvent(found) == "worker 2: it {failed}"
    assert (found["worker"], found["n"], found["log_time"]) == (2, 1, 1.5)
    assert found["log_level"] is LogLevel.error and found["log_namespace"] == "txremote.call"
    assert "log_failure" not in found


def test_a_failure_of_a_worker_is_one_for_all_observers_of_the_log() -> None:
    """The page's log and the metrics count it, JSON has its traceback, and so has a file."""
    recent, written = RecentLog(), io.StringIO()
    observers = [recent, observer_to(written), textFileLogObserver(written)]
    broken = event("it broke", log_failure=Failure(KeyError("gone")), log_namespace="shop")
    told = line_of({**broken, "log_system": "a system"})
    for each in observers:
        globalLogPublisher.addObserver(each)
    try:
        write_line(2, told)
    finally:
        for each in observers:
            globalLogPublisher.removeObserver(each)
    assert [row.text for row in recent.rows()] == ["worker 2: it broke: 'gone'"]
    as_json, *as_text = written.getvalue().splitlines()
    found = json.loads(as_json)
    assert (found["text"], found["worker"]) == ("worker 2: it broke", 2)
    assert found["traceback"] == told.traceback and "KeyError" in told.traceback
    assert "KeyError: 'gone'" in "".join(as_text) and "[a system] worker 2: it " in as_text[0]
