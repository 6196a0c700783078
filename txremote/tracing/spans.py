"""
`ConnectionSpans`: the spans of one connection's calls, how they begin and how they end.

A span's attributes are the names of the call and the peer's address, made once for each method. A
call that is not sampled has no span, here and at its peer: None stands for it.
"""

from __future__ import annotations

from random import random
from typing import Any

from opentelemetry.context import get_current
from opentelemetry.trace import (
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
)
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.python.failure import Failure

from txremote.peer.connection import Connection
from txremote.peer.error_report import ErrorReport
from txremote.tracing.naming import (
    Called,
    called_by_path,
    called_by_request,
    member_of,
    span_name,
    type_name,
)
from txremote.tracing.roots import Attributes, Roots, is_sampled, within

#: Most characters of an error's text.
LONGEST_TEXT = 500

# Names are the peer's, who may make up others for each call.
_MOST_KNOWN = 200

# not by the name, which a class may have as another attribute
_args_of = BaseException.__dict__["args"].__get__

_Named = tuple[str, Attributes]


class Tracing:
    """
    Whether the program's calls are traced, and by which tracer.

    Attributes:
        on: Whether they are.
        ratio: How many of the calls that begin a trace may be sampled. All for reading only.
    """

    def __init__(self) -> None:
        self.on = False
        self.ratio = 0.0
        self._tracer: Tracer | None = None
        self._roots: Roots | None = None

    def use(self, tracer: Tracer | None) -> None:
        """Have calls traced by a tracer from now on; None: have none traced."""
        self._tracer = tracer
        self._roots = None if tracer is None else Roots(tracer)
        self.ratio = 0.0 if self._roots is None else self._roots.ratio
        self.on = tracer is not None

    def draw(self) -> bool:
        """Tell whether a call that begins a trace may be sampled, by a random number."""
        return random() < self.ratio

    def root(self, kind: SpanKind, name: str, attributes: Attributes) -> Span | None:
        """Begin a span without a parent, for one call of those that `ratio` lets through."""
        return None if self._roots is None else self._roots.start(kind, name, attributes)

    def child(
        self, kind: SpanKind, name: str, attributes: Attributes, parent: SpanContext | None = None
    ) -> Span | None:
        """Begin a span whose parent is the current one, or one of another process."""
        if self._tracer is None:
            return None
        context = None if parent is None else within(parent)
        span = self._tracer.start_span(name, context, kind, attributes)
        return span if is_sampled(span) else None


class ConnectionSpans:
    """Begins the spans of one connection's calls. In the connection's thread."""

    __slots__ = ("_address", "_connection", "_known", "tracing")

    def __init__(self, connection: Connection, tracing: Tracing) -> None:
        self.tracing = tracing
        self._connection = connection
        self._known: dict[object, _Named] = {}
        self._address = _address_of(connection.peer)

    def client_of_path(self, service: str, names: tuple[str, ...]) -> Span | None:
        """
        Begin the span of a call of this side's, by a reference's class and a path from it: one that
        is within another's context, or that `ratio` has let through.
        """
        key = (service, names)
        named = self._known.get(key)
        if named is None:
            named = self._name(called_by_path(service, names), "server", key)
        return self._client(named)

    def client_of_request(self, handler: int, args: tuple[Any, ...]) -> Span | None:
        """Begin the span of another request of this side's."""
        return self._client(self._name(called_by_request(handler, args), "server", None))

    def _client(self, named: _Named) -> Span | None:
        current = get_current_span()
        if not current.get_span_context().is_valid:
            if get_current() and not self.tracing.draw():  # there is something else in it
                return None
            return self.tracing.root(SpanKind.CLIENT, *named)
        # the beginning of the trace has decided for all of it
        return self.tracing.child(SpanKind.CLIENT, *named) if is_sampled(current) else None

    def server(
        self, handler: int, args: tuple[Any, ...], parent: SpanContext | None
    ) -> Span | None:
        """
        Begin the span of a request of the peer's.

        Args:
            parent: The context that the peer has sent; None where it is none that could.
        """
        member = member_of(handler, args)
        key = (handler, type(args[0]), member) if member is not None else None
        named = self._known.get(key) if key is not None else None
        if named is None:
            named = self._name(called_by_request(handler, args), "client", key)
        if parent is None:
            return self.tracing.root(SpanKind.SERVER, *named) if self.tracing.draw() else None
        return self.tracing.child(SpanKind.SERVER, *named, parent)

    def _name(self, called: Called, peer: str, key: object) -> _Named:
        attributes: dict[str, str | int] = {
            "rpc.system": "txremote" if self._connection.features else "rpyc",
            "rpc.service": called[0],
            "rpc.method": called[1],
        }
        host, port = self._address
        if host:
            attributes[f"{peer}.address"] = host
        if port:
            attributes[f"{peer}.port"] = port
        named = span_name(called), attributes
        if key is not None and len(self._known) < _MOST_KNOWN:
            self._known[key] = named
        return named


def end_client(result: object, span: Span) -> object:
    """End the span of a call with its result, which is returned: a callback."""
    if issubclass(type(result), Failure):
        error: Any = result.value  # type: ignore[attr-defined]
        end_failed(span, error, _told(error))
    else:
        span.end()
    return result


def end_server(span: Span, error: BaseException | ErrorReport | None = None) -> None:
    """End the span of a request with the error that the peer is sent, if it is."""
    if error is None:
        span.end()
    elif isinstance(error, ErrorReport):
        # the text of one with a reference is the traceback, which the peer is not told
        told = error.text if error.reference is None else f"reference {error.reference}"
        end_failed(span, error.error, told)
    else:
        end_failed(span, error, _told(error))


def end_failed(span: Span, error: BaseException, text: str | None) -> None:
    """End a span with an exception: its class, and its text where that may be told."""
    span.set_attribute("error.type", type_name(error))
    span.set_status(Status(StatusCode.ERROR, None if text is None else text[:LONGEST_TEXT]))
    span.end()


def _told(error: BaseException) -> str | None:
    """Return an exception's text, if it is no more than one: other arguments are not shown."""
    args = _args_of(error)
    return args[0] if len(args) == 1 and type(args[0]) is str else None


def _address_of(address: object) -> tuple[str, int]:
    if isinstance(address, IPv4Address | IPv6Address):
        return address.host, address.port
    if isinstance(address, UNIXAddress) and address.name:
        name = address.name
        return name.decode("utf-8", "replace") if isinstance(name, bytes) else name, 0
    return "", 0
