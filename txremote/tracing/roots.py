"""
`Roots`: whether a call is sampled that begins a trace.

Most are not, and the SDK takes as long to say so as a tenth of a call. So where its sampler goes by
the id of the trace alone, as ``parentbased_traceidratio``, and the ids are drawn at random, that is
decided here, and the SDK is given those that are sampled, with an id that it samples, too.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import context as otel
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

#: A context that holds no span.
NO_CONTEXT: Final = otel.Context()

_BY_RATIO = re.compile(r"(?:ParentBased\{root:)?TraceIdRatioBased\{([0-9.e-]+)\}")
_HALF = 1 << 64  # the sampler compares the lower half of an id

Attributes = Mapping[str, "str | int"]


class _Drawn(threading.local):
    """The id that a thread has drawn for the trace that it is just beginning."""

    number: int | None = None


class _Ids:
    """Generates the ids of a tracer's spans, or gives a trace the one that was drawn for it."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator
        self.generate_span_id = generator.generate_span_id
        self.drawn = _Drawn()

    def generate_trace_id(self) -> int:
        drawn, self.drawn.number = self.drawn.number, None
        found: int = self.generator.generate_trace_id() if drawn is None else drawn
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.generator, name)


class Roots:
    """
    Begins the spans of calls that begin a trace. In any thread.

    Attributes:
        ratio: How many of them are sampled; `start` is for these alone. 1 where the SDK decides.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._ids: _Ids | None = None
        self.ratio = 1.0
        sampler = getattr(tracer, "sampler", None)
        generator = getattr(tracer, "id_generator", None)
        if sampler is None or generator is None:
            return  # it is not the SDK's
        ratio = _BY_RATIO.match(sampler.get_description())
        ids = generator if isinstance(generator, _Ids) else _Ids(generator)
        if ratio is not None and type(ids.generator).__name__ == "RandomIdGenerator":
            self.ratio = float(ratio[1])
            self._ids = tracer.id_generator = ids  # type: ignore[attr-defined]  # the SDK's

    def start(self, kind: SpanKind, name: str, attributes: Attributes) -> Span | None:
        """Begin a span without a parent; None if it is not sampled after all."""
        if self._ids is not None:
            below = max(1, round(self.ratio * _HALF) - 1)
            self._ids.drawn.number = random.getrandbits(64) << 64 | random.randrange(below) + 1
        span = self._tracer.start_span(name, NO_CONTEXT, kind, attributes)
        return span if is_sampled(span) else None


def is_sampled(span: Span) -> bool:
    """Tell whether a span is recorded, here or by whoever has made it."""
    return span.is_recording() or bool(span.get_span_context().trace_flags & TraceFlags.SAMPLED)


def within(parent: SpanContext) -> otel.Context:
    """Return the context of what a span of another process is the parent of."""
    return set_span_in_context(NonRecordingSpan(parent), NO_CONTEXT)


def unsampled() -> otel.Context:
    """Return a context in which no span is sampled, since no caller's is."""
    return within(SpanContext(1, 1, is_remote=True, trace_flags=TraceFlags(0)))
