"""``twistd txremote --tracing``: a real one, a collector's stand-in, and each kind of client."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

import txremote.aio
import txremote.blocking
from tests.processes import Twistd, free_port
from tests.tracing.collector import Collector, Span
from tests.tracing.recorded import Recorder, recording
from txremote import connect

ENVIRONMENT = {"OTEL_SERVICE_NAME": "depot", "OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def hosted(endpoint: str, *words: str, **variables: str) -> Twistd:
    """Start a daemon that exports its spans to an endpoint."""
    env = {**os.environ, **ENVIRONMENT, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **variables}
    return Twistd("tests.tracing.hosted.Hosted", "--tracing", *words, env=env)


def noted(_number: int) -> None:
    """The callback."""


async def by_reactor(endpoint: str, recorder: Recorder) -> Any:
    conn = await connect(endpoint)
    with recorder.within("main"):
        found = await conn.root.both(noted)
    await conn.close()
    return found


async def by_script(endpoint: str, recorder: Recorder) -> Any:
    def script() -> Any:
        port = int(endpoint.rpartition(":")[2])
        with txremote.blocking.connect("127.0.0.1", port) as conn, recorder.within("main"):
            return conn.root.both(noted)

    return await deferToThread(script)


async def by_asyncio(endpoint: str, recorder: Recorder) -> Any:
    async def main() -> Any:
        async with txremote.aio.connect(endpoint) as conn:
            with recorder.within("main"):
                return await conn.root.both(noted)

    return await deferToThread(asyncio.run, main())


def as_exported(recorder: Recorder) -> list[Span]:
    """Return this process's spans as a collector would have them."""
    return [
        Span(
            "test",
            span.name,
            span.kind.value + 1,
            f"{span.context.trace_id:032x}",
            f"{span.context.span_id:016x}",
            "" if span.parent is None else f"{span.parent.span_id:016x}",
            dict(span.attributes or {}),
        )
        for span in recorder.spans
    ]


def path_of(span: Span, spans: list[Span]) -> str:
    above = [each for each in spans if each.number == span.parent]
    name = f"{span.service}: {span.name}"
    return f"{path_of(above[0], spans)} / {name}" if above else name


@pytest_twisted.ensureDeferred
async def test_call_callback_and_job_are_one_trace_over_processes(collector: Collector) -> None:
    with hosted(collector.endpoint, "--pool", "processes:1") as daemon:
        for client in (by_reactor, by_script, by_asyncio):
            with recording() as recorder:
                trace, number, sampled = await client(daemon.endpoint, recorder)
            own = as_exported(recorder)
            assert {span.trace for span in own} == {f"{trace:032x}"}
            assert sampled
            # the last span of the daemon's ends with its answer, and is sent within 0.1 s
            for _ in range(200):
                theirs = [span for span in collector.spans if span.trace == f"{trace:032x}"]
                if len(theirs) == 3:
                    break
                await deferToThread(asyncio.run, asyncio.sleep(0.05))
            spans = own + theirs
            call = "test: main / test: Hosted.both / depot: Hosted.both"
            assert sorted(path_of(span, spans) for span in spans) == [
                "test: main",
                "test: main / test: Hosted.both",
                call,
                f"{call} / depot: function.__call__",
                f"{call} / depot: function.__call__ / test: test_exporting.noted",
                f"{call} / depot: job seen",
            ]
            (job,) = [span for span in theirs if span.name == "job seen"]
            assert job.number == f"{number:016x}"
        assert collector.paths == {"/v1/traces"}
        daemon.signal(signal.SIGTERM)
        assert daemon.finish() in (0, -signal.SIGTERM)
        assert "Traceback" not in daemon.output


@pytest_twisted.ensureDeferred
async def test_the_last_spans_are_sent_at_the_end(collector: Collector) -> None:
    with hosted(collector.endpoint, OTEL_BSP_SCHEDULE_DELAY="1000000") as daemon:
        with recording() as recorder:
            conn = await connect(daemon.endpoint)
            call = conn.root.both(noted)
            await call
            assert recorder.spans
            await conn.close()
        assert collector.spans == []
        daemon.signal(signal.SIGTERM)
        assert daemon.finish() in (0, -signal.SIGTERM)
    assert "Hosted.both" in {span.name for span in collector.spans}


@pytest_twisted.ensureDeferred
async def test_a_daemon_whose_collector_is_not_there_says_so_and_ends() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with hosted(nowhere, OTEL_EXPORTER_OTLP_TIMEOUT="1", OTEL_SERVICE_NAME="") as daemon:
        conn = await connect(daemon.endpoint)
        await conn.root.both(noted)
        await conn.close()
        daemon.wait_for(f"tracing: .*export.*{nowhere}")
        daemon.signal(signal.SIGTERM)
        assert daemon.finish() in (0, -signal.SIGTERM)
        assert "Traceback" not in daemon.output


def test_a_missing_extra_is_refused_in_a_sentence() -> None:
    words = ("--pidfile=", "-n", "txremote", "--tracing", "--service", "tests.services.Depot")
    program = (
        "import sys; sys.modules['opentelemetry.exporter'] = None\n"
        "from twisted.scripts.twistd import run\n"
        f"sys.argv = ['twistd', *{words!r}]\n"
        "run()"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.returncode == 1
    sentence = "txremote: --tracing: tracing needs OpenTelemetry: pip install 'txremote[otel]'"
    assert sentence in output.stderr + output.stdout
