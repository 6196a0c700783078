"""
What the tests of this room share: a tracer whose spans are kept, and spans by their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

import txremote.tracing
from txremote import Service, current_call, exposed

KINDS = {
    SpanKind.CLIENT: "client",
    SpanKind.SERVER: "server",
    SpanKind.INTERNAL: "internal",
}


class _Begun(SpanProcessor):
    """Notes the spans that begin."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def on_start(self, span: Any, parent_context: object = None) -> None:
        self.spans.append(span)


class Recorder:
    """The spans of this process, each noted as it begins and as it ends."""

    def __init__(self, sampler: Any = None) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._begun = _Begun()
        self.provider.add_span_processor(self._begun)

    def within(self, name: str) -> Any:
        """Return a context manager: a span of the program's own."""
        return self.provider.get_tracer("test").start_as_current_span(name)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in that order."""
        return list(self._exporter.get_finished_spans())

    @property
    def tree(self) -> list[str]:
        """Each ended span with those above it: ``main / client Shop.cheapest``, sorted."""
        by_id = {span.context.span_id: span for span in self.spans}

        def path(span: ReadableSpan) -> str:
            kind = KINDS[span.kind]
            name = span.name if kind == "internal" else f"{kind} {span.name}"
            parent = by_id.get(span.parent.span_id) if span.parent is not None else None
            if parent is None:
                return name if span.parent is None else f"? / {name}"
            assert parent.context.trace_id == span.context.trace_id
            return f"{path(parent)} / {name}"

        return sorted(path(span) for span in self.spans)

    def one(self, kind: str, name: str) -> ReadableSpan:
        """Return the one ended span of a kind and a name."""
        (found,) = [s for s in self.spans if s.name == name and KINDS[s.kind] == kind]
        return found

    def check_all_ended_once(self) -> None:
        """Check that each span that began has ended, and none twice."""
        ended = [span.context.span_id for span in self.spans]
        assert sorted(ended) == sorted(span.context.span_id for span in self._begun.spans)


_recorder: Recorder | None = None


@contextmanager
def recording(sampler: Any = None) -> Iterator[Recorder]:
    """Have the calls of this process traced meanwhile."""
    global _recorder
    recorder = _recorder = Recorder(sampler)
    txremote.tracing.enable(recorder.provider)
    try:
        yield recorder
    finally:
        txremote.tracing.disable()
        recorder.provider.shutdown()
    recorder.check_all_ended_once()


def current_name() -> str | None:
    """Return the name of the span that is current, if one is recorded."""
    return getattr(trace.get_current_span(), "name", None)


class Shop(Service):
    """A service whose methods tell in which span they run."""

    note = "open"

    @exposed
    def here(self) -> str | None:
        """The current span's name."""
        return current_name()

    @exposed
    async def here_later(self, until: Any) -> tuple[str | None, str | None]:
        """The same, before and after a call of the peer's function."""
        before = current_name()
        await until()
        return before, current_name()

    @exposed
    async def both_ways(self, function: Any) -> Any:
        """Calls the caller, within a span of its own."""
        assert _recorder is not None
        with _recorder.within("own"):
            return await function(1)

    @exposed
    def fails(self, text: str) -> None:
        """Fails."""
        raise ValueError(text)

    @exposed
    def numbers(self) -> Any:
        """Gives items."""
        yield current_name()
        yield current_name()

    @exposed
    async def calls_root(self) -> Any:
        """Calls the caller's root, which it has not yet asked for."""
        root: Any = current_call().connection.root
        return await root.here()

    exposed_shelf = None


class Front(Shop):
    """A shop with another behind it."""

    def __init__(self) -> None:
        self.exposed_shelf = Shop()  # type: ignore[assignment]
