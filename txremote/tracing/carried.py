"""
The context of a job on its way to another process, where it is attached while the job runs.

OpenTelemetry is looked for there, in the job's process. Where it is not installed the job runs as
it would without tracing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


class Carried:
    """A job's function, and the context that it is to run in. It needs this package there."""

    def __init__(self, function: Function, traceparent: str, tracestate: str) -> None:
        self.function = function
        self.traceparent = traceparent
        self.tracestate = tracestate

    def __reduce__(self) -> tuple[Any, ...]:
        return Carried, (self.function, self.traceparent, self.tracestate)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function. In the job's process."""
        return in_context(self.function, self.traceparent, self.tracestate)(*args, **kwargs)


def in_context(function: Function, traceparent: str, tracestate: str) -> Function:
    """
    Return a job's function as it runs in a context.

    It uses nothing of this package and stands within another function, so cloudpickle takes it by
    value: for workers that do not have the package.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            from opentelemetry import context
            from opentelemetry.trace.propagation import tracecontext
        except ImportError:
            return function(*args, **kwargs)
        carrier = {"traceparent": traceparent, "tracestate": tracestate}
        found = tracecontext.TraceContextTextMapPropagator().extract(carrier)
        token = context.attach(found)
        try:
            return function(*args, **kwargs)
        finally:
            context.detach(token)

    return run
