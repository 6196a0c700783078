"""
What the peer sends, message by message: a request of its own, or the answer to
one of ours.

A reference in a message is unboxed when the message arrives, whatever happens to
the message later. What is wrong with a message costs its call; only bytes that
leave the stream's meaning in doubt raise `RemoteProtocolError` out of here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.python.failure import Failure

from txremote.config import ConnectionConfig
from txremote.errors import RemoteProtocolError
from txremote.peer.executor import Executor
from txremote.peer.exports import Export
from txremote.peer.inbound import InboundCalls
from txremote.peer.outbox import Outbox
from txremote.peer.pending_calls import PendingCalls
from txremote.peer.references import ReferenceTables
from txremote.wire import boxing
from txremote.wire.brine import Budget, load_value, truncated
from txremote.wire.consts import HANDLE_CALLATTR, MSG_EXCEPTION, MSG_REQUEST
from txremote.wire.exceptions import load_exception
from txremote.wire.framing import Oversize
from txremote.wire.limits import Limits
from txremote.wire.messages import (
    check_end,
    load_plain,
    open_envelope,
    open_request,
    peek,
    sniff,
)
from txremote.wire.slices import unboxed_in_slices, value_in_slices

# Gives what was decoded before, or raises what that did.
Decoded = Callable[[], tuple[Any, int]]

# What was called how often is not known, so when there are many all are dropped.
_MOST_SITES = 256


class MessageReader:
    """
    Reads the messages of one connection.

    Args:
        config: The switches.
        tables: What both sides hold of each other.
        outbox: Learns the peer's dialect.
        calls: Our calls that wait for an answer.
        inbound: Where requests go.
        executor: Where results fire.

    Attributes:
        other_dialect: The dialect that the peer turned out to speak, where it is
            not the one it was spoken to in.
    """

    __slots__ = (
        "_budget",
        "_calls",
        "_config",
        "_executor",
        "_inbound",
        "_limits",
        "_outbox",
        "_sites",
        "_tables",
        "other_dialect",
    )

    def __init__(
        self,
        *,
        config: ConnectionConfig,
        tables: ReferenceTables,
        outbox: Outbox,
        calls: PendingCalls,
        inbound: InboundCalls,
        executor: Executor,
    ) -> None:
        self._config = config
        self.allow(config.limits)
        self._tables = tables
        self._outbox = outbox
        self._calls = calls
        self._inbound = inbound
        self._executor = executor
        self._sites: dict[bytes, tuple[Export, str]] = {}
        self.other_dialect: str | None = None

    def allow(self, limits: Limits) -> None:
        """Read by these limits from the next message on."""
        self._limits = limits
        self._budget = Budget(limits, 0)

    def payload_received(self, data: bytes) -> None:
        """
        Take in a message.

        Raises:
            RemoteProtocolError: nothing that follows could be understood.
        """
        # what is too short to be counted needs no budget of its own
        budget = self._budget if len(data) <= self._limits.max_items else None
        if budget is None:
            budget = Budget(self._limits, len(data))
        try:  # as in _opened, which finds out what is wrong
            dialect: Any = self._outbox.dialect  # None is wrong, too
            kind, number, pos, sender = open_envelope(data, dialect, budget)
        except (IndexError, struct.error, AttributeError, RemoteProtocolError):
            kind, number, pos, sender = self._opened(data, budget)
        if kind == MSG_REQUEST:
            self._request_received(data, number, pos, sender, budget)
        else:
            self._answer_received(data, kind, number, pos, budget)

    def received_in_slices(self, data: bytes) -> Iterator[None]:
        """
        Take in a message that is long, a slice at each step, and then as a whole.

        Raises:
            RemoteProtocolError: as `payload_received`.
        """
        budget = Budget(self._limits, len(data))
        kind, number, start, sender = self._opened(data, budget)
        depth = self._limits.max_depth
        pos = start
        decoded: Decoded
        try:
            if kind == MSG_REQUEST:
                pos = open_request(data, start, budget)[1]
            if kind == MSG_EXCEPTION:
                found = yield from value_in_slices(data, pos, depth, budget)
            else:
                found = yield from unboxed_in_slices(data, pos, depth, budget, self._tables)
            decoded = partial(_same, found)
        except (IndexError, struct.error, RemoteProtocolError, KeyError) as problem:
            decoded = partial(_again, problem.with_traceback(None))
        if kind == MSG_REQUEST:
            self._request_received(data, number, start, sender, budget, decoded)
        else:
            self._answer_received(data, kind, number, start, budget, decoded)

    def _opened(self, data: bytes, budget: Budget) -> tuple[int, int, int, int]:
        """Return what `open_envelope` does, in whichever dialect the peer speaks."""
        dialect = self._outbox.dialect
        if dialect is None:
            dialect = sniff(data)
            self._outbox.know(dialect)
        try:
            return open_envelope(data, dialect, budget)
        except (IndexError, struct.error):
            raise truncated(data) from None
        except RemoteProtocolError:
            actual = sniff(data)
            if actual.name == dialect.name:
                raise
            self.other_dialect = actual.name
            raise RemoteProtocolError(
                f"the peer speaks RPyC {actual.name}, and was spoken to in RPyC {dialect.name}"
            ) from None

    def _request_received(
        self,
        data: bytes,
        number: int,
        pos: int,
        sender: int,
        budget: Budget,
        decoded: Decoded | None = None,
    ) -> None:
        try:
            handler, pos = open_request(data, pos, budget)
            if decoded is not None:
                args, end = decoded()
            elif handler == HANDLE_CALLATTR:
                args, end = self._unbox_call(data, pos, budget)
            else:
                args, end = boxing.unbox(data, pos, self._limits.max_depth, budget, self._tables)
            if end != len(data):
                check_end(data, end)
        except (IndexError, struct.error):
            error = truncated(data)
        except RemoteProtocolError as problem:
            error = problem
        except RecursionError:
            error = _no_stack()
        else:
            self._inbound.request_received(number, sender, handler, args, len(data))
            return
        self._tables.missing = None  # it was this message's, which is lost as a whole
        self._inbound.answers.send_error(number, sender, error)
        if error.limit is None:
            raise error

    def _unbox_call(self, data: bytes, pos: int, budget: Budget) -> tuple[Any, int]:
        """
        Unbox the arguments of a CALLATTR, object and name by a look into what
        was called before.
        """
        depth = self._limits.max_depth
        behind = boxing.call_site_end(data, pos)
        if not behind or data[behind : behind + 2] != boxing.VALUE_HEAD:
            return boxing.unbox(data, pos, depth, budget, self._tables)
        site = data[pos:behind]
        known = self._sites.get(site)
        if known is None or known[0].count == 0:
            whole, end = boxing.unbox(data, pos, depth, budget, self._tables)
            export = self._tables.exports.of(whole[0])
            if export is not None:
                if len(self._sites) >= _MOST_SITES:
                    self._sites.clear()
                self._sites[site] = (export, whole[1])
            return whole, end
        args, end = load_value(data, behind + 2, depth - 1, budget)
        if data[end:] == boxing.EMPTY_TUPLE:
            return (known[0].target, known[1], args, ()), len(data)
        kwargs, end = boxing.unbox(data, end, depth - 1, budget, self._tables)
        return (known[0].target, known[1], args, kwargs), end

    def _answer_received(
        self,
        data: bytes,
        kind: int,
        number: int,
        pos: int,
        budget: Budget,
        decoded: Decoded | None = None,
    ) -> None:
        deferred = self._calls.pop(number)
        result: Any
        try:
            if kind == MSG_EXCEPTION:
                result = Failure(
                    load_exception(
                        self._plain(data, pos, budget, decoded),
                        instantiate_custom=self._config.instantiate_custom_exceptions,
                        import_custom=self._config.import_custom_exceptions,
                    )
                )
            else:
                # even if nobody waits: the references in it must be given back
                if decoded is not None:
                    result, end = decoded()
                else:
                    depth = self._limits.max_depth
                    result, end = boxing.unbox(data, pos, depth, budget, self._tables)
                if end != len(data):
                    check_end(data, end)
                if self._tables.missing is not None:
                    self._tables.check_missing()
        except (IndexError, struct.error):
            error: Exception = truncated(data)
        except (RemoteProtocolError, KeyError) as problem:
            # in its frames are references, which whoever keeps the error would keep
            error = problem.with_traceback(None)
        except RecursionError:
            error = _no_stack()
        else:
            if deferred is not None:
                self._inbound.timeouts.active = True
                self._executor.fire(deferred, result)
            return
        self._tables.missing = None
        if deferred is not None:
            self._executor.fire(deferred, Failure(error))
        if isinstance(error, RemoteProtocolError) and error.limit is None:
            raise error

    def _plain(self, data: bytes, pos: int, budget: Budget, decoded: Decoded | None) -> Any:
        if decoded is None:
            return load_plain(data, pos, self._limits.max_depth, budget)
        value, end = decoded()
        check_end(data, end)
        return value

    def oversize_received(self, message: Oversize) -> None:
        """
        A message that was dropped for its length costs its call, if that can be
        told, else the connection.
        """
        budget = Budget(self._limits, len(message.head))
        envelope = peek(message.head, self._outbox.dialect, budget)
        if envelope is None:
            raise message.error
        if self._outbox.dialect is None:
            self._outbox.know(sniff(message.head))
        kind, number, _pos, sender = envelope
        if kind == MSG_REQUEST:
            self._inbound.answers.send_error(number, sender, message.error)
            return
        deferred = self._calls.pop(number)
        if deferred is not None:
            self._executor.fire(deferred, Failure(message.error))


def _same(found: tuple[Any, int]) -> tuple[Any, int]:
    return found


def _again(problem: Exception) -> tuple[Any, int]:
    raise problem


def _no_stack() -> RemoteProtocolError:
    return RemoteProtocolError(
        "nested deeper than what calls within calls have left of this side's stack "
        "(option max_depth)",
        "max_depth",
    )
