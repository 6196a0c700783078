"""
This side's requests: how they are written, and which answer is waited for.

A Deferred is stored under its number *before* the request is written, for a
transport may answer inside ``write``. A stock RPyC is asked in steps that it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Never, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txremote.config import ConnectionConfig
from txremote.errors import DeadReferenceError, NotSendable, WrongValue
from txremote.peer.awaiting import awaited
from txremote.peer.executor import Executor
from txremote.peer.graphs import Graphs
from txremote.peer.halfway import Halfway, go_on
from txremote.peer.imports import ReleaseQueue
from txremote.peer.lifecycle import CLOSING
from txremote.peer.outbox import Outbox
from txremote.peer.pending_calls import PendingCalls
from txremote.peer.ports import ConnectionPort
from txremote.peer.promise import StillToCome, failed_call
from txremote.peer.references import ReferenceTables
from txremote.peer.unanswered_call import UnansweredCall, keep_received
from txremote.refs.reference import RemoteReference
from txremote.refs.value_calls import ValueCalls
from txremote.wire import consts
from txremote.wire.boxing import EMPTY_TUPLE
from txremote.wire.consts import FEATURE_DEADLINE
from txremote.wire.messages import call_head, del_request, request_head
from txremote.wire.native import mypyc_attr
from txremote.wire.values import AsValue

T = TypeVar("T")

#: Most references that one RELEASE gives back.
RELEASED_AT_ONCE = 1000

# A caller that makes up names (a peer may, through a forwarded CALLPATH) must
# not fill the memory with encoded ones.
_MOST_PREFIXES = 100
_LONGEST_PREFIX = 1000


@mypyc_attr(allow_interpreted_subclasses=True)
class OutboundCalls:
    """The requests that one connection sends to its peer; ``pending`` wait for an answer."""

    __slots__ = ("_config", "_connection", "_graphs", "_outbox", "_tables", "_write", "pending")

    def __init__(
        self,
        connection: ConnectionPort,
        *,
        config: ConnectionConfig,
        tables: ReferenceTables,
        outbox: Outbox,
        executor: Executor[Never],
        clock: IReactorTime | None,
    ) -> None:
        self._connection = connection
        self._config = config
        self._tables = tables
        self._outbox = outbox
        # writes the requests that are answered; a tracer's writes their context before them
        self._write: Callable[[int, list[bytes]], None] = outbox.request
        self.pending = PendingCalls(clock, executor.fire, self._abandoned, executor.guard)
        self.pending.outbound = self
        self._graphs: Graphs | None = None

    def graphs(self, kind: type[Graphs] = Graphs) -> Graphs:
        """Return what makes the calls that use results of others; few connections have any."""
        if self._graphs is None:
            self._graphs = kind(
                self._connection,
                self,
                config=self._config,
                tables=self._tables,
                outbox=self._outbox,
            )
        return self._graphs

    def call(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
        to_the_end: bool = True,
    ) -> Deferred[object]:
        """
        Call what a path of names leads to, or read it; see `Connection.call`.

        Args:
            args: The arguments, or None to read.
            deadline: Seconds after which the caller gives up by itself, of which a txremote
                peer is told; None for the time that calls have.
            to_the_end: Whether what the peer leaves of the path is done here. If
                not, the result may be a `Halfway`.
        """
        steps = len(names)
        if steps > 1 and consts.FEATURE_HALFWAY not in self._connection.features:
            found = self._step_by_step(reference, names, args, kwargs, deadline)
            return self._to_the_end(found, names, args, kwargs, deadline) if to_the_end else found
        if args is None and steps == 1:
            named = (reference, names[0])
            return self.request_with_default_timeout(consts.HANDLE_GETATTR, named, deadline)
        try:
            # a cache bought by the benchmark row "pipelined": encoding anew takes 1 us of 12
            prefixes = reference._call_prefixes
            head = prefixes.get(names) if prefixes is not None else None
            if head is None:
                if type(prefixes) is ValueCalls and args is not None and names in prefixes.plans:
                    return self._call_planned(reference, names, args, kwargs, deadline)
                head = _new_head(reference, names, reference._start_call_prefixes())
            body = [head]
            if args is None:
                self._tables.box(body, None, ())
            elif kwargs:
                self._tables.box(body, args, tuple(kwargs.items()))
            else:
                self._tables.box(body, args)
                body.append(EMPTY_TUPLE)
        except NotSendable as error:
            if type(error) is StillToCome and args is not None:
                return self.graphs().call(reference, names, args, kwargs, deadline)
            return failed_call(error)
        timeout, option = self.default_timeout() if deadline is None else (None, None)
        asked = self._send(body, steps, timeout, option, deadline)
        if not self._connection.features:
            return _kept(asked, reference, args, kwargs)
        if steps > 1 and to_the_end:
            return self._to_the_end(asked, names, args, kwargs, deadline)
        return asked

    def _call_planned(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
        deadline: float | None,
    ) -> Deferred[object]:
        """Make a call that takes values; see `ValueCalls`."""
        calls = reference._call_prefixes
        assert type(calls) is ValueCalls
        plan = calls.plans[names]
        body = [calls.heads.get(names) or _new_head(reference, names, calls.heads)]
        try:
            args, kwargs = plan.prepared(args, kwargs)
            if not kwargs and AsValue in map(type, args):
                self._tables.box_marked(body, args)
                body.append(EMPTY_TUPLE)
            else:
                self._tables.box(body, args, tuple(kwargs.items()))
        except (NotSendable, WrongValue) as error:
            if type(error) is StillToCome:
                return self.graphs().call(reference, names, args, kwargs, deadline)
            return failed_call(error)
        timeout, option = self.default_timeout() if deadline is None else (None, None)
        asked = self._send(body, len(names), timeout, option, deadline)
        if not self._connection.features:
            asked = _kept(asked, reference, args, kwargs)
        return _owned(plan.answered(asked))

    def send_call(self, body: list[bytes], steps: int, deadline: float | None) -> Deferred[object]:
        """Send a request that may take as long as calls may; see `call`."""
        timeout, option = self.default_timeout() if deadline is None else (None, None)
        return self._send(body, steps, timeout, option, deadline)

    def call_received(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None = None,
    ) -> Deferred[object]:
        """Do as `call`; a value is given as it was unboxed (`ReceivedValue`), for a thread."""
        asked = self.call(reference, names, args, kwargs, deadline)
        if type(asked) is UnansweredCall:  # as keep_received, without the call
            asked._keeps = True
        return asked

    def _step_by_step(
        self,
        reference: RemoteReference,
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None,
    ) -> Deferred[object]:
        """Go a path as a stock peer knows it, a request for each name but the last."""

        def go(step: object) -> object:
            if type(step) is RemoteReference:
                return step._call(names[-1:], args, kwargs, deadline)
            return step if type(step) is Halfway else Halfway(len(names) - 1, step)

        leading = self.call(reference, names[:-1], None, {}, deadline, to_the_end=False)
        return _owned(leading.addCallback(go))

    def _to_the_end(
        self,
        found: Deferred[object],
        names: tuple[str, ...],
        args: tuple[object, ...] | None,
        kwargs: dict[str, object],
        deadline: float | None,
    ) -> Deferred[object]:
        """Do here what the peer leaves of a path."""

        def go(result: object) -> object:
            if type(found) is UnansweredCall:
                found._own = 0
            if type(result) is not Halfway:
                return result
            return awaited(go_on(result, names, args, kwargs, deadline), self._connection)

        return _owned(found.addCallback(go))

    def left_halfway(self, number: int, left: Halfway) -> None:
        """Take in how far the path of a call came. Raises as `PendingCalls.left_halfway` does."""
        self.pending.left_halfway(number, left)

    def request_with_default_timeout(
        self, handler: int, args: tuple[object, ...], deadline: float | None = None
    ) -> Deferred[object]:
        """Send a request by its number, which may take as long as calls may; see `call`."""
        timeout, option = self.default_timeout() if deadline is None else (None, None)
        return self.request(handler, args, timeout, option, deadline)

    def request_received(
        self, handler: int, args: tuple[object, ...], deadline: float | None = None
    ) -> Deferred[object]:
        """Do as `request_with_default_timeout`; a value is given as it was unboxed."""
        return keep_received(self.request_with_default_timeout(handler, args, deadline))

    def default_timeout(self) -> tuple[float | None, str]:
        """Return how many seconds a call may take, and the option that says so."""
        if self._connection.knows_peer:
            return self._config.request_timeout, "request_timeout"
        # a stock client serves our calls only while it waits for its own
        return self._config.sync_request_timeout, "sync_request_timeout"

    def request(
        self,
        handler: int,
        args: tuple[object, ...],
        timeout: float | None = None,
        option: str | None = "sync_request_timeout",
        deadline: float | None = None,
    ) -> Deferred[object]:
        """
        Send a request by its number.

        Args:
            timeout: Seconds, or None for ever.
            option: Which option the time-out is from, for its error.
            deadline: As for `call`.
        """
        body = [request_head(handler)]
        try:
            self._tables.box(body, args)
        except NotSendable as error:
            return failed_call(error)
        asked = self._send(body, 0, timeout, option, deadline)
        return asked if self._connection.features else _kept(asked, args)

    def _send(
        self,
        body: list[bytes],
        steps: int,
        timeout: float | None,
        option: str | None,
        deadline: float | None,
    ) -> Deferred[object]:
        connection = self._connection
        if connection.state >= CLOSING:
            self._tables.take_back()
            return failed_call(
                DeadReferenceError(f"the connection has ended: {connection.why_ended}")
            )
        if self._tables.imports.released.dirty:
            self.flush_released()
        inbound = connection.inbound
        inbound.timeouts.active = True
        number, deferred = self.pending.add(timeout, option, steps)
        if self._outbox.pressing or inbound.ledger.waiting:
            connection.backpressure.peer_needed()
        if deadline is None and option == "request_timeout":
            deadline = timeout
        if deadline is not None and deadline < inf and FEATURE_DEADLINE in connection.features:
            self.send_oneway(consts.HANDLE_DEADLINE, number, int(deadline * 1000))
        try:
            self._write(number, body)
        except NotSendable as error:
            self.pending.pop(number)
            self._tables.take_back()
            return failed_call(error)
        return deferred

    def send_oneway(self, handler: int, *args: object) -> None:
        """Send a request whose answer is of no interest."""
        body = [request_head(handler)]
        self._tables.box(body, args)
        self._outbox.request(self.pending.skip(), body)

    def _abandoned(self, number: int) -> None:
        if not self._connection.closed and consts.FEATURE_CANCEL in self._connection.features:
            self.send_oneway(consts.HANDLE_CANCEL, number)

    @property
    def released(self) -> ReleaseQueue:
        """The references that have died and that the peer has not been told of."""
        return self._tables.imports.released

    def flush_released(self) -> None:
        """Tell the peer which of its objects, and of its results, are not held here any more."""
        if self._graphs is not None:
            self._graphs.forget_ended()
        dead = self._tables.imports.take_released()
        if not dead or self._connection.state >= CLOSING:
            return
        if consts.FEATURE_RELEASE in self._connection.features:
            pairs = tuple(dead.values())
            # in parts, else many would meet the peer's max_items and none be released
            for start in range(0, len(pairs), RELEASED_AT_ONCE):
                self.send_oneway(consts.HANDLE_RELEASE, pairs[start : start + RELEASED_AT_ONCE])
            return
        for key, (_pack, count) in dead.items():
            self._outbox.request(self.pending.skip(), [del_request(key, count)])


def _new_head(
    reference: RemoteReference, names: tuple[str, ...], heads: dict[tuple[str, ...], bytes]
) -> bytes:
    """Return what a call begins with, up to its arguments, and keep it."""
    head = call_head(reference._key, names)
    if len(heads) < _MOST_PREFIXES and len(head) < _LONGEST_PREFIX:
        heads[names] = head
    return head


def _kept(asked: Deferred[object], *held: object) -> Deferred[object]:
    """
    Keep what a request is about until it is answered: where a peer serves in several threads
    (rpyc 6.0.2 with bind_threads, or a BgServingThread), a DEL could overtake the request.
    """
    return _owned(asked.addBoth(_first, held))


def _owned(asked: Deferred[object]) -> Deferred[object]:
    """Note that the callbacks of a call, just made, belong to it; return it."""
    if type(asked) is UnansweredCall:
        asked._own_callbacks()
    return asked


def _first(result: object, _held: object) -> object:
    return result
