"""
Requests that are timed, from when they are received until they are answered.

`timed_requests` gives a class of requests for an observer, to be a connection's ``make_request``.
Without an observer none of this is there. With one, a request costs a reading of the clock more.
Of many calls a second the observer is told of a sample, and always of those that fail.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, ClassVar, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.peer.context import CurrentCall
from txremote.peer.error_report import ErrorReport
from txremote.peer.handlers import Handler
from txremote.peer.logging import logger_for
from txremote.peer.ports import ConnectionPort
from txremote.peer.request import Request, RequestOwner
from txremote.peer.waiting import Waiting, WaitingOwner
from txremote.refs.outcome import Outcome
from txremote.wire.plain import PLAIN

_log = logger_for("call")

_NOT_COUNTED = "a call could not be counted"


class CallObserver(Protocol):
    """
    Is told of requests that are answered. For the connection's own context.

    Attributes:
        every: It is told of one request in so many: 1, or a prime number, so that requests in
            pairs, as RPyC makes them, are met in turn.
    """

    every: int

    def answered(
        self, request: TimedRequest, nanoseconds: int, error: BaseException | None
    ) -> object:
        """Count a request of the sample, or one that was answered with an ``error``."""

    def method_of(self, request: TimedRequest) -> Any:
        """Return what `waited` takes, without the request's arguments."""

    def waited(
        self, method: Any, connection: ConnectionPort, nanoseconds: int, error: BaseException | None
    ) -> object:
        """Count a request that was answered when its Deferred had fired."""


class TimedWaiting(Waiting):
    """A request that is answered when a Deferred has fired, and is timed."""

    __slots__ = ("_method", "_observer", "begun")

    def __init__(
        self,
        inbound: WaitingOwner,
        request: TimedRequest,
        deferred: Deferred[object],
        call: CurrentCall,
    ) -> None:
        super().__init__(inbound, request, deferred, call)
        self.begun = request.begun
        self._observer = request.observer
        self._method = request.observer.method_of(request)

    def cut(self, error: Exception, _unbegun: Exception) -> None:
        """Count it, and do as `Waiting` does."""
        if self._deferred is not None and not self._over:
            self._count(error)
        super().cut(error, _unbegun)

    def _answer(self, result: Any) -> None:
        counted = self._deferred is not None  # else it was cut
        super()._answer(result)
        if counted:
            self._count(_error_in(result))

    def _count(self, error: BaseException | None) -> None:
        taken = perf_counter_ns() - self.begun
        try:
            self._observer.waited(self._method, self._inbound.connection, taken, error)
        except Exception:
            _log.failure(_NOT_COUNTED)


def _error_in(result: Any) -> BaseException | None:
    """Return the exception of what a Deferred has fired with, or None."""
    if type(result) is Outcome:
        if result.went_well:
            return None
        result = result.value
    if type(result) is ErrorReport:
        return result.error
    if issubclass(type(result), Failure):
        result = result.value
    return result if issubclass(type(result), BaseException) else None


class TimedRequest(Request):
    """A request of the peer that is timed. `timed_requests` gives it an observer."""

    __slots__ = ("begun",)

    observer: ClassVar[CallObserver]
    waits_as = TimedWaiting

    def __init__(
        self,
        inbound: RequestOwner,
        number: int,
        sender: int,
        handler: Handler,
        args: tuple[object, ...],
        forwarded: bool,
        deadline: float | None,
        size: int,
    ) -> None:
        # as `Request` does it, without another call for each request
        self.inbound = inbound
        self.size = size
        self.deadline = deadline
        self.number = number
        self.sender = sender
        self.handler = handler
        self.args = args
        self.forwarded = forwarded
        self.begun = perf_counter_ns()

    def fail(self, error: BaseException | ErrorReport) -> None:
        """Answer it with an exception, and count it."""
        super().fail(error)
        taken = perf_counter_ns() - self.begun
        raised: Any = error.error if type(error) is ErrorReport else error
        try:
            self.observer.answered(self, taken, raised)
        except Exception:
            _log.failure(_NOT_COUNTED)

    def _answer(self, result: Any, call: CurrentCall) -> KeyboardInterrupt | None:
        kind = type(result)
        if kind not in PLAIN and issubclass(kind, Deferred):
            self.inbound.wait_for(self, result, call)
            return None
        interrupt = self.inbound.answers.send(self.number, self.sender, result)
        if not self.number % self.observer.every:
            try:
                self.observer.answered(self, perf_counter_ns() - self.begun, None)
            except Exception:  # the answer has gone, and there must not be another
                _log.failure(_NOT_COUNTED)
        return interrupt


def timed_requests(observer: CallObserver) -> type[TimedRequest]:
    """Return a class of requests that tell an observer of their ends: a ``make_request``."""
    return type("TimedRequest", (TimedRequest,), {"__slots__": (), "observer": observer})
