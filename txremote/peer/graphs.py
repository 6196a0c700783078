"""
`Graphs`: calls of ours that use results of others of ours, at one peer, before these are there.

The peer has to know before a call that its result will be asked for, and nobody can tell when the
call is made. So the requests of a turn are gathered in the outbox, and the first call that uses the
result of another puts a KEEP with that one's number before them. The numbers of calls that use
others stand in it, too: chains are common. When a call has ended, in whichever way, the peer is
told to FORGET it, with others in one message.

Where that cannot be, the call is made when the results are there (`call_when_known`), which takes
a round trip more: the peer knows no promises, a call has left already without a KEEP, callbacks of
the program's stand before a result, too many results are kept, or a chain is too long. So it is
where the peer finds that a result is none to call anything of, since it went as a value: then it
answers with HALFWAY, before it has done anything.
"""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from txremote.config import ConnectionConfig
from txremote.errors import AsyncResultTimeout, NotSendable
from txremote.peer.awaiting import awaited
from txremote.peer.halfway import Halfway
from txremote.peer.imports import ReleaseQueue
from txremote.peer.lifecycle import CLOSING
from txremote.peer.outbox import Outbox
from txremote.peer.pending_calls import PendingCalls
from txremote.peer.ports import ConnectionPort
from txremote.peer.promise import (
    Args,
    Kwargs,
    Note,
    Promise,
    call_when_known,
    failed_call,
    filled,
    note_of,
    promise_of,
    promises_in,
)
from txremote.peer.references import Promised, ReferenceTables
from txremote.peer.unanswered_call import UnansweredCall
from txremote.refs.ports import Answer
from txremote.refs.reference import RemoteReference
from txremote.wire.boxing import EMPTY_TUPLE, VALUE_HEAD
from txremote.wire.brine import dump, dump_int
from txremote.wire.consts import (
    FEATURE_GRAPHS,
    HANDLE_FORGET,
    HANDLE_KEEP,
)
from txremote.wire.framing import frame_chunks
from txremote.wire.keys import LOCAL_REF_HEAD, PROMISE_HEAD
from txremote.wire.messages import head_of_call, head_of_read, request_head

#: How many calls may depend on each other, one behind the other, before the first is answered.
MOST_DEPTH = 100

# What is sent with a call at most: its KEEP, DEADLINE, TRACE, what is released, and itself.
_FRAMES = 6

_KEEP = request_head(HANDLE_KEEP) + VALUE_HEAD
_FORGET = request_head(HANDLE_FORGET) + VALUE_HEAD


class GraphsOwner(Protocol):
    """The requests of the connection (`txremote.peer.outbound.OutboundCalls`)."""

    pending: PendingCalls

    def send_call(self, body: list[bytes], steps: int, deadline: float | None) -> Answer:
        """Send a request that may take as long as calls may."""

    @property
    def released(self) -> ReleaseQueue:
        """The references that the peer is told of with the next message."""


class Graphs:
    """
    The calls of one connection that use results of others.

    Attributes:
        kept: The numbers of the calls whose results the peer keeps.
    """

    __slots__ = (
        *("_config", "_connection", "_first", "_outbound", "_outbox", "_over", "_tables"),
        *("_told", "kept"),
    )

    def __init__(
        self,
        connection: ConnectionPort,
        outbound: GraphsOwner,
        *,
        config: ConnectionConfig,
        tables: ReferenceTables,
        outbox: Outbox,
    ) -> None:
        self._connection = connection
        self._outbound = outbound
        self._config = config
        self._tables = tables
        self._outbox = outbox
        self._first = b""  # the KEEP that was gathered last
        self._told: tuple[int, ...] = ()  # the numbers in it
        self._over: list[int] = []  # whose results the peer may forget
        self.kept: set[int] = set()

    def call(
        self,
        target: Promise | RemoteReference,
        names: tuple[str, ...],
        args: Args | None,
        kwargs: Kwargs,
        deadline: float | None,
    ) -> Answer:
        """Call what a path leads to, with promises for results, as `OutboundCalls.call` does."""
        if not any(True for _each in promises_in((target, args, tuple(kwargs.values())))):
            # it is in what no promise may be in, such as a list
            return failed_call(NotSendable("a Deferred is not its result: await it first"))
        connection = self._connection
        at = _if_known(target) if isinstance(target, Promise) else target
        if (
            self._is_there(at)
            and FEATURE_GRAPHS in connection.features
            and connection.state < CLOSING
        ):
            given, named = filled(args, _if_known), filled(kwargs, _if_known)
            needed = list(promises_in((at, given, tuple(named.values()))))
            self._outbox.gather_again()
            if needed and all(self._is_usable(each) for each in needed):
                return self._send(at, names, given, named, deadline, needed)
        return self._call_here(target, names, args, kwargs, deadline)

    def _call_here(
        self,
        target: object,
        names: tuple[str, ...],
        args: Args | None,
        kwargs: Kwargs,
        deadline: float | None,
    ) -> Promise:
        finish = partial(awaited, connection=self._connection)
        return call_when_known(target, names, args, kwargs, deadline, finish)

    def _is_there(self, target: object) -> bool:
        """Tell whether something is, or may be, an object of the peer's."""
        if type(target) is not RemoteReference:
            return isinstance(target, Promise)
        owner: object = target._connection
        return owner is self._connection

    def _is_usable(self, call: Promise) -> bool:
        """Tell whether the peer has the result of a call for others, or can still be told to."""
        note = note_of(call)
        if note.known or call.called or call._late or call._depth >= MOST_DEPTH:
            return False
        pending = self._outbound.pending
        if getattr(call._canceller, "__self__", None) is not pending:
            return False
        if call._number in self.kept:
            return True
        room = len(self.kept) + 2 <= self._config.max_promises
        return room and note.plain and self._outbox.holds(call._number)

    def _send(
        self,
        target: Promise | RemoteReference,
        names: tuple[str, ...],
        args: Args | None,
        kwargs: Kwargs,
        deadline: float | None,
        needed: list[Promise],
    ) -> Answer:
        try:
            body = self._body(target, names, args, kwargs)
        except NotSendable as error:
            return failed_call(error)
        new = {each._number: each for each in needed if each._number not in self.kept}
        if new:
            self._keep(new)
        self._outbox.make_room(_FRAMES)
        # so many steps: HALFWAY may say that it was left at the first, or before
        asked = self._outbound.send_call(body, -1 - len(names), deadline)
        if type(asked) is not UnansweredCall:
            return asked
        asked._depth = 1 + max([each._depth for each in needed])
        asked._own = 1

        context = copy_context()  # what is left of it is its caller's, too

        def resume(result: object) -> object:
            asked._own = 0
            if type(result) is not Halfway:
                return result
            at = target if result.position == 0 else result.value
            left = names[result.position :]
            return context.run(self._call_here, at, left, args, kwargs, deadline)

        asked.addCallback(resume)
        if len(self.kept) < self._config.max_promises and self._outbox.holds(asked._number):
            self._keep({asked._number: asked})
        for each in needed:
            note = note_of(each)
            note.use()
            note.watch(partial(self._ended_with, note, asked))
        return asked

    def _body(
        self,
        target: Promise | RemoteReference,
        names: tuple[str, ...],
        args: Args | None,
        kwargs: Kwargs,
    ) -> list[bytes]:
        if isinstance(target, Promise):
            boxed = PROMISE_HEAD + dump_int(promise_of(target)._number)
        else:
            boxed = LOCAL_REF_HEAD + target._key
        if args is None and len(names) == 1:
            return [head_of_read(boxed, names[0])]
        body = [head_of_call(boxed, names)]
        if args is None:
            self._tables.box(body, None, ())
            return body
        args, kwargs = filled(args, _promised), filled(kwargs, _promised)
        if kwargs:
            self._tables.box(body, args, tuple(kwargs.items()))
        else:
            self._tables.box(body, args)
            body.append(EMPTY_TUPLE)
        return body

    # -- what the peer keeps

    def _keep(self, calls: dict[int, Promise]) -> None:
        """Tell the peer, before all that is gathered, to keep the results of calls."""
        outbox, pending = self._outbox, self._outbound.pending
        assert outbox.dialect is not None  # the peer has said what it knows
        numbers = tuple(calls)
        if outbox.is_first(self._first):
            numbers = (*self._told, *numbers)
        head = outbox.dialect.request + dump_int(pending.skip())
        frame = bytes(frame_chunks(head, [_KEEP, dump(numbers)]))
        outbox.put_first(frame, self._first)
        self._first, self._told = frame, numbers
        for number, call in calls.items():
            self.kept.add(number)
            note_of(call).watch(partial(self._forget, number))

    def _forget(self, number: int) -> None:
        self.kept.discard(number)
        self._over.append(number)
        self._outbound.released.mark()

    def forget_ended(self) -> None:
        """Tell the peer which results it need not keep."""
        over, self._over = self._over, []
        if over and self._connection.state < CLOSING:
            self._outbox.request(self._outbound.pending.skip(), [_FORGET, dump(tuple(over))])

    def _ended_with(self, note: Note, asked: UnansweredCall) -> None:
        """End a call with one that it uses, if this side has ended that; else the peer does."""
        failure = note.value
        if asked.called or not isinstance(failure, Failure):
            return
        if failure.check(CancelledError):
            asked.cancel()
        elif failure.check(AsyncResultTimeout):
            error = AsyncResultTimeout(str(failure.value))
            self._outbound.pending.give_up(asked._number, error)


def _if_known(call: Promise) -> Any:
    """Return the result of a call if it is there, or the call: the error of one that failed."""
    call = promise_of(call)
    note = note_of(call)
    return note.value if note.known and not isinstance(note.value, Failure) else call


def _promised(call: Promise) -> Promised:
    return Promised(call._number)
