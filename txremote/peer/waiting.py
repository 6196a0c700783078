"""
`Waiting`: a request that is answered when a Deferred has fired.

Twisted takes a callback off before it examines the result. If that raises, since the result's
class computes ``__class__``, the callback is gone. So a Deferred of the method's own reports
that it was dropped (`txremote.refs.sharing.Follower`): at once or, where a Failure has kept the
exception, at the next garbage collection. Coroutines and threads need no such report.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.errors import NotSendable
from txremote.peer.call_ledger import CallLedger
from txremote.peer.called import called_by
from txremote.peer.context import CurrentCall
from txremote.peer.lasting import Flow, Unlimited
from txremote.peer.request import Request, RequestOwner
from txremote.refs.outcome import Outcome
from txremote.wire.exceptions import traceback_of


class WaitingOwner(RequestOwner, Protocol):
    """The peer's calls, as one knows them that waits for a Deferred."""

    @property
    def ledger(self) -> CallLedger[Request]:
        """Where it is entered."""

    def note_answered(self) -> None:
        """Note that it is answered."""


class Waiting:
    """A request that is answered when a Deferred has fired."""

    #: When its request was received, as `txremote.peer.request.Request.begun`.
    begun = 0

    __slots__ = ("_call", "_deferred", "_inbound", "_over", "_sender", "called", "number", "size")

    def __init__(
        self, inbound: WaitingOwner, request: Request, deferred: Deferred[object], call: CurrentCall
    ) -> None:
        self._inbound = inbound
        self.number, self._sender, self.size = request.number, request.sender, request.size
        self.called = called_by(request)
        self._deferred: Deferred[object] | None = deferred  # None: it was cut
        self._call = call
        self._over = False

    @property
    def flow(self) -> Flow | None:
        """The sending until it is answered; None of a call that only has a result."""
        deferred = self._deferred
        return deferred.flow if type(deferred) is Unlimited else None

    def cancel(self) -> None:
        """Cancel the Deferred."""
        if self._deferred is not None:
            self._deferred.cancel()

    def cut(self, error: Exception, _unbegun: Exception) -> None:
        """Answer with an error now, and cancel the Deferred, whose result is dropped."""
        deferred, self._deferred = self._deferred, None
        if deferred is None or self._over:
            return
        inbound = self._inbound
        inbound.ledger.finish(self)
        self.called = ()
        inbound.answers.send_error(self.number, self._sender, error)
        deferred.cancel()

    def __call__(self, result: object) -> None:
        """Answer with a result, an `Outcome` or a Failure, whichever thread brings it."""
        self._over = True
        self._inbound.connection.executor.submit(partial(self._answer, result))

    def _answer(self, result: Any) -> None:
        if self._deferred is None:
            return
        inbound = self._inbound
        inbound.ledger.finish(self)
        self.called = ()  # its Deferred holds this until the next garbage collection
        went_well = True
        if type(result) is Outcome:
            went_well, result = result.went_well, result.value
        if issubclass(type(result), Failure):
            went_well, result = False, self._error(result)
        if went_well:
            inbound.answers.send(self.number, self._sender, result)
        else:
            inbound.answers.send_error(self.number, self._sender, result)
        inbound.note_answered()

    def _error(self, failure: Failure) -> BaseException:
        error: BaseException = failure.value  # type: ignore[assignment]
        if traceback_of(error) is None:
            # not by assignment: an exception may be a frozen dataclass
            BaseException.with_traceback(error, failure.getTracebackObject())
        if issubclass(type(error), defer.TimeoutError) and self._call.time_left() == 0:
            return TimeoutError(self._call.why_over)
        return error

    def dropped(self) -> None:
        """Answer, soon, that the result was lost. For a finalizer."""
        if not self._over and self._deferred is not None and not self._inbound.connection.closed:
            self._inbound.connection.executor.driver.call_later(0, self._dropped)

    def _dropped(self) -> None:
        if not self._over:
            problem = "what the Deferred gave cannot be sent, for looking at it raises"
            self(Outcome(False, NotSendable(problem)))
