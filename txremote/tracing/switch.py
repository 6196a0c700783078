"""
`enable` and `disable`: whether this program's calls are traced.

A connection is given its tracing parts when its transport is there, before the first message. One
that was made before `enable` is not traced; one that was made before `disable` goes on without.
"""

from __future__ import annotations

try:
    from opentelemetry import trace
except ImportError:
    raise ImportError("tracing needs OpenTelemetry: pip install 'txremote[otel]'") from None

from txremote.peer.connection import Connection
from txremote.peer.watchers import watchers
from txremote.tracing.incoming import trace_incoming
from txremote.tracing.jobs import trace_jobs
from txremote.tracing.outgoing import TracedCalls
from txremote.tracing.spans import ConnectionSpans, Tracing
from txremote.wire.consts import FEATURE_TRACE

_tracing = Tracing()


def _watch(connection: Connection) -> None:
    """Have a connection's calls traced, both ways; not those of a pool to its workers."""
    if connection.config.own_program:
        return
    spans = ConnectionSpans(connection, _tracing)
    connection.outbound = TracedCalls(connection, connection.outbound, spans)
    connection.inbound.features = (*connection.inbound.features, FEATURE_TRACE)
    trace_incoming(connection, spans)


def enable(tracer_provider: trace.TracerProvider | None = None) -> None:
    """
    Trace the calls of the connections, and the jobs of the pools, that this program makes from
    now on.

    Args:
        tracer_provider: Makes the tracer; the global provider if None.
    """
    _tracing.use(trace.get_tracer("txremote", tracer_provider=tracer_provider))
    if _watch not in watchers:
        watchers.append(_watch)
    trace_jobs(_tracing)


def disable() -> None:
    """Trace nothing more. Spans that have begun end with their calls."""
    _tracing.use(None)
    if _watch in watchers:
        watchers.remove(_watch)
    trace_jobs(None)
