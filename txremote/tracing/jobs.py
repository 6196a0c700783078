"""
The jobs of pools, each with a span, and their context on its way to where they run.

The span of a job is the child of that which is current where it is submitted, and lasts until its
Deferred fires. In a thread it is current while the job runs. To another process only its context
goes, with the function: spans that the job begins there are its children, if that process exports
any.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from opentelemetry import context as otel
from opentelemetry.trace import Span, SpanKind, get_current_span, set_span_in_context
from twisted.internet.defer import Deferred

from txremote.tracing.carried import Carried, in_context
from txremote.tracing.naming import LONGEST
from txremote.tracing.roots import is_sampled, unsampled
from txremote.tracing.spans import Tracing, end_client, end_failed
from txremote.tracing.w3c import written
from txremote.work.declared import DeclaredCall, declared, holds_record
from txremote.work.pool import PoolService
from txremote.work.ports import Args, Function, Kwargs
from txremote.work.processes import ProcessPool

_NOT_SAMPLED = unsampled()


def trace_jobs(tracing: Tracing | None) -> None:
    """Have the jobs of all pools traced, or none of them."""
    PoolService.job_watcher = None if tracing is None else partial(_traced, tracing)


def _traced(
    tracing: Tracing,
    take: Callable[..., Deferred[Any]],
    pool: PoolService,
    function: Function,
    args: Args,
    kwargs: Kwargs,
    timeout: float | None,
    name: str,
) -> Deferred[Any]:
    """Have a pool take a job, with a span."""
    span = _begin(tracing, f"job {name}"[:LONGEST], pool.description[:LONGEST])
    context = _NOT_SAMPLED if span is None else set_span_in_context(span)
    token = otel.attach(context)  # of which a thread's job takes a copy
    try:
        job = take(_carried(pool, function, args, kwargs), args, kwargs, timeout, name)
    except BaseException as error:
        if span is not None:
            end_failed(span, error, None)
        raise
    finally:
        otel.detach(token)
    return job if span is None else job.addBoth(end_client, span)


def _begin(tracing: Tracing, name: str, pool: str) -> Span | None:
    current = get_current_span()
    attributes = {"txremote.pool": pool}
    if not current.get_span_context().is_valid:
        return tracing.root(SpanKind.INTERNAL, name, attributes) if tracing.draw() else None
    return tracing.child(SpanKind.INTERNAL, name, attributes) if is_sampled(current) else None


def _carried(pool: PoolService, function: Function, args: Args, kwargs: Kwargs) -> Function:
    """Return a job's function as it goes to a pool's processes, with the context if it can."""
    context = get_current_span().get_span_context()
    if not pool.by_value:
        return function
    if not isinstance(pool, ProcessPool) and pool.kind != "dask":
        return function  # nobody knows what there is where it runs
    # a pool looks for records itself, but not within what is carried
    taking = declared(function, args, kwargs)
    if isinstance(taking, DeclaredCall) and holds_record((*args, *kwargs.values())):
        function = taking
    if pool.kind != "dask":
        return Carried(function, *written(context))
    return in_context(function, *written(context))
