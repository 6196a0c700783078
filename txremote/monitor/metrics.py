"""
The figures of a `Monitor` as Prometheus reads them: ``/metrics``.

`exposition` asks the monitor each time, in a registry of its own: nothing is counted twice, no
thread collects, and prometheus_client's own collectors of the process stay out. A client that
takes OpenMetrics gets it, with exemplars: the slowest calls beside the buckets that they fell into.

Labels come from the configuration (servers, pools, consoles, files of certificates), or from the
tables of the monitor that are bounded (methods, classes, topics): never from peers or users. Rows
that have the same labels are added up, since Prometheus refuses a page with two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from txremote.monitor.callstats import seconds_of
from txremote.monitor.monitor import Monitor
from txremote.monitor.rows import Overview, SlowCall
from txremote.monitor.topics import OTHERS
from txremote.versions import code_text

try:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import (
        CounterMetricFamily,
        Exemplar,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
        Metric,
    )
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector
except ImportError as problem:
    raise ImportError(
        f"metrics need prometheus_client: pip install 'txremote[admin]' ({problem})"
    ) from None

# Buckets of the histogram end at these of the monitor's: an octave each, 16 microseconds to 2.3 min
_OCTAVES: Final = range(14, 38)

# OpenMetrics' limit for the labels of an exemplar, their names included
_LONGEST_EXEMPLAR: Final = 128

# the loop's lag is the worst of so many points of the monitor's series
_POINTS: Final = 3


def exposition(monitor: Monitor, accept: str = "") -> tuple[str, bytes]:
    """
    Return a page of metrics. In the reactor's thread.

    Args:
        monitor: The one whose figures are told.
        accept: The ``Accept`` header of the request, "" where there is none.

    Returns:
        The page's content type, and the page.
    """
    registry = CollectorRegistry()
    registry.register(MonitorCollector(monitor))
    encoder, content_type = choose_encoder(accept)
    return content_type, encoder(registry)


class MonitorCollector(Collector):
    """Collects the metrics of a monitor, for a registry of a program's own too."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering it collects nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give all metrics, as they are now."""
        overview = self._monitor.overview()
        yield from _process(overview)
        yield from self._state(overview)
        yield from self._calls(overview)
        yield from self._connections()
        yield from self._topics()
        yield from self._pools()
        yield from self._rest()

    def _state(self, overview: Overview) -> Iterator[Metric]:
        monitor = self._monitor
        health = monitor.health()
        yield InfoMetricFamily(
            "txremote_build",
            "Versions of this server.",
            {
                "version": overview.version,
                "python": overview.python,
                "build": overview.build,
                "code": code_text(),
            },
        )
        text = "Whether the server works (1), or its event loop is stuck (0)."
        yield GaugeMetricFamily("txremote_healthy", text, health.healthy)
        text = "Whether the server should be sent clients (1), or starts or stops (0)."
        yield GaugeMetricFamily("txremote_ready", text, health.ready)
        if overview.workers:
            text = "Workers that serve (option --workers)."
            yield GaugeMetricFamily("txremote_workers", text, overview.workers)
        lags = monitor.series().columns["loop_lag"][-_POINTS:]
        lag = max([overview.loop_lag, *(each for each in lags if each is not None)])
        text = "How late the event loop was, at worst, in the last 15 seconds."
        yield GaugeMetricFamily("txremote_event_loop_lag_seconds", text, lag)

    def _calls(self, overview: Overview) -> Iterator[Metric]:
        monitor = self._monitor
        methods = list(monitor.stats.totals())
        yield _counter(
            "txremote_calls",
            "Calls that have ended, by method; an estimate where there are thousands a second.",
            ["method"],
            (([name], ended) for name, ended, _failed in methods),
        )
        yield _counter(
            "txremote_failed_calls",
            "Calls that have ended with an error, by method.",
            ["method"],
            (([name], failed) for name, _ended, failed in methods),
        )
        text = "Calls under way, those that wait included."
        yield GaugeMetricFamily("txremote_running_calls", text, overview.calls_running)
        sent, read = overview.streams_sent, overview.streams_read
        yield _gauge(
            "txremote_streams",
            "Streams under way: those that clients read (sent), and theirs that are read (read).",
            ["direction"],
            [(["sent"], sent), (["read"], read)],
        )
        text = "Calls that have held the event loop for longer than --slow."
        yield CounterMetricFamily("txremote_slow_calls", text, monitor.stats.held_loop)
        yield _durations(monitor.stats.buckets(), monitor.slowest())

    def _connections(self) -> Iterator[Metric]:
        rows = self._monitor.listeners()
        yield _gauge(
            "txremote_connections",
            "Open connections, by server.",
            ["server"],
            (([each.server], each.connections) for each in rows),
        )
        yield _counter(
            "txremote_refused_connections",
            "Clients that were turned away, by server.",
            ["server"],
            (([each.server], each.refused_total) for each in rows),
        )
        yield _gauge(
            "txremote_exported_objects",
            "Objects that clients hold references to, by class: the 100 most frequent.",
            ["class"],
            (([each.class_name], each.count) for each in self._monitor.objects()),
        )

    def _topics(self) -> Iterator[Metric]:
        rows = self._monitor.topics()  # the totals are those of this look
        totals = self._monitor.topic_totals()
        names = {each.name for each in totals}
        labelled = [(row.name if row.name in names else OTHERS, row) for row in rows]
        for value, name, text in (
            ("subscribers", "subscribers", "Subscribers of a topic."),
            ("lagging", "lagging_subscribers", "Subscribers for which events of a topic wait."),
            ("buffered", "buffered_events", "Events of a topic that wait for subscribers."),
        ):
            samples = (([label], float(getattr(row, value))) for label, row in labelled)
            yield _gauge(f"txremote_topic_{name}", text, ["topic"], samples)
        yield _gauge(
            "txremote_topic_bus_joined",
            "Whether a topic is joined to its bus (1), or that is away (0); in all workers.",
            ["topic"],
            (([label], "away" not in row.bus) for label, row in labelled if row.bus),
            min,
        )
        for value, text in (
            ("published", "Events that were published to a topic here, not those of its bus."),
            ("delivered", "Events that the subscribers of a topic have taken."),
            ("dropped", "Events that subscribers of a topic were too slow for."),
            ("missed", "Events that the bus of a topic has lost."),
        ):
            counts = (([each.name], getattr(each, value)) for each in totals)
            yield _counter(f"txremote_topic_{value}_events", text, ["topic"], counts)

    def _pools(self) -> Iterator[Metric]:
        rows = self._monitor.pools()
        for name, text, value in (
            ("workers", "Workers of a pool.", "workers"),
            ("busy_workers", "Workers of a pool that have a job.", "busy"),
            ("queued_jobs", "Jobs that wait for a worker of a pool.", "queued"),
        ):
            samples = (([each.name], float(getattr(each, value))) for each in rows)
            yield _gauge(f"txremote_pool_{name}", text, ["pool"], samples)
        yield _counter(
            "txremote_pool_jobs",
            "Jobs of a pool that have ended: done, failed, or killed.",
            ["pool", "outcome"],
            (
                ([each.name, outcome], getattr(each, outcome))
                for each in rows
                for outcome in ("done", "failed", "killed")
            ),
        )
        yield _counter(
            "txremote_pool_worker_restarts",
            "Workers of a pool that were started anew.",
            ["pool"],
            (([each.name], each.restarted) for each in rows),
        )

    def _rest(self) -> Iterator[Metric]:
        monitor = self._monitor
        yield _gauge(
            "txremote_tasks",
            "Tasks that a console remembers, by their status.",
            ["console", "status"],
            (([each.console, each.status], 1) for each in monitor.tasks()),
        )
        certificates = [([each.server, each.file], each) for each in monitor.certificates()]
        yield _gauge(
            "txremote_certificate_not_before_timestamp_seconds",
            "When a certificate of a server becomes valid; the last of a chain.",
            ["server", "file"],
            ((labels, each.not_before) for labels, each in certificates),
            max,
        )
        yield _gauge(
            "txremote_certificate_expiry_timestamp_seconds",
            "When a certificate of a server expires; the first of a chain.",
            ["server", "file"],
            ((labels, each.not_after) for labels, each in certificates),
            min,
        )
        yield _counter(
            "txremote_log_messages",
            "Events of the log, by level: warnings, errors, and what is critical.",
            ["level"],
            (([level], count) for level, count in monitor.log_totals().items()),
        )


Samples = Iterable[tuple[list[str], float]]


def _gauge(
    name: str,
    text: str,
    labels: list[str],
    samples: Samples,
    joined: Callable[[float, float], float] = float.__add__,
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in _distinct(samples, joined):
        family.add_metric(values, number)
    return family


def _counter(name: str, text: str, labels: list[str], samples: Samples) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, number in _distinct(samples, float.__add__):
        family.add_metric(values, number)
    return family


def _distinct(samples: Samples, joined: Callable[[float, float], float]) -> Samples:
    """Return samples of which no two have the same labels."""
    found: dict[tuple[str, ...], float] = {}
    for labels, number in samples:
        key = tuple(labels)
        value = float(number)
        found[key] = joined(found[key], value) if key in found else value
    return ((list(labels), number) for labels, number in found.items())


def _process(overview: Overview) -> Iterator[Metric]:
    """Give what Prometheus' own clients tell of a process, by the names that they use."""
    yield CounterMetricFamily(
        "process_cpu_seconds", "Processor time, user's and system's.", overview.cpu
    )
    for name, text, number in (
        ("process_resident_memory_bytes", "Memory in use.", overview.rss),
        ("process_open_fds", "Open file descriptors.", overview.open_files),
        ("process_max_fds", "Most file descriptors.", overview.max_files),
        ("process_start_time_seconds", "When the server started.", overview.started),
        ("txremote_threads", "Threads of Python's.", overview.threads),
    ):
        if number:  # else the system does not tell
            yield GaugeMetricFamily(name, text, number)


def _durations(buckets: list[int], slowest: list[SlowCall]) -> HistogramMetricFamily:
    """Return the histogram of calls, with the slow ones as exemplars."""
    # a bucket of the monitor's is a quarter of an octave of nanoseconds
    edges = [(4 * octave, 2**octave / 1e9) for octave in _OCTAVES]
    exemplars: dict[int, Exemplar] = {}
    for call in reversed(slowest):  # the slowest of a bucket stays
        for past, edge in edges:
            if call.seconds <= edge:
                exemplars[past] = _exemplar(call)
                break
    rows: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for past, edge in edges:
        row = repr(edge), float(sum(buckets[:past]))
        rows.append((*row, exemplars[past]) if past in exemplars else row)
    rows.append(("+Inf", float(sum(buckets))))
    total = sum(number * seconds_of(bucket) for bucket, number in enumerate(buckets) if number)
    family = HistogramMetricFamily(
        "txremote_call_duration_seconds",
        "How long calls took, from their arrival to their answer; the sum is right to 10 %.",
    )
    family.add_metric([], rows, total)
    return family


def _exemplar(call: SlowCall) -> Exemplar:
    labels = {"trace_id": call.trace} if call.trace else {}
    taken = sum(map(len, (*labels, *labels.values(), "method")))
    labels["method"] = call.method[: _LONGEST_EXEMPLAR - taken]
    return Exemplar(labels, call.seconds, call.at)
