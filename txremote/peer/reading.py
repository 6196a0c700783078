"""
Messages of the peer's: a request of its own, or the answer to one of ours.

A reference in a message is unboxed when the message arrives, even if the message is
dropped later. A message that cannot be decoded costs its call; only bytes that leave the
stream's meaning in doubt raise `RemoteProtocolError` out of here.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.python.failure import Failure

from txremote.errors import RemoteProtocolError
from txremote.peer.inbound import InboundCalls
from txremote.peer.outbox import Outbox
from txremote.peer.pending_calls import PendingCalls
from txremote.refs.received import settled
from txremote.wire.brine import protocol_error
from txremote.wire.consts import HANDLE_EVENTS, HANDLE_ITEMS, MSG_EXCEPTION, MSG_REQUEST
from txremote.wire.decoder import MessageDecoder
from txremote.wire.exceptions import load_exception
from txremote.wire.framing import Oversize
from txremote.wire.limits import Limits
from txremote.wire.long_items import LongItems
from txremote.wire.messages import Dialect, open_envelope, peek, pushed_number, sniff
from txremote.wire.native import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class MessageReader:
    """
    Reads a connection's messages.

    Attributes:
        calls: The calls of this side that are unanswered.
        other_dialect: The dialect that the peer turned out to speak, where it is another.
    """

    __slots__ = ("_decoder", "_inbound", "_outbox", "calls", "other_dialect")

    def __init__(self, inbound: InboundCalls, outbox: Outbox, calls: PendingCalls) -> None:
        self._decoder = MessageDecoder(inbound.config.limits, inbound.tables)
        self._outbox = outbox
        self.calls = calls
        self._inbound = inbound
        self.other_dialect: str | None = None

    def allow(self, limits: Limits) -> None:
        """Read by these limits from the next message on."""
        self._decoder.set_limits(limits)

    def payload_received(self, data: bytes) -> None:
        """
        Take in a message.

        Raises:
            RemoteProtocolError: nothing that follows could be understood.
        """
        dialect = self._outbox.dialect or self._first_dialect(data)
        try:
            kind, number, pos, sender = open_envelope(data, dialect, self._decoder.uncounted)
        except RemoteProtocolError as error:
            raise self._in_another_dialect(data, dialect, error) from None
        try:
            handler, arguments = self._decoder.arguments(data, kind, pos)
        except RemoteProtocolError as error:
            lost = error
        else:
            if kind == MSG_REQUEST:
                self._inbound.request_received(number, sender, handler, arguments, len(data))
            else:
                self._answer_received(kind, number, arguments)
            return
        self._stream_lost(data, kind, pos, lost)
        self._call_lost(kind, number, sender, lost)

    def items_received(self, message: LongItems) -> None:
        """Take in a message of a stream's items."""
        streams = self._inbound.connection.streams
        if streams is not None:
            streams.receive((message.number, message.items), message.size)

    def received_in_slices(self, held: list[bytes]) -> Iterator[None]:
        """
        Take in a long message as `payload_received` does, decoding a slice at each step.

        It is taken out of its list, and let go before what it asks for is done: a large array
        in it has memory of its own by then.
        """
        data = held.pop()
        dialect = self._outbox.dialect or self._first_dialect(data)
        try:
            kind, number, pos, sender = open_envelope(data, dialect, self._decoder.uncounted)
        except RemoteProtocolError as error:
            raise self._in_another_dialect(data, dialect, error) from None
        try:
            handler, arguments = yield from self._decoder.arguments_in_slices(data, kind, pos)
        except RemoteProtocolError as error:
            lost = error
        else:
            size = len(data)
            del data
            if kind == MSG_REQUEST:
                self._inbound.request_received(number, sender, handler, arguments, size)
            else:
                self._answer_received(kind, number, arguments)
            return
        self._stream_lost(data, kind, pos, lost)
        self._call_lost(kind, number, sender, lost)

    def _stream_lost(self, data: bytes, kind: int, pos: int, error: RemoteProtocolError) -> None:
        """Fail the stream or subscription whose items a message has that cannot be decoded."""
        connection = self._inbound.connection
        streams, subscriptions = connection.streams, connection.subscriptions
        if kind != MSG_REQUEST or (streams is None and subscriptions is None):
            return
        handler, number = pushed_number(data, pos, self._decoder.uncounted) or (0, 0)
        if handler == HANDLE_ITEMS and streams is not None:
            streams.lost(number, error)
        elif handler == HANDLE_EVENTS and subscriptions is not None:
            subscriptions.lost(number, error)

    def _first_dialect(self, data: bytes) -> Dialect:
        """Learn the dialect from the first message of the peer's."""
        dialect = sniff(data)
        self._outbox.set_dialect(dialect)
        return dialect

    def _in_another_dialect(
        self, data: bytes, dialect: Dialect, error: RemoteProtocolError
    ) -> RemoteProtocolError:
        """Return the error for a message that cannot be opened, which may be in another dialect."""
        try:
            actual = sniff(data)
        except RemoteProtocolError as unknown:
            return unknown
        if actual.name == dialect.name:
            return error
        self.other_dialect = actual.name
        return RemoteProtocolError(
            f"the peer speaks RPyC {actual.name}, and was spoken to in RPyC {dialect.name}"
        )

    def _call_lost(self, kind: int, number: int, sender: int, error: RemoteProtocolError) -> None:
        """
        Have a message that cannot be decoded cost its call.

        Raises:
            RemoteProtocolError: that error, where the stream's meaning is in doubt.
        """
        error = error.with_traceback(None)  # references in its frames would live as long as it
        self._inbound.tables.noted = None
        if kind == MSG_REQUEST:
            self._inbound.answers.send_error(number, sender, error)
        else:
            self._answer_failed(number, error)
        if error.limit is None:
            raise error

    def _answer_received(self, kind: int, number: int, value: object) -> None:
        result: object = value
        try:
            if kind == MSG_EXCEPTION:
                result = Failure(
                    load_exception(
                        value,
                        instantiate_custom=self._inbound.config.instantiate_custom_exceptions,
                        import_custom=self._inbound.config.import_custom_exceptions,
                    )
                )
            elif self._inbound.tables.noted is not None:
                self._inbound.tables.check_uncalled("an answer")
                if not self.calls.keeps_received(number):
                    result = settled(value)
        except (RemoteProtocolError, KeyError, ValueError) as error:
            lost: Exception = error
        except RecursionError as error:
            lost = protocol_error(error)
        else:
            deferred = self.calls.pop(number)
            if deferred is not None:
                self._inbound.timeouts.active = True
                self._inbound.connection.executor.fire(deferred, result)
            return
        if isinstance(lost, RemoteProtocolError):
            self._call_lost(kind, number, 0, lost)
        else:
            self._answer_failed(number, lost.with_traceback(None))

    def _answer_failed(self, number: int, error: Exception) -> None:
        deferred = self.calls.pop(number)
        if deferred is not None:
            self._inbound.connection.executor.fire(deferred, Failure(error))

    def oversize_received(self, message: Oversize) -> None:
        """
        Have a message that was dropped for its length cost its call.

        Raises:
            RemoteProtocolError: its start does not tell which call that is.
        """
        dialect = self._outbox.dialect
        envelope = peek(message.head, dialect, self._decoder.uncounted)
        if envelope is None:
            raise message.error
        if dialect is None:
            self._first_dialect(message.head)
        kind, number, pos, sender = envelope
        self._stream_lost(message.head, kind, pos, message.error)
        if kind == MSG_REQUEST:
            self._inbound.answers.send_error(number, sender, message.error)
        else:
            self._answer_failed(number, message.error)
