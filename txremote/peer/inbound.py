"""
The peer's requests: decoded in order, run by the executor, answered once.

A request is unboxed the moment it arrives, even if it runs later elsewhere: an id means what
it meant when it was sent. A result that is still to come holds up no other request; the peer,
``call_timeout`` and the end of the connection cancel it. A bad request costs the peer that call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, Never, TypeAlias

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txremote.config import ConnectionConfig
from txremote.errors import CallCut, RemoteProtocolError, ServerStopping
from txremote.gate.access import AccessPolicy
from txremote.peer.answers import Answers
from txremote.peer.call_ledger import CallLedger, cancel_at_end
from txremote.peer.called import Called, called_by, called_later
from txremote.peer.context import CurrentCall, current
from txremote.peer.executor import Executor
from txremote.peer.handlers import HANDLERS, Handler, RequestKind
from txremote.peer.kept import Dependent, KeptResults
from txremote.peer.lasting import Unlimited
from txremote.peer.lifecycle import DRAINING
from txremote.peer.outbox import Outbox
from txremote.peer.ports import ConnectionPort
from txremote.peer.references import VALUES, ReferenceTables
from txremote.peer.request import MakeRequest, Request
from txremote.peer.timeouts import NO_TIMEOUTS, Timeouts
from txremote.peer.variables import Variables
from txremote.peer.waiting import Waiting
from txremote.peer.with_values import call_with_values, check_target
from txremote.refs.reference import RemoteReference
from txremote.refs.sharing import Follower
from txremote.wire.consts import (
    FEATURE_KEEPALIVE,
    FEATURE_OPERATIONS,
    FEATURE_VALUES,
    FEATURES,
    HANDLE_DESCRIBE,
    HANDLE_INSPECT,
)
from txremote.wire.keys import check_pack, key_of
from txremote.wire.native import mypyc_attr

# Seconds more than a caller's own deadline. A caller that gives up sends a CANCEL, which
# says more than our TimeoutError; the deadline is for the case that none comes.
_GRACE = 1.0


# one for all connections: each has a name for it
_FEATURES_OF_SERVERS: Final[tuple[str, ...]] = (*FEATURES, FEATURE_KEEPALIVE)

#: Gives a connection what its user may do with the server, or raises PermissionError.
Operations: TypeAlias = Callable[[Any], object]


def features_of(executor: Executor[Never]) -> tuple[str, ...]:
    """Return what this side knows beyond RPyC's protocol."""
    return _FEATURES_OF_SERVERS if executor.always_serves else FEATURES


def pass_on_to(owner: object, handler: int, serving: InboundCalls, *args: object) -> object:
    """Pass a request of a handler's number on to its owner; for `partial`, which shows them."""
    return serving.pass_on(owner, handler, args)


def _ignore(_arguments: object) -> None:
    pass


@mypyc_attr(allow_interpreted_subclasses=True)
class InboundCalls:
    """
    Serves the peer of one connection (`txremote.peer.handlers.Serving`).

    Attributes:
        refusal: The answer to the first request, which is the last, of a peer that is
            turned away; None for others.
        operations: Gives a connection what its user, an operator, may do with the server, or
            raises PermissionError; None where nobody is an operator.
        make_request: Makes each request: `Request`, or a maker of an observer's.
        take_context: Takes the arguments of a TRACE; a tracer's.
    """

    __slots__ = (
        "_clock",
        "_context",
        "_deadline",
        "_kept",
        "answers",
        "config",
        "connection",
        "features",
        "ledger",
        "make_request",
        "operations",
        "policy",
        "received",
        "refusal",
        "root",
        "steady_call",
        "tables",
        "take_context",
        "timeouts",
        "variables",
    )

    def __init__(
        self,
        connection: ConnectionPort,
        *,
        root: object,
        config: ConnectionConfig,
        policy: AccessPolicy,
        tables: ReferenceTables,
        outbox: Outbox,
        clock: IReactorTime | None,
        variables: Variables | None = None,
        make_request: MakeRequest = Request,
    ) -> None:
        executor = connection.executor
        self.make_request = make_request
        self.take_context: Callable[[object], None] = _ignore
        self.root = root
        self.config = config
        self.policy = policy
        self.tables = tables
        self.features = features_of(executor)
        self.operations: Operations | None = None
        self.connection = connection
        self.variables = executor.variables() if variables is None else variables
        self.answers = Answers(connection, tables=tables, outbox=outbox)
        self._clock = clock
        self.steady_call: CurrentCall | None = None
        self._deadline: tuple[int, float] | None = None
        self._context: object = None  # the arguments of the last TRACE, where results are kept
        self._kept: KeptResults | None = None
        self.ledger: CallLedger[Request] = CallLedger(executor, connection)
        self.timeouts: Timeouts = NO_TIMEOUTS
        self.received = 0
        self.refusal: Exception | None = None

    def __len__(self) -> int:
        return len(self.ledger) + len(self.depending)

    @property
    def depending(self) -> Collection[Dependent]:
        """The calls that wait for results of others. For reading only."""
        return () if self._kept is None else self._kept.waiting.values()

    def offer_operations(self, operations: Operations) -> None:
        """Let operators in, and say so in HELLO. To be called before the peer says anything."""
        self.operations = operations
        self.features = (*self.features, FEATURE_OPERATIONS)

    def call_until(self, deadline: float | None, begun: bool = True) -> CurrentCall:
        """
        Return what `current_call` gives to a request that starts now.

        Args:
            begun: Whether ``call_timeout`` runs, too.
        """
        if deadline is None:
            if self.steady_call is not None:
                return self.steady_call
            if self.config.call_timeout is None or self._clock is None:
                call = CurrentCall(self.connection)
                if self.received:  # not for the root alone: most connections of many are idle
                    self.steady_call = call
                return call
        why, grace = "cancelled: its caller waits no longer", _GRACE
        if begun and self.config.call_timeout is not None and self._clock is not None:
            own = self._clock.seconds() + self.config.call_timeout
            if deadline is None or own < deadline:
                deadline, grace = own, 0.0
                why = f"cancelled after {self.config.call_timeout:g} s (option call_timeout)"
        return CurrentCall(self.connection, deadline, why, grace)

    def expect_deadline(self, number: int, seconds: float) -> None:
        """Note how much time the caller gives to the request that comes next."""
        if self._clock is not None:
            self._deadline = (number, self._clock.seconds() + seconds)

    def request_received(
        self, number: int, sender: int, handler: int, args: Any, size: int
    ) -> None:
        """Start a request of the peer; ``sender`` is the thread id that came with it."""
        kind = HANDLERS.get(handler)
        if kind is None or not kind.in_order:
            self.received += 1
            self.timeouts.active = True
        elif not kind.answered:
            kind.function(self, args, size)
            self.tables.noted = None
            return
        if self.refusal is not None:
            self.answers.send_error(number, sender, self.refusal)
            self.connection.closing.hang_up(str(self.refusal))
            return
        has_values = False
        try:
            if self.tables.noted is not None:
                if self.tables.check_noted():
                    self._receive_dependent(number, sender, handler, kind, args, size)
                    return
                has_values = True
            if kind is None:
                raise KeyError(handler)  # what a stock peer says, too
            function = self._function(number, handler, kind, args)
            if has_values:
                check_target(kind, args)
        except Exception as error:
            self.answers.send_error(number, sender, error)
            return
        forwarded = function is not kind.function
        if has_values and not forwarded:
            function = partial(call_with_values, function, args)
        deadline = None
        if self._deadline is not None:
            expected, self._deadline = self._deadline, None
            if expected[0] == number:
                deadline = expected[1]
        request = self.make_request(self, number, sender, function, args, forwarded, deadline, size)
        try:
            if forwarded or not kind.in_order:
                self.ledger.admit(request)
                return
            if number in self.ledger:
                raise RemoteProtocolError(f"request {number} is still unanswered")
        except Exception as error:
            request.fail(error)
            return
        request.run()

    def _receive_dependent(
        self, number: int, sender: int, handler: int, kind: RequestKind | None, args: Any, size: int
    ) -> None:
        """Take in a request that uses results of calls. Raises what it is to be answered with."""
        if kind is None:
            raise KeyError(handler)
        if kind.in_order or type(args) is not tuple:
            raise TypeError("only calls use results of other calls")
        call = Dependent(number, sender, handler, args, size)
        call.deadline, self._deadline = self._deadline, None
        call.context, self._context = self._context, None
        self.keeping().receive(call)

    def receive_again(self, call: Dependent, has_values: bool, accepted: bool) -> None:
        """Receive a request whose results are in their places (`txremote.peer.kept`)."""
        tables, ledger = self.tables, self.ledger
        # of what is being read meanwhile
        noted, deadline = tables.noted, self._deadline
        tables.noted, self._deadline = VALUES if has_values else None, call.deadline
        ledger.accepted = call.number if accepted else None
        self.received -= 1  # it has been counted
        if call.context is not None:
            self.take_context(call.context)
        try:
            self.request_received(call.number, call.sender, call.handler, call.args, call.size)
        finally:
            tables.noted, self._deadline = noted, deadline
            ledger.accepted = None
            if self._context is not None:
                self.take_context(self._context)

    def keeping(self) -> KeptResults:
        """Return the results that further calls use; few connections have any."""
        if self._kept is None:
            self._kept = self.answers.kept = KeptResults(self)
        return self._kept

    def note_context(self, arguments: object) -> None:
        """Take the arguments of a TRACE: of which trace the next request is a part."""
        self._context = arguments if self._kept is not None else None
        self.take_context(arguments)

    def _function(self, number: int, handler: int, kind: RequestKind, args: object) -> Handler:
        if type(args) is not tuple:
            raise TypeError("the arguments of a request are a tuple")
        if kind.forwarded:
            if args and type(args[0]) is RemoteReference:
                owner = args[0]._connection
                ours: object = self.connection
                if owner is ours:
                    raise TypeError("the object is yours, not mine")
                return partial(pass_on_to, owner, handler)
        elif kind.forwarded_by_pack and args:
            export = self.tables.exports.find(key_of(check_pack(args[0])))
            if export is not None and type(export.target) is RemoteReference:
                third = export.target  # the answer takes as long as its owner does
                owner = third._connection
                if handler == HANDLE_DESCRIBE and FEATURE_VALUES not in owner.features:
                    handler = HANDLE_INSPECT  # which the owner knows, and which tells less
                return lambda *_args: self.pass_on(owner, handler, (third._pack,))
        return kind.function

    def pass_on(self, owner: Any, handler: int, args: tuple[object, ...]) -> Any:
        """Pass a request on to an object's connection; return what `Executor.forward` does."""
        return owner.executor.forward(
            owner, handler, args, not self.connection.executor.always_serves
        )

    # -- answers

    def wait_for(self, request: Request, deferred: Deferred[object], call: CurrentCall) -> None:
        """Answer a request when a Deferred fires, in whichever thread that is."""
        if self.connection.closed:
            deferred.addErrback(lambda _failure: None)
            cancel_at_end(deferred)
            return
        unfinished = not deferred.called or deferred.paused  # paused: it waits for another
        if (
            unfinished
            and call.deadline is not None
            and self._clock is not None
            and type(deferred) is not Unlimited
        ):
            left = max(0.0, call.deadline + call.grace - self._clock.seconds())
            deferred.addTimeout(left, self._clock)
        waiting: Waiting = (request.waits_as or Waiting)(self, request, deferred, call)
        self.ledger.begin(waiting)
        if type(deferred) is Follower:
            deferred.when_dropped = waiting.dropped
        deferred.addBoth(waiting)

    def note_answered(self) -> None:
        """Note that a request is answered that took its time."""
        self.timeouts.note_activity()
        self.close_if_drained()

    def cancel(self, number: int) -> None:
        """Cancel what runs for a request, if it still does."""
        waiting = self.ledger.cancel(number)
        if waiting is not None:
            waiting.fail(defer.CancelledError())
            self.close_if_drained()
        elif self._kept is not None:
            self._kept.cancel(number)

    def start_waiting(self) -> None:
        """Start the requests that may start by now, and close if those were the last."""
        self.ledger.start_waiting()
        self.close_if_drained()

    # -- the end

    def close_if_drained(self) -> None:
        """Close the connection if it drains and all its requests are answered."""
        connection = self.connection
        if connection.state is not DRAINING or len(self) or connection.executor.busy():
            return
        if connection.closing.awaited:
            return
        call = current.get(None)
        if call is not None and call.connection is connection and self._clock is not None:
            # within a request, whose answer is still to come
            self._clock.callLater(0, self.close_if_drained)
            return
        connection.closing.hang_up(connection.closing.why)

    def unanswered(self) -> list[Called]:
        """Return what the calls are calls of that run or wait."""
        running = [call.called for call in self.ledger.running]
        waiting = [called_by(request) for request in self.ledger.waiting.values()]
        depending = [called_later(call.handler, call.args) for call in self.depending]
        return running + waiting + depending

    def cut(self, why: str) -> None:
        """Answer all requests with an error, and cancel them: this side waits no longer."""
        unbegun = ServerStopping(why)
        words = f"{why}: it has cut this call, which had begun"
        # programs of RPyC's catch what a connection that is lost raises
        cut = CallCut(words) if self.connection.features else EOFError(words)
        if self._kept is not None:
            self._kept.cut(unbegun)
        for request in self.ledger.cut(cut, unbegun):
            request.fail(unbegun)

    def stop(self) -> None:
        """Cancel all requests: the connection has ended and nobody waits any more."""
        self.ledger.stop()
        if self._kept is not None:
            self._kept.stop()
