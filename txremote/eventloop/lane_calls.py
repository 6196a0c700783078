"""
Requests of the peer that run in a lane: how each is answered once, whatever ends it.

A call that waits in the lane is taken back when it is cancelled, when its caller waits no
longer, and when the connection ends. It is answered, and never runs.

A call that runs cannot be stopped, for nothing can stop a thread. When it is cancelled, or
takes longer than ``call_timeout``, which begins with its run, it is answered at once and
*abandoned*: it goes on, its result is dropped, and what comes behind it in the lane waits.
Until it has ended it counts in ``max_calls`` and ``max_unanswered``, for it has its arguments
and its thread. Nothing else waits for it: the connection may be closed meanwhile.
"""

from __future__ import annotations

from contextvars import copy_context
from types import CoroutineType
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall

from txremote.eventloop.lanes import Lane
from txremote.peer.called import Called, called_by
from txremote.peer.context import CurrentCall
from txremote.peer.executor import PeerRequest
from txremote.peer.logging import logger_for
from txremote.peer.naming import about
from txremote.refs.clock import EventLoop, steady
from txremote.refs.sharing import follow
from txremote.wire.plain import PLAIN

_log = logger_for("call")


class LaneCall:
    """
    A request, from when it is put into a lane until its thread is done with it.

    All methods but `_run` and `_execute` are for the loop's thread.
    """

    __slots__ = ("_lane", "_loop", "_over", "_request", "_ticket", "_timer")

    def __init__(self, request: PeerRequest, lane: Lane, loop: EventLoop) -> None:
        self._request = request
        self._lane = lane
        self._loop = loop
        self._over = False  # whether it is answered
        self._timer: IDelayedCall | None = None
        self._ticket: object = None

    @property
    def number(self) -> int:
        """The request's."""
        return self._request.number

    @property
    def size(self) -> int:
        """The request's, in bytes."""
        return self._request.size

    @property
    def called(self) -> Called:
        """The object and the name that the request is a call of."""
        return called_by(self._request)

    @property
    def begun(self) -> int:
        """The request's (`txremote.peer.request.Request.begun`)."""
        return self._request.begun

    def start(self) -> None:
        """Put it into the lane; raise `TooManyThreads` where there is no thread to run it."""
        request = self._request
        self._ticket = self._lane.post(self._run)
        request.inbound.ledger.begin(self)
        if request.deadline is not None:
            self._limit(request.inbound.call_until(request.deadline, begun=False))

    def cancel(self) -> None:
        """Answer it now; stop it if it has not begun."""
        self._end(CancelledError(), "was cancelled")

    def cut(self, error: Exception, unbegun: Exception) -> None:
        """Do as `cancel`, with the one error, or with the other if it has not begun."""
        self._end(error, "was cut", unbegun)

    # -- in the loop's thread

    def _limit(self, call: CurrentCall) -> None:
        self._stop_timer()
        assert call.deadline is not None
        left = call.deadline + call.grace - call.connection.seconds()
        self._timer = steady(self._loop).callLater(max(0.0, left), self._expire, call.why_over)

    def _begun(self) -> None:
        if not self._over:
            self._limit(self._request.inbound.call_until(self._request.deadline))

    def _expire(self, why: str) -> None:
        self._end(TimeoutError(why), "took too long")

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _end(self, error: Exception, how: str, unbegun: Exception | None = None) -> None:
        """Answer it with an error, before it has ended or even begun."""
        if self._over:
            return
        self._over = True
        self._stop_timer()
        request = self._request
        inbound = request.inbound
        if self._lane.take_back(self._ticket):
            inbound.ledger.finish(self)
            error = unbegun or error
        else:
            inbound.ledger.abandon(self)
            _log.debug(
                "a call of {who} {how}, and a thread cannot be stopped: it goes on, and its "
                "lane waits for it",
                how=how,
                **about(inbound.connection),
            )
        request.fail(error)
        inbound.note_answered()

    def _finish(self, went_well: bool, result: object) -> None:
        """Answer it with what it gave; its thread is done with it."""
        request = self._request
        inbound = request.inbound
        if self._over:
            inbound.ledger.forget(self)
            if went_well:
                drop(result)
            return
        self._over = True
        self._stop_timer()
        inbound.ledger.finish(self)
        request.finish(went_well, result)
        inbound.note_answered()

    # -- in a worker thread

    def _run(self) -> None:
        went_well, result = (False, None) if self._over else self._execute()
        if type(result) in PLAIN:
            self._loop.callFromThread(self._finish, went_well, result)
        else:  # a coroutine, say, is to begin with the variables that are set here
            self._loop.callFromThread(copy_context().run, self._finish, went_well, result)

    def _execute(self) -> tuple[bool, object]:
        request = self._request
        inbound = request.inbound
        if request.deadline is not None:
            call = inbound.call_until(request.deadline, begun=False)
            if call.time_left() == 0:
                return False, TimeoutError(call.why_over)
        if inbound.config.call_timeout is not None:
            self._loop.callFromThread(self._begun)
        return request.execute(inbound.connection.view)


def drop(result: Any) -> None:
    """Drop a result that nobody gets, so that nothing is logged of it. In the loop's thread."""
    kind = type(result)
    if kind is CoroutineType:
        result.close()
    elif issubclass(kind, Deferred):
        follow(result).addErrback(lambda _failure: None).cancel()
