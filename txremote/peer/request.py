"""
One request of the peer: where it runs, and how it gets its answer.

In a reactor it is run and answered at once. Where it may block it is executed in another
thread, and finished in the connection's own context.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeAlias

from twisted.internet.defer import Deferred

from txremote.peer.answers import Answers
from txremote.peer.awaiting import awaited
from txremote.peer.context import CurrentCall, current
from txremote.peer.error_report import ErrorReport
from txremote.peer.halfway import Halfway
from txremote.peer.handlers import Handler
from txremote.peer.ports import ConnectionPort
from txremote.refs.threadguard import check_stack
from txremote.wire.native import mypyc_attr
from txremote.wire.plain import PLAIN


class RequestOwner(Protocol):
    """The peer's calls (`txremote.peer.inbound.InboundCalls`), as one of them knows them."""

    answers: Answers
    #: What `call_until` gives where nothing limits a call, for all of them look the same. None
    #: where ``call_timeout`` does, and before the first.
    steady_call: CurrentCall | None

    @property
    def connection(self) -> ConnectionPort:
        """The connection that they came over."""

    def call_until(self, deadline: float | None) -> CurrentCall:
        """Return what `current_call` gives to a request that starts now."""

    def wait_for(self, request: Request, deferred: Deferred[object], call: CurrentCall) -> None:
        """Answer a request when a Deferred fires."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Request:
    """One request of the peer, decoded and not yet answered."""

    __slots__ = ("args", "deadline", "forwarded", "handler", "inbound", "number", "sender", "size")

    #: What stands for it in the ledger while a Deferred has not fired, if not a `Waiting`.
    waits_as: ClassVar[Callable[..., Any] | None] = None
    #: When it was received, in nanoseconds of `time.perf_counter_ns`; 0: nobody measures that.
    begun = 0

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
        self.inbound = inbound
        self.size = size  # of its message, in bytes
        self.deadline = deadline  # the caller's own, or None
        self.number = number
        self.sender = sender
        self.handler = handler
        self.args = args
        self.forwarded = forwarded

    def run(self) -> None:
        """Run it and answer it, in the connection's own context."""
        inbound = self.inbound
        call = inbound.steady_call
        if call is None or self.deadline is not None:
            call = inbound.call_until(self.deadline)
        token = current.set(call)
        try:
            result = self.handler(inbound, *self.args)
            if type(result) not in PLAIN:
                result = awaited(result, inbound.connection)
        except BaseException as error:  # it is the peer's to see, whatever it is
            self.fail(error)
            return
        finally:
            current.reset(token)
        self._answer(result, call)

    def execute(self, view: Any) -> tuple[bool, object]:
        """
        Run it in a thread that may block, with netrefs for references; return whether it went
        well, and the result or an `ErrorReport`.
        """
        inbound = self.inbound
        token = current.set(inbound.call_until(self.deadline))
        try:
            check_stack()  # leave headroom: nested callbacks share this stack
            if self.forwarded:
                return True, self.handler(inbound, *self.args)
            result = self.handler(inbound, *view.to_netrefs(self.args))
            if type(result) is Halfway:
                return True, Halfway(result.position, view.from_netrefs(result.value))
            return True, view.from_netrefs(result)
        except BaseException as error:  # it is the peer's to see, whatever it is
            return False, inbound.answers.report(error)  # here, where netrefs can be asked
        finally:
            current.reset(token)

    def begin(self, went_well: bool, result: object) -> tuple[bool, object]:
        """
        Begin what is to be waited for, which is the service's own code and may take long: a
        coroutine's first step, say. Return the arguments of `answer`.
        """
        if not went_well:
            return False, result
        inbound = self.inbound
        token = None
        try:
            if type(result) not in PLAIN:
                token = current.set(inbound.call_until(self.deadline))
                result = awaited(result, inbound.connection)
        except BaseException as error:  # looking at a result runs its class's code
            return False, inbound.answers.report(error)
        finally:
            if token is not None:
                current.reset(token)
        return True, result

    def finish(self, went_well: bool, result: object) -> KeyboardInterrupt | None:
        """Answer with what `execute` gave; return what `Answers.send` does."""
        return self.answer(*self.begin(went_well, result))

    def answer(self, went_well: bool, result: Any) -> KeyboardInterrupt | None:
        """Answer with what `begin` gave; return what `Answers.send` does."""
        if went_well:
            return self._answer(result, self.inbound.call_until(self.deadline))
        self.fail(result)
        return None

    def fail(self, error: BaseException | ErrorReport) -> None:
        """Answer it with an exception, in the connection's own context."""
        self.inbound.answers.send_error(self.number, self.sender, error)

    def _answer(self, result: Any, call: CurrentCall) -> KeyboardInterrupt | None:
        kind = type(result)
        if kind not in PLAIN and issubclass(kind, Deferred):  # Deferred is an ABC: that costs
            self.inbound.wait_for(self, result, call)
            return None
        return self.inbound.answers.send(self.number, self.sender, result)


#: Makes the request of a message. It takes what `Request` takes, and `Request` is the usual one;
#: another may time a request, or wrap its handler, and calls the next maker then.
MakeRequest: TypeAlias = Callable[
    [RequestOwner, int, int, Handler, tuple[object, ...], bool, float | None, int], Request
]
