"""Whether calls are traced at all."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.tracing.recorded import Recorder, Shop, recording
from txremote import tracing
from txremote.peer.answers import Answers
from txremote.peer.outbound import OutboundCalls
from txremote.peer.request import Request
from txremote.peer.watchers import watchers
from txremote.testing import connected_pair
from txremote.wire.consts import FEATURE_TRACE
from txremote.work.pool import PoolService

PROGRAM = """
import sys
import txremote.aio, txremote.blocking, txremote.daemon.hosting, txremote.tracing
from txremote.testing import connected_pair
from tests.services import Depot

pair = connected_pair(server_root=Depot)
assert pair.result(pair.client.root.add(1, 2)) == 3
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_nothing_of_opentelemetry_is_imported_where_tracing_is_off() -> None:
    output = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert output.stdout == "[]\n", output.stderr


def test_a_missing_extra_is_a_sentence() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import txremote.tracing\n"
        "txremote.tracing.enable()"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = output.stderr.strip().splitlines()[-1]
    assert last == "ImportError: tracing needs OpenTelemetry: pip install 'txremote[otel]'"


def test_a_connection_of_a_program_that_does_not_trace_has_nothing_of_it() -> None:
    with recording():
        pass
    assert watchers == []
    assert PoolService.job_watcher is None
    connection: Any = connected_pair(server_root=Shop).client
    assert type(connection.outbound) is OutboundCalls
    assert type(connection.inbound.answers) is Answers
    assert connection.inbound.make_request is Request
    assert FEATURE_TRACE not in connection.features


def test_connections_are_traced_that_are_made_meanwhile() -> None:
    before = connected_pair(server_root=Shop)
    with recording() as recorder:
        during = connected_pair(server_root=Shop)
        assert before.result(before.client.root.here()) is None
        assert during.result(during.client.root.here()) == "Shop.here"
        tracing.disable()
        assert during.result(during.client.root.here()) is None
        assert len(recorder.spans) == 2
        tracing.enable(recorder.provider)
        tracing.enable(recorder.provider)
        assert len(watchers) == 1
        assert during.result(during.client.root.here()) == "Shop.here"
    assert len(recorder.spans) == 4


def test_a_call_that_is_under_way_ends_its_spans_though_tracing_is_off() -> None:
    recorder = Recorder()
    tracing.enable(recorder.provider)
    pair = connected_pair(server_root=Shop)
    call = pair.client.root.here()
    tracing.disable()
    assert pair.result(call) is None
    recorder.check_all_ended_once()
    assert [span.name for span in recorder.spans] == ["Shop.here"]
    recorder.provider.shutdown()
