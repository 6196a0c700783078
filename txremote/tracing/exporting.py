"""
`Exporting`: the spans of ``twistd txremote --tracing``, on their way to a collector.

They go by OTLP over HTTP, as the ``OTEL_*`` variables of the environment say. The SDK sends them
from a thread of its own, which starts with the service, since a daemon forks before that. At the
end the spans that are left are sent in a thread, and waited for, but not longer than `LAST`.

A service that has set a global tracer provider of its own keeps it, and its spans are that one's.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from txremote import tracing
from txremote.levels import Logger
from txremote.refs.awaiting import succeeded
from txremote.refs.clock import steady

_log = Logger("txremote")

#: Seconds that the last spans have to be sent.
LAST: Final = 5.0

_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def check_exporter() -> None:
    """
    Check that spans can be exported as the environment says.

    Raises:
        ImportError: the extra is not installed.
        ValueError: a variable makes no sense to the exporter; newer ones log that, and go on.
    """
    try:
        missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    except ImportError:  # of what they stand in
        missing = list(_NEEDED)
    if missing:
        raise ImportError("tracing needs OpenTelemetry: pip install 'txremote[otel]'")
    _make_exporter().shutdown()


def _make_exporter() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


class Exporting(Service):
    """Traces the process's calls while it runs, and exports the spans. In the reactor's thread."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._provider: Any = None
        self._notes = _Notes(logging.WARNING)

    def startService(self) -> None:
        """Set up the exporter, and trace what is connected from now on."""
        super().startService()  # type: ignore[no-untyped-call]
        logging.getLogger("opentelemetry").addHandler(self._notes)
        from opentelemetry import trace

        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            self._provider = _make_provider()
            trace.set_tracer_provider(self._provider)
        tracing.enable()

    def stop(self) -> Deferred[None]:
        """Trace no more, and send what is left. Fires when that is done, or takes too long."""
        super().stopService()  # type: ignore[no-untyped-call]
        tracing.disable()
        provider, self._provider = self._provider, None
        if provider is None:
            return succeeded(None)
        ended: Deferred[None] = Deferred(lambda _ended: None)
        ended.addTimeout(LAST, steady(self._reactor), self._leave_behind)
        from_thread = IReactorFromThreads(self._reactor).callFromThread

        def sent() -> None:
            if not ended.called:
                ended.callback(None)

        def send() -> None:
            try:
                provider.shutdown()
            finally:
                from_thread(sent)

        threading.Thread(target=send, name="txremote last spans", daemon=True).start()
        return ended.addBoth(self._forget)

    def _leave_behind(self, _timed_out: object, seconds: float) -> None:
        _log.warn("the last spans were not sent within {seconds:g} s", seconds=seconds)

    def _forget(self, _result: object) -> None:
        logging.getLogger("opentelemetry").removeHandler(self._notes)


def _make_provider() -> Any:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = "OTEL_SERVICE_NAME" in os.environ
    if not named and "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        resource = Resource.create({SERVICE_NAME: "txremote"})
    else:
        resource = Resource.create()
    # not at the interpreter's exit, where it could wait for half a minute
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_make_exporter()))
    return provider


class _Notes(logging.Handler):
    """Has what the SDK says in the daemon's log: that no collector is there, say."""

    def emit(self, record: logging.LogRecord) -> None:
        _log.warn(
            "tracing: {text} (the collector is {collector})",
            text=record.getMessage(),
            collector=_collector(),
        )


def _collector() -> str:
    """Return where spans go, as the environment says, or OTLP where that does not."""
    for name in ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        if os.environ.get(name):
            return os.environ[name]
    return "http://localhost:4318"
