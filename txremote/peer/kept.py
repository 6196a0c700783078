"""
Results that the peer's further calls use (`KeptResults`), and those calls until they can begin.

A KEEP comes before the calls whose results are kept, and a FORGET when the peer has them. A call
that uses a result which is still to come waits here. Then it is received as if it came only now,
with the results in their places: so it goes the way of any other call, wherever that leads.

A result is what it would be if the peer had sent it back: our own object, the peer's or a third
peer's; of what went as a value a copy, for each call another. A result that is no object of ours
has nothing that could be called here. Then the call is answered with HALFWAY, at its very start,
and the peer makes it with the result that it has: it does so, too, where this side would hold too
many bytes. A call that uses a result which is an error has that error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from twisted.internet.defer import CancelledError

from txremote.config import ConnectionConfig
from txremote.errors import RemoteProtocolError
from txremote.peer.answers import Answers
from txremote.peer.call_ledger import CallLedger
from txremote.peer.error_report import ErrorReport
from txremote.peer.graphs import MOST_DEPTH
from txremote.peer.halfway import Halfway
from txremote.peer.references import Promised, ReferenceTables
from txremote.peer.request import Request
from txremote.wire.boxing import EXTENDED_HEAD, unbox
from txremote.wire.brine import Budget, uncounted_budget
from txremote.wire.keys import REMOTE_REF_HEAD
from txremote.wire.limits import Limits
from txremote.wire.values import ReceivedValue


class KeptOwner(Protocol):
    """The peer's calls (`txremote.peer.inbound.InboundCalls`)."""

    answers: Answers
    config: ConnectionConfig
    tables: ReferenceTables
    ledger: CallLedger[Request]

    def receive_again(self, call: Dependent, has_values: bool, accepted: bool) -> None:
        """Receive a request whose results are in their places."""

    def note_answered(self) -> None:
        """Note that a request is answered that took its time."""


class Kept:
    """
    The result of one call of the peer's.

    Attributes:
        depth: How many calls it has waited for, one behind the other.
        known: Whether it is there.
        error: The error that it is.
        elsewhere: Whether the peer has it, and this side not.
        is_ours: Whether it is an object that calls of the peer's can be about.
        forgotten: Whether the peer has forgotten it.
    """

    __slots__ = (
        *("_data", "_held", "_value", "depth", "elsewhere", "error", "forgotten", "is_ours"),
        *("known", "size", "users", "waiting"),
    )

    def __init__(self) -> None:
        self.depth = 0
        self.known = self.elsewhere = self.is_ours = self.forgotten = False
        self.error: ErrorReport | None = None
        self.size = 0
        self.users = 0  # calls that wait, and that use it
        self.waiting: list[Dependent] = []  # those that wait for it
        self._value: object = None
        self._data = b""
        self._held: _SentBack | None = None

    def take(self, data: bytes, held: _SentBack) -> None:
        """Take a result as it was sent."""
        self.is_ours = data.startswith(REMOTE_REF_HEAD)
        self._value = held.read(data)
        if EXTENDED_HEAD in data:  # then each call gets a copy of its own
            self._data, self._held = data, held

    def value(self) -> object:
        """Return it for one call more."""
        held = self._held
        return self._value if held is None else held.read(self._data)


class _SentBack:
    """The references in a result, as if the peer had sent it back."""

    def __init__(self, tables: ReferenceTables, limits: Limits) -> None:
        self._tables = tables
        self._limits = limits
        # they stay, though the peer gives its last reference to one back meanwhile
        self._found: dict[bytes, object] = {}
        self.box_reference = tables.box_reference
        self.refuse = tables.refuse
        self.takes_values, self.most_items = tables.takes_values, tables.most_items

    def read(self, data: bytes) -> object:
        """Decode a result."""
        limits, size = self._limits, len(data)
        budget = uncounted_budget(limits) if size <= limits.max_items else Budget(limits, size)
        return unbox(data, 0, limits.max_depth, budget, self)[0]

    def unbox_local(self, key: bytes) -> object:
        """Return the reference to the peer's own object."""
        return self._once(b"p" + key, lambda: self._tables.imports.held(key))

    def unbox_remote(self, key: bytes) -> object:
        """Return our object, or a third peer's."""
        return self._once(b"o" + key, lambda: self._tables.exports.held(key))

    def _once(self, key: bytes, find: Callable[[], object]) -> object:
        if key not in self._found:
            self._found[key] = find()
        return self._found[key]

    def received(self, value: object, size: int) -> ReceivedValue:
        """Return a value as it is unboxed."""
        return ReceivedValue(value, False, (), size)

    def within(self) -> _Within:
        """Begin a value."""
        return _Within(self)

    def unbox_promise(self, number: int) -> object:
        """Refuse: no result has one in it."""
        raise RemoteProtocolError(f"the result of call {number} is in another")


class _Within:
    """The references in one value of a result."""

    def __init__(self, sent: _SentBack) -> None:
        self._sent = sent
        self._own: set[int] = set()
        self._mixed = False
        self.box_reference, self.refuse = sent.box_reference, sent.refuse

    def unbox_local(self, key: bytes) -> object:
        """Return the reference to the peer's own object."""
        self._mixed = True
        return self._sent.unbox_local(key)

    def unbox_remote(self, key: bytes) -> object:
        """Return our object."""
        found = self._sent.unbox_remote(key)
        self._own.add(id(found))
        return found

    def received(self, value: object, size: int) -> ReceivedValue:
        """Return the value as it is unboxed."""
        return ReceivedValue(value, self._mixed, self._own, size)


class Dependent:
    """A request that uses results: as it came, and how many of these are still to come."""

    __slots__ = (
        *("args", "context", "deadline", "handler", "left", "number", "sender", "size", "used"),
    )

    def __init__(
        self, number: int, sender: int, handler: int, args: tuple[Any, ...], size: int
    ) -> None:
        self.number = number
        self.sender = sender
        self.handler = handler
        self.args = args
        self.size = size
        self.left = 0
        self.used: dict[int, Kept] = {}  # the results, in the order of its arguments
        self.deadline: tuple[int, float] | None = None
        self.context: object = None  # the arguments of its TRACE

    def is_elsewhere(self) -> bool:
        """Tell whether the peer has to make it."""
        target = self.args[0] if self.args else None
        if type(target) is Promised:
            kept = self.used[target.number]
            if not kept.is_ours and kept.error is None:
                return True
        return any(kept.elsewhere for kept in self.used.values())

    def error(self) -> ErrorReport | None:
        """Return the error of the first of its results that is one."""
        for kept in self.used.values():
            if kept.error is not None:
                return kept.error
        return None

    def fill_in(self) -> bool:
        """Put the results in their places; return whether there are values."""
        self.args = tuple([_filled(item, self.used) for item in self.args])
        return _has_value(self.args)


def _promised(value: object) -> Iterator[int]:
    """Give the numbers of the calls whose results are in the arguments of a request."""
    if type(value) is Promised:
        yield value.number
    elif type(value) is tuple:
        for item in value:
            yield from _promised(item)


def _filled(value: object, used: dict[int, Kept]) -> object:
    if type(value) is Promised:
        return used[value.number].value()
    return tuple([_filled(item, used) for item in value]) if type(value) is tuple else value


def _has_value(value: object) -> bool:
    if type(value) is tuple:
        return any(_has_value(item) for item in value)
    return type(value) is ReceivedValue


class KeptResults:
    """
    The results of one connection that are kept, and the calls that wait for some.

    Attributes:
        results: The results by the numbers of their calls.
        waiting: The calls that wait, by number.
    """

    __slots__ = ("_inbound", "_ready", "_running", "_too_many", "results", "waiting")

    def __init__(self, inbound: KeptOwner) -> None:
        self._inbound = inbound
        self._ready: deque[tuple[Dependent, bool]] = deque()
        self._running = False
        self._too_many = False
        self.results: dict[int, Kept] = {}
        self.waiting: dict[int, Dependent] = {}

    def keep(self, numbers: object) -> None:
        """Keep the results of the calls of these numbers, which are still to come (KEEP)."""
        for number in numbers if type(numbers) is tuple else ():
            if len(self.results) >= self._inbound.config.max_promises:
                self._too_many = True
                return
            if type(number) is int and number not in self.results:
                self.results[number] = Kept()

    def forget(self, numbers: object) -> None:
        """Forget results: no call that is still to come uses them (FORGET)."""
        for number in numbers if type(numbers) is tuple else ():
            kept = self.results.get(number) if type(number) is int else None
            if kept is None:
                continue
            kept.forgotten = True
            if kept.known:
                del self.results[number]
                self._let_go(kept)

    def _let_go(self, kept: Kept) -> None:
        """Count the bytes of a result no more, unless a call that waits has it still."""
        if kept.forgotten and not kept.users:
            size, kept.size = kept.size, 0
            self._inbound.ledger.let_go(size)

    # -- a call is answered

    def answered(self, number: int, body: list[bytes]) -> None:
        """Take the result of a call, which has just been sent."""
        kept = self.results.get(number)
        if kept is None or kept.known:
            return
        if kept.users or not kept.forgotten:
            size = sum(map(len, body))
            inbound = self._inbound
            try:
                kept.size = inbound.ledger.take_in(size)
                kept.take(b"".join(body), _SentBack(inbound.tables, inbound.config.limits))
            except Exception:  # too many bytes, or an object that is gone: the peer has it
                kept.elsewhere = True
        self._known(number, kept)

    def left_halfway(self, number: int) -> None:
        """Note that the peer goes on to the result of a call, and this side has none."""
        kept = self.results.get(number)
        if kept is not None and not kept.known:
            kept.elsewhere = True
            self._known(number, kept)

    def failed(self, number: int, report: ErrorReport) -> None:
        """Take the error of a call, which has just been sent."""
        kept = self.results.get(number)
        if kept is not None and not kept.known:
            # those that use it have it, too, and the log has it once
            kept.error = ErrorReport(report.error)
            kept.error.encoded = report.encoded
            self._known(number, kept)

    def _known(self, number: int, kept: Kept) -> None:
        kept.known = True
        waiting, kept.waiting = kept.waiting, []
        if kept.forgotten:
            del self.results[number]
            self._let_go(kept)
        for call in waiting:
            call.left -= 1
            if not call.left and self.waiting.get(call.number) is call:
                self._take_out(call)
                self._begin(call, waited=True)

    # -- a call uses results

    def receive(self, call: Dependent) -> None:
        """Take in a call that uses results. Raises the exception to answer it with."""
        unknown: list[Kept] = []
        depth = 0
        for number in _promised(call.args):
            kept = self.results.get(number)
            if kept is None:
                raise self._not_kept(number)
            if number not in call.used and not kept.known:
                unknown.append(kept)
                depth = max(depth, 1 + kept.depth)
            call.used[number] = kept
        if depth > MOST_DEPTH:
            raise RemoteProtocolError(
                f"a call that uses the result of one that is still to come, and so on, more than "
                f"{MOST_DEPTH} deep: await one of them first"
            )
        own = self.results.get(call.number)
        if own is not None:
            own.depth = depth
        if not unknown:
            self._begin(call, waited=False)
            return
        self._check_room(call)
        self._inbound.ledger.take_in(call.size)
        self.waiting[call.number] = call
        call.left = len(unknown)
        for kept in call.used.values():
            kept.users += 1
        for kept in unknown:
            kept.waiting.append(call)

    def _not_kept(self, number: int) -> Exception:
        if self._too_many:
            return RemoteProtocolError(
                f"the result of call {number} is not kept: {self._inbound.config.max_promises} "
                "results of this connection's calls are (option max_promises)",
                "max_promises",
            )
        return KeyError(f"the result of call {number} is not kept: no KEEP came before it")

    def _check_room(self, call: Dependent) -> None:
        inbound = self._inbound
        inbound.ledger.check_open()
        if call.number in self.waiting or call.number in inbound.ledger:
            raise RemoteProtocolError(f"request {call.number} is still unanswered")
        if len(self.waiting) >= inbound.config.max_waiting:
            raise RemoteProtocolError(
                f"{len(self.waiting)} calls of this connection wait for results of others "
                "(option max_waiting)",
                "max_waiting",
            )

    def _take_out(self, call: Dependent) -> None:
        """Have a call wait no more."""
        del self.waiting[call.number]
        self._inbound.ledger.let_go(call.size)
        for kept in call.used.values():
            kept.users -= 1
            self._let_go(kept)

    def _begin(self, call: Dependent, waited: bool) -> None:
        """Begin a call, in a loop: its result may be what the next one waits for."""
        self._ready.append((call, waited))
        if self._running:
            return
        self._running = True
        try:
            while self._ready:
                self._run(*self._ready.popleft())
        finally:
            self._running = False

    def _run(self, call: Dependent, waited: bool) -> None:
        inbound = self._inbound
        error = call.error()
        if call.is_elsewhere():
            inbound.answers.send(call.number, call.sender, Halfway(0, None))
        elif error is not None:
            inbound.answers.send_error(call.number, call.sender, error)
        else:
            has_values = call.fill_in()
            inbound.receive_again(call, has_values, waited)
        if waited:
            inbound.note_answered()

    # -- the end

    def cancel(self, number: int) -> None:
        """Answer a call that waits: its caller waits no more."""
        call = self.waiting.get(number)
        if call is not None:
            self._fail(call, CancelledError())

    def cut(self, error: Exception) -> None:
        """Answer all calls that wait: this side is stopping."""
        for call in list(self.waiting.values()):
            if self.waiting.get(call.number) is call:
                self._fail(call, error)

    def _fail(self, call: Dependent, error: Exception) -> None:
        self._take_out(call)
        self._inbound.answers.send_error(call.number, call.sender, error)
        self._inbound.note_answered()

    def stop(self) -> None:
        """Forget everything: the connection has ended."""
        for call in list(self.waiting.values()):
            self._take_out(call)
        for kept in self.results.values():
            kept.forgotten = True
            self._let_go(kept)
        self.results.clear()
        self._ready.clear()
