"""
The peer's requests, each with a span, and the context in which their code runs.

A span begins with the request's arrival, so the time that it waits is a part of it, and ends with
its answer: `TracedAnswers` knows the spans of all that are unanswered. A span that the end of a
connection leaves unanswered ends there. So each span ends once, whatever becomes of its request.

The context is attached while the request's own code runs, in whichever thread, and detached after:
it is the connection's thread and context that the next request finds. Coroutines, threaded methods
and jobs take a copy of it as they begin.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanContext, set_span_in_context

from txremote.errors import ConnectionLost
from txremote.peer.answers import Answers
from txremote.peer.connection import Connection
from txremote.peer.error_report import ErrorReport
from txremote.peer.handlers import Handler
from txremote.peer.inbound import InboundCalls
from txremote.peer.request import MakeRequest, Request, RequestOwner
from txremote.tracing.naming import ITEMS, SPANNED, handler_of, member_of
from txremote.tracing.roots import NO_CONTEXT, unsampled, within
from txremote.tracing.spans import ConnectionSpans, end_server
from txremote.tracing.w3c import read
from txremote.wire.consts import FEATURE_TRACE, HANDLE_CALLATTR

_NOT_SAMPLED = unsampled()

#: The span of a request, or None, and the context that its code runs in.
_Served = tuple[Span | None, Context]


class TracedAnswers(Answers):
    """
    The answers of one connection, which end the spans of requests.

    Attributes:
        served: The spans and contexts of requests that are unanswered, by number.
        last_trace: The id of the trace of the last request that was answered, "" where it is in
            none that is sampled.
    """

    __slots__ = ("last_trace", "served")

    def __init__(self, connection: Connection) -> None:
        inbound = connection.inbound
        super().__init__(connection, tables=inbound.tables, outbox=connection.outbox)
        self.served: dict[int, _Served] = {}
        self.last_trace = ""

    def send(self, number: int, sender: int, result: object) -> KeyboardInterrupt | None:
        """Send a result."""
        interrupt = super().send(number, sender, result)
        self._end(number, None)
        return interrupt

    def send_error(self, number: int, sender: int, error: BaseException | ErrorReport) -> None:
        """Send an exception."""
        if number not in self.served:
            super().send_error(number, sender, error)
            self.last_trace = ""
            return
        report = error if isinstance(error, ErrorReport) else self.report(error)
        super().send_error(number, sender, report)
        self._end(number, report)

    def _end(self, number: int, error: ErrorReport | None) -> None:
        self.last_trace = ""
        served = self.served.pop(number, None)
        if served is not None and served[0] is not None:
            context = served[0].get_span_context()
            if context.trace_flags.sampled:
                self.last_trace = f"{context.trace_id:032x}"
            end_server(served[0], error)

    def end_all(self, why: str) -> None:
        """End the spans of all requests that are unanswered: nobody waits any more."""
        left, self.served = self.served, {}
        for span, _context in left.values():
            if span is not None:
                end_server(span, ConnectionLost(why))


class TracedRequests:
    """
    Makes the requests of a connection's peer, with their spans.

    Args:
        make: Makes them without.
        spans: Begins their spans.
    """

    __slots__ = ("_answers", "_connection", "_make", "_sent", "_spans")

    def __init__(
        self,
        make: MakeRequest,
        connection: Connection,
        answers: TracedAnswers,
        spans: ConnectionSpans,
    ) -> None:
        self._make = make
        self._connection = connection
        self._answers = answers
        self._spans = spans
        self._sent: tuple[int, SpanContext] | None = None

    def take_context(self, arguments: object) -> None:
        """Note the context of the request that comes next; nothing where it is none."""
        self._sent = None
        if type(arguments) is tuple and 2 <= len(arguments) <= 3 and type(arguments[0]) is int:
            context = read(arguments[1], arguments[2] if len(arguments) > 2 else None)
            if context is not None:
                self._sent = arguments[0], context

    def __call__(
        self,
        inbound: RequestOwner,
        number: int,
        sender: int,
        function: Handler,
        args: tuple[object, ...],
        forwarded: bool,
        deadline: float | None,
        size: int,
    ) -> Request:
        """Make a request, as `Request` does."""
        request = self._make(inbound, number, sender, function, args, forwarded, deadline, size)
        sent, self._sent = self._sent, None
        served = self._answers.served
        if not self._spans.tracing.on or number in served:  # then it is about to be refused
            return request
        parent = sent[1] if sent is not None and sent[0] == number else None
        kind: Any = type(request)
        if parent is None and FEATURE_TRACE in self._connection.features:
            request.__class__ = _unsampled(kind)  # the peer has decided that
            return request
        handler = handler_of(function)
        if handler in SPANNED and not _is_item(handler, args):
            span = self._spans.server(handler, args, parent)
            if span is None:
                request.__class__ = _unsampled(kind)
                return request
            context = set_span_in_context(span, NO_CONTEXT)
        elif parent is not None:
            span, context = None, within(parent)
        else:
            return request
        served[number] = span, context
        request.__class__ = _traced(kind)
        return request


def _is_item(handler: int, args: tuple[Any, ...]) -> bool:
    return handler == HANDLE_CALLATTR and member_of(handler, args) in ITEMS


class _InContext(Request):
    """A request whose code runs in the context of its span."""

    __slots__ = ()

    def run(self) -> None:
        token = self._attach()
        try:
            super().run()
        finally:
            _detach(token)

    def execute(self, view: Any) -> tuple[bool, object]:
        token = self._attach()
        try:
            return super().execute(view)
        finally:
            _detach(token)

    def begin(self, went_well: bool, result: object) -> tuple[bool, object]:
        token = self._attach()
        try:
            return super().begin(went_well, result)
        finally:
            _detach(token)

    def _attach(self) -> Any:
        answers = cast(TracedAnswers, self.inbound.answers)
        served = answers.served.get(self.number)
        return None if served is None else attach(served[1])


class _Unsampled(_InContext):
    """A request whose caller's trace is not sampled, and so nothing that it brings about."""

    __slots__ = ()

    def run(self) -> None:
        token = attach(_NOT_SAMPLED)  # without a call more
        try:
            super(_InContext, self).run()
        finally:
            detach(token)

    def _attach(self) -> Any:
        return attach(_NOT_SAMPLED)


def _detach(token: Any) -> None:
    if token is not None:
        detach(token)


@cache
def _traced(kind: Any, how: type[Request] = _InContext) -> Any:
    """Return a class of requests, which may be an observer's, with one of ours before it."""
    return type(f"Traced{kind.__name__}", (how, kind), {"__slots__": ()})


@cache
def _unsampled(kind: Any) -> Any:
    return _traced(kind, _Unsampled)


def trace_incoming(connection: Connection, spans: ConnectionSpans) -> None:
    """Have the requests of a connection's peer traced. Before its first message."""
    inbound: InboundCalls = connection.inbound
    inbound.answers = answers = TracedAnswers(connection)
    requests = TracedRequests(inbound.make_request, connection, answers, spans)
    inbound.make_request = requests
    inbound.take_context = requests.take_context
    ended = connection.closing.watch()
    ended.addBoth(lambda _why: answers.end_all(connection.closing.why))
