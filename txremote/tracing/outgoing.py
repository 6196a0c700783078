"""
`TracedCalls`: this side's requests, each with a span, whose context goes before it.

It takes the place of a connection's `OutboundCalls`. The span of a call is the child of that which
is current where the call is made; in another thread than the connection's, of the one that is
current there.

A call that has to be made in several requests, as a stock peer's paths, has one span. That of an
item of an iterator has none, and goes in the context of its caller. A call that uses the results of
others has its span when it is sent: at once, or when those results are there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import random
from typing import Any

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import INVALID_SPAN, Span, TraceFlags, get_current_span
from twisted.internet.defer import Deferred

from txremote.peer.connection import Connection
from txremote.peer.graphs import Graphs
from txremote.peer.halfway import Halfway
from txremote.peer.outbound import OutboundCalls
from txremote.peer.promise import Args, Kwargs, Promise, promises_in
from txremote.peer.unanswered_call import UnansweredCall
from txremote.refs.ports import Answer
from txremote.refs.reference import RemoteReference
from txremote.tracing.naming import ITEMS, SPANNED
from txremote.tracing.spans import ConnectionSpans, end_client, end_failed
from txremote.tracing.w3c import written
from txremote.wire.consts import FEATURE_TRACE, HANDLE_BUFFITER
from txremote.wire.messages import trace_request
from txremote.wire.naming import UNNAMED


class TracedGraphs(Graphs):
    """The calls of one connection that use results of others, with spans."""

    __slots__ = ()

    _outbound: TracedCalls

    def _send(
        self,
        target: Promise | RemoteReference,
        names: tuple[str, ...],
        args: Args | None,
        kwargs: Kwargs,
        deadline: float | None,
        needed: list[Promise],
    ) -> Answer:
        make = partial(super()._send, target, names, args, kwargs, deadline, needed)
        # of what is still to come nobody knows the class
        service = target._pack[0] if type(target) is RemoteReference else UNNAMED
        return self._outbound.send_of_graph(service, names, make)


class TracedCalls(OutboundCalls):
    """
    The requests of one connection's side, with spans.

    Args:
        calls: Those of the connection until now, which are not used any more.
        spans: Begins their spans.
    """

    # The span of the request that is just being made, `INVALID_SPAN` for one that has none. It is
    # not the current one: that is the program's.
    __slots__ = ("_sending", "_spans")

    def __init__(
        self,
        connection: Connection,
        calls: OutboundCalls,
        spans: ConnectionSpans,
    ) -> None:
        self._connection = connection
        self._config = calls._config
        self._tables = calls._tables
        self._outbox = calls._outbox
        self._write = calls._write
        self._graphs = calls._graphs
        self.pending = calls.pending
        self._spans = spans
        self._sending: Span | None = None
        self.pending.outbound = self

    # -- with a span

    def call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
        to_the_end: bool = True,
    ) -> Deferred[object]:
        """Call what a path leads to, or read it."""
        tracing = self._spans.tracing
        if not tracing.on:
            return super().call(reference, names, args, kwargs, deadline, to_the_end)
        span: Span | None = None
        given = (args, *kwargs.values()) if kwargs else args
        if given and any(True for _each in promises_in(given)):
            return super().call(reference, names, args, kwargs, deadline, to_the_end)
        if get_current() or random() < tracing.ratio:  # as `draw`, without the call
            make = partial(super().call, reference, names, args, kwargs, deadline, to_the_end)
            if names and names[-1] in ITEMS:
                return self._sent_within(get_current_span(), make)
            span = self._spans.client_of_path(reference._pack[0], names)
            if span is not None:
                return self._spanned(span, make)
        if args is not None and len(names) == 1:  # one request
            return super().call(reference, names, args, kwargs, deadline, to_the_end)
        make = partial(super().call, reference, names, args, kwargs, deadline, to_the_end)
        return self._sent_within(INVALID_SPAN, make)

    def graphs(self, kind: type[Graphs] = TracedGraphs) -> Graphs:
        """Return what makes the calls that use results of others."""
        return super().graphs(kind)

    def send_of_graph(
        self, service: str, names: tuple[str, ...], make: Callable[[], Answer]
    ) -> Answer:
        """Send a call that uses results of others."""
        tracing = self._spans.tracing
        if not tracing.on:
            return make()
        span: Span | None = None
        if get_current() or tracing.draw():
            span = self._spans.client_of_path(service, names)
        return make() if span is None else self._spanned(span, make)

    def request(
        self,
        handler: int,
        args: tuple[object, ...],
        timeout: float | None = None,
        option: str | None = "sync_request_timeout",
        deadline: float | None = None,
    ) -> Deferred[object]:
        """Send a request by its number."""
        make = partial(super().request, handler, args, timeout, option, deadline)
        if self._sending is not None or not self._spans.tracing.on:  # a call's own
            return make()
        if handler == HANDLE_BUFFITER:
            return self._sent_within(get_current_span(), make)
        if handler not in SPANNED or not (get_current() or self._spans.tracing.draw()):
            return make()
        span = self._spans.client_of_request(handler, args)
        return make() if span is None else self._spanned(span, make)

    def _step_by_step(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None,
    ) -> Deferred[object]:
        """Go a path as a stock peer knows it, within the one span of the call."""
        untraced = super().call

        def go(step: object) -> object:
            if type(step) is RemoteReference:
                if step._connection.outbound is not self:
                    return step._call(names[-1:], args, kwargs, deadline)
                last = partial(untraced, step, names[-1:], args, kwargs, deadline)
                return self._sent_within(INVALID_SPAN, last)
            return step if type(step) is Halfway else Halfway(len(names) - 1, step)

        leading = untraced(reference, names[:-1], None, {}, deadline, False)
        return leading.addCallback(go)

    # -- for threads

    # A thread asks for these, and the connection's thread calls what it gets.

    @property
    def call_received(self) -> Any:
        """Do as `OutboundCalls.call_received`, in the context in which this is read."""
        return partial(_called_in, get_current(), super().call_received)

    @property
    def request_received(self) -> Any:
        """Do as `OutboundCalls.request_received`, in the context in which this is read."""
        return partial(_called_in, get_current(), super().request_received)

    # -- on the wire

    def _write_traced(self, number: int, body: list[bytes]) -> None:
        """Write a request, and before it the context of its span, to a peer that takes that."""
        span = self._sending
        if span is not None and FEATURE_TRACE in self._connection.features:
            context = span.get_span_context()
            if context.trace_flags & TraceFlags.SAMPLED:  # a peer takes the others for unsampled
                about = trace_request(number, *written(context))
                self._outbox.request(self.pending.skip(), [about])
        self._outbox.request(number, body)

    def _spanned(self, span: Span, make: Callable[[], Deferred[object]]) -> Deferred[object]:
        """Make a call whose span this is, which ends with it."""
        try:
            asked = self._sent_within(span, make)
        except BaseException as error:
            end_failed(span, error, None)
            raise
        asked.addBoth(end_client, span)
        if type(asked) is UnansweredCall:  # its result is what the peer gives, as without a span
            asked._own_callbacks()
        return asked

    def _sent_within(self, span: Span, make: Callable[[], Deferred[object]]) -> Deferred[object]:
        """Make a call, whose requests are sent with the context of a span."""
        before = self._sending, self._write
        self._sending, self._write = span, self._write_traced
        try:
            return make()
        finally:
            self._sending, self._write = before


def _called_in(
    context: Context, function: Callable[..., Deferred[object]], *args: Any, **kwargs: Any
) -> Deferred[object]:
    if context is get_current():
        return function(*args, **kwargs)
    token = attach(context)
    try:
        return function(*args, **kwargs)
    finally:
        detach(token)
