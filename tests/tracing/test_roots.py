"""Whether a call is sampled that begins a trace."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NoOpTracer, SpanKind, get_current_span

from txremote.tracing.roots import Roots, is_sampled, unsampled, within


class Own(IdGenerator):
    """Somebody's own ids."""

    def generate_span_id(self) -> int:
        return 5

    def generate_trace_id(self) -> int:
        return 7


def roots(sampler: Sampler, ids: Any = None) -> Roots:
    provider = TracerProvider(sampler=sampler, id_generator=ids, shutdown_on_exit=False)
    return Roots(provider.get_tracer("test"))


@pytest.mark.parametrize("ratio", [1.0, 0.5, 1e-3, 1e-7, 0.0])
@pytest.mark.parametrize("kind", [TraceIdRatioBased, ParentBasedTraceIdRatio])
def test_what_the_die_lets_through_is_sampled_by_the_sdk_too(ratio: float, kind: Any) -> None:
    found = roots(kind(ratio))
    assert found.ratio == ratio
    if ratio:
        spans = [found.start(SpanKind.CLIENT, "call", {"a": 1}) for _ in range(50)]
        assert None not in spans
        traces = {span.get_span_context().trace_id for span in spans if span is not None}
        assert len(traces) == 50
        for span in spans:
            assert span is not None
            span.end()


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF, DEFAULT_ON, ParentBased(ALWAYS_OFF)])
def test_any_other_sampler_is_asked_each_time(sampler: Sampler) -> None:
    found = roots(sampler)
    assert found.ratio == 1
    span = found.start(SpanKind.CLIENT, "call", {})
    assert (span is not None) == (sampler in (ALWAYS_ON, DEFAULT_ON))


def test_own_ids_and_other_tracers_are_left_alone() -> None:
    found = roots(TraceIdRatioBased(1), Own())
    span = found.start(SpanKind.CLIENT, "call", {})
    assert found.ratio == 1
    assert span is not None
    assert span.get_span_context().trace_id == 7
    assert Roots(NoOpTracer()).start(SpanKind.CLIENT, "call", {}) is None


def test_spans_of_the_same_tracer_that_others_begin_have_ids_of_their_own() -> None:
    provider = TracerProvider(sampler=TraceIdRatioBased(0.5), shutdown_on_exit=False)
    tracer: Any = provider.get_tracer("test")
    found = Roots(tracer)
    assert found.ratio == Roots(tracer).ratio == 0.5
    first, second = found.start(SpanKind.CLIENT, "call", {}), tracer.start_span("other")
    assert first is not None
    assert first.get_span_context().trace_id != second.get_span_context().trace_id
    assert type(tracer.id_generator.generator) is RandomIdGenerator


def test_what_is_not_sampled_is_so_for_good() -> None:
    span = get_current_span(unsampled())
    assert not is_sampled(span)
    assert span.get_span_context().is_valid
    assert get_current_span(within(span.get_span_context())).get_span_context().trace_id == 1
