"""
The metrics of a monitor: Prometheus' own tools read them, and so do the dashboard and the alerts.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_metrics
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from tests.monitor.watched import Watched, watched
from tests.net.servers import until
from tests.processes import PATIENCE, ROOT
from tests.topics.buses import MemoryBus
from txremote import Service, Topic, exposed
from txremote.monitor.metrics import MonitorCollector, exposition
from txremote.monitor.rows import CertificateRow
from txremote.work import pool_from_string

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1"
ALERTS = ROOT / "docs" / "alerts.yml"
DASHBOARD = ROOT / "docs" / "grafana.json"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing (Debian's package prometheus)"
)


def certificate(file: str, ends: float) -> CertificateRow:
    """Return a certificate that ends in some seconds."""
    now = time.time()
    return CertificateRow(
        server="shop",
        subject="CN=shop",
        issuer="CN=authority",
        not_before=now - 100,
        not_after=now + ends,
        days_left=ends / 86400,
        state="ok",
        file=file,
    )


class Item:
    """An object that clients hold."""


class Shop(Service):
    """A service whose calls end in all ways."""

    @exposed
    def add(self, a: int, b: int) -> int:
        """Add."""
        return a + b

    @exposed
    def divide(self, a: int, b: int) -> float:
        """Divide, or fail."""
        return a / b

    @exposed
    def make(self) -> Item:
        """Give an object."""
        return Item()

    @exposed
    async def ticks(self) -> AsyncIterator[int]:
        """Give a number, and no more for long."""
        yield 1
        await Deferred()

    @exposed
    async def slowly(self) -> None:
        """Take ten milliseconds."""
        await deferLater(reactor, 0.01)

    @exposed
    def wait(self) -> Deferred[None]:
        """Do not end."""
        return Deferred()


@asynccontextmanager
async def at_work(topic_name: str = "news") -> AsyncIterator[Watched]:
    """Give what has had calls that ended well and badly, jobs, tasks, certificates, warnings."""
    async with watched(Shop()) as found:
        monitor = found.monitor
        second = pool_from_string("threads:2", reactor)
        await second.start()
        monitor.watch_pool(second)  # of the same name as the first
        chain = [certificate("shop.pem", 5000), certificate("shop.pem", 9000)]
        monitor.watch_certificates(lambda: chain)
        conn = await found.client()
        for number in range(3):
            assert await conn.root.add(number, 1) == number + 1
        with pytest.raises(ZeroDivisionError):
            await conn.root.divide(1, 0)
        with pytest.raises(AttributeError):
            await conn.root.no_such_method()
        topic = Topic(topic_name, bus=MemoryBus().join)
        topic.subscribe(print, keys="nothing of it")
        for _ in range(2):
            topic.publish("an event")
        topic.missed(3, "the bus was away")
        ticks = aiter(conn.root.ticks())
        await anext(ticks)
        held = await conn.root.make()
        conn.root.wait().addErrback(lambda _lost: None)
        await conn.ping()
        await found.pool.submit(int, "7")
        done, running = found.submit("says hello"), found.submit("forever")
        await until(lambda: done.done and running.status == "RUNNING")
        Logger("txremote.test").critical("something odd")
        yield found
        assert held is not None and topic.name == topic_name
        await ticks.aclose()
        await second.stop()


def pages_of(monitor: Any) -> tuple[str, str]:
    """Return both formats of the metrics."""
    kind, page = exposition(monitor)
    assert kind.startswith("text/plain")
    open_kind, open_page = exposition(monitor, OPEN_METRICS)
    assert open_kind.startswith("application/openmetrics-text")
    return page.decode(), open_page.decode()


def values_in(page: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a page, by name and the values of the labels, in their order."""
    return {
        (sample.name, *(value for _name, value in sorted(sample.labels.items()))): sample.value
        for family in text_metrics(page)
        for sample in family.samples
    }


@needs_promtool
@pytest_twisted.ensureDeferred
async def test_promtool_finds_nothing_wrong_with_the_names() -> None:
    async with at_work() as found:
        page, _open = pages_of(found.monitor)
    checked = promtool("check", "metrics", page=page)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest_twisted.ensureDeferred
async def test_what_happened_is_counted() -> None:
    """Rows of the same labels are added up, but for certificates: the first to expire counts."""
    async with at_work("counted") as found:
        page, open_page = pages_of(found.monitor)
    values = values_in(page)
    expected = {
        ("txremote_ready",): 1,
        ("txremote_healthy",): 1,
        ("txremote_calls_total", "Shop.add"): 3,
        ("txremote_failed_calls_total", "Shop.add"): 0,
        ("txremote_failed_calls_total", "Shop.divide"): 1,
        ("txremote_failed_calls_total", "other"): 1,
        ("txremote_running_calls",): 2,
        ("txremote_streams", "sent"): 1,
        ("txremote_streams", "read"): 0,
        ("txremote_topic_subscribers", "counted"): 1,
        ("txremote_topic_lagging_subscribers", "counted"): 0,
        ("txremote_topic_buffered_events", "counted"): 0,
        ("txremote_topic_bus_joined", "counted"): 1,
        ("txremote_topic_published_events_total", "counted"): 2,
        ("txremote_topic_delivered_events_total", "counted"): 0,
        ("txremote_topic_dropped_events_total", "counted"): 0,
        ("txremote_topic_missed_events_total", "counted"): 3,
        ("txremote_slow_calls_total",): 0,
        ("txremote_connections", "shop"): 1,
        ("txremote_refused_connections_total", "shop"): 0,
        ("txremote_exported_objects", f"{Item.__module__}.Item"): 1,
        ("txremote_pool_workers", "threads:2"): 4,
        ("txremote_pool_jobs_total", "done", "threads:2"): 1,
        ("txremote_pool_jobs_total", "failed", "threads:2"): 0,
        ("txremote_pool_worker_restarts_total", "threads:2"): 0,
        ("txremote_tasks", "desk", "FINISHED"): 1,
        ("txremote_tasks", "desk", "RUNNING"): 1,
        ("txremote_log_messages_total", "critical"): 1,
        ("txremote_log_messages_total", "error"): 0,
    }
    assert {name: values.get(name) for name in expected} == expected
    first = values["txremote_certificate_expiry_timestamp_seconds", "shop.pem", "shop"]
    assert 4000 < first - time.time() < 5000
    lasted = {name: value for name, value in values.items() if "_duration_" in name[0]}
    counts = [value for name, value in lasted.items() if name[0].endswith("_bucket")]
    assert counts == sorted(counts)
    ended = sum(value for name, value in values.items() if name[0] == "txremote_calls_total")
    assert counts[-1] == lasted["txremote_call_duration_seconds_count",] == ended
    assert values["process_resident_memory_bytes",] > 1e6
    # both formats tell the same of what does not change
    names = {s.name for family in open_metrics(open_page) for s in family.samples}
    assert names == {name[0] for name in values}


@pytest_twisted.ensureDeferred
async def test_slow_calls_are_exemplars() -> None:
    """The slowest of each bucket, with its method, in as many characters as the format allows."""
    async with watched() as found:
        stats = found.monitor.stats
        for method, seconds in (("a" * 200, 0.4), ("slower", 0.5), ("slow", 0.3), ("longest", 500)):
            stats.note_slow(method, "ann", "127.0.0.1:5", seconds, "value")
        _page, page = pages_of(found.monitor)
        stats.note_slow("b" * 200, "ann", "127.0.0.1:5", 0.1, "value")
        long = pages_of(found.monitor)[1]
    exemplars = [
        (float(sample.labels["le"]), sample.exemplar.labels["method"], sample.exemplar.value)
        for family in open_metrics(page)
        for sample in family.samples
        if sample.exemplar
    ]
    assert exemplars == [(2**29 / 1e9, "slower", 0.5)]
    assert "b" * 122 + '"' in long


@pytest_twisted.ensureDeferred
async def test_the_exemplar_of_a_call_that_is_traced_leads_to_its_trace() -> None:
    pytest.importorskip("opentelemetry.sdk")
    recorded = import_module("tests.tracing.recorded")
    with recorded.recording() as recorder:
        async with watched(Shop()) as found:
            await (await found.client()).root.slowly()
            _page, page = pages_of(found.monitor)
    found_in = [
        sample.exemplar.labels
        for family in open_metrics(page)
        for sample in family.samples
        if sample.exemplar and sample.exemplar.labels["method"] == "Shop.slowly"
    ]
    traces = {f"{span.context.trace_id:032x}" for span in recorder.spans}
    assert [labels["trace_id"] in traces for labels in found_in] == [True]


@pytest_twisted.ensureDeferred
async def test_a_registry_of_the_program_can_have_them_too() -> None:
    async with watched() as found:
        registry = CollectorRegistry()
        registry.register(MonitorCollector(found.monitor))
        assert registry.get_sample_value("txremote_ready") == 1


def expressions() -> Iterator[str]:
    """Give the expressions of the alert rules and of the dashboard."""
    found = re.findall(r"expr: (\|\n(?: {10,}.*\n)+|.*)", ALERTS.read_text())
    assert len(found) == ALERTS.read_text().count("alert:")
    yield from found
    board = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


@pytest_twisted.ensureDeferred
async def test_the_dashboard_and_the_alerts_use_metrics_that_exist() -> None:
    async with at_work() as found:
        page, _open = pages_of(found.monitor)
    known = {name[0] for name in values_in(page)}
    name = re.compile(r"(?:txremote|process)_\w+")
    used = {word for each in expressions() for word in name.findall(each)}
    assert len(used) > 20
    assert used <= known
    listed = (ROOT / "docs" / "operating_metrics.rst").read_text()
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in known}
    assert [name for name in sorted(families) if f"``{name}``" not in listed] == []


def test_each_alert_is_explained() -> None:
    listed = (ROOT / "docs" / "operating_metrics.rst").read_text()
    names = re.findall(r"alert: (\w+)", ALERTS.read_text())
    assert [name for name in names if f"\n``{name}``\n    " not in listed] == []


@needs_promtool
def test_each_alert_fires_for_a_server_in_trouble_and_for_no_other() -> None:
    """The file beside this one has the figures of two servers for three hours."""
    checked = promtool("check", "rules", ALERTS)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    table = Path(__file__).with_name("alerts_test.yml")
    tested = promtool("test", "rules", table)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    names = re.findall(r"alert: (\w+)", ALERTS.read_text())
    assert names == re.findall(r"alertname: (\w+)", table.read_text())


def promtool(*words: object, page: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    command = ["promtool", *map(str, words)]
    return subprocess.run(
        command, input=page, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
