"""
`Answers`: results and exceptions on their way to the peer.

Whatever an exposed method gives, the peer gets one answer. A result that cannot be
sent is an exception that says so; an exception whose class makes trouble when it is
looked at is its name and the reason.

An exception is logged here. Its traceback is for peers that are trusted
(``include_local_traceback``); others get a reference number, under which the log has
it all.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from txremote.errors import NotSendable
from txremote.peer.config import ConnectionConfig
from txremote.peer.context import CurrentCall
from txremote.peer.events import events_of
from txremote.peer.halfway import Halfway
from txremote.peer.outbox import Outbox
from txremote.peer.references import ReferenceTables
from txremote.wire.brine import dump_into
from txremote.wire.consts import FEATURE_HALFWAY, HANDLE_HALFWAY, MSG_EXCEPTION, MSG_REPLY
from txremote.wire.exceptions import (
    TRACEBACK_DENIED,
    dump_exception,
    format_traceback,
    frames_beyond,
)

_log = events_of("call")

_CARRIERS = ("twisted.internet.", "txremote.peer.", "txremote.net.", "txremote.work.")
_LONGEST_LOGGED = 500  # characters of what may be the peer's own text
_LONGEST_TRACEBACK = 20_000  # with the peer's own text in it, where a callback of its failed


class Answers:
    """
    The answers of one connection.

    Args:
        connection: Whose; its peer and user stand in the log.
        config: The switches.
        tables: What both sides hold of each other.
        outbox: Where they go.

    Attributes:
        closed: Whether the connection has ended: then nothing is sent or logged.
        show_tracebacks: Whether the peer is shown tracebacks.
    """

    __slots__ = ("_config", "_connection", "_outbox", "_tables", "closed", "show_tracebacks")

    def __init__(
        self,
        connection: Any,
        *,
        config: ConnectionConfig,
        tables: ReferenceTables,
        outbox: Outbox,
    ) -> None:
        self._connection = connection
        self._config = config
        self._tables = tables
        self._outbox = outbox
        self.closed = False
        self.show_tracebacks = bool(config.include_local_traceback)

    def send(self, number: int, sender: int, result: Any) -> None:
        """
        Send a result. What cannot be sent is answered with an error that says so.
        """
        if self.closed:
            return
        body: list[bytes] = []
        try:
            if type(result) is Halfway:
                self._send_halfway(number, sender, result)
                return
            self._tables.box(body, result)
            self._outbox.answer(MSG_REPLY, number, sender, body)
        except NotSendable as error:
            self._tables.take_back()
            self.send_error(number, sender, error)

    def _send_halfway(self, number: int, sender: int, left: Halfway) -> None:
        """
        Answer a path that goes on at the peer.
        """
        if FEATURE_HALFWAY in self._connection.features:
            self._connection.outbound.tell(HANDLE_HALFWAY, number, left.position, left.value)
            return
        kind = type(left.value).__name__
        self.send_error(
            number, sender, TypeError(f"a path ends at a {kind}, which is no reference")
        )

    def send_error(self, number: int, sender: int, error: BaseException) -> None:
        """
        Send an exception.
        """
        if self.closed:
            return
        denied = TRACEBACK_DENIED
        # the end of an iteration is no event (rpyc 6.0.2 does not log it either)
        if self._config.log_exceptions and not isinstance(
            error, (StopIteration, StopAsyncIteration)
        ):
            if self.show_tracebacks or frames_beyond(error) is None:
                self._log_error(error)
            else:
                reference = token_hex(4)
                denied = f"<traceback denied, reference {reference}>"
                self._log_under(reference, error)
        body: list[bytes] = []
        try:
            dump_into(body, dump_exception(error, self.show_tracebacks, denied))
            self._outbox.answer(MSG_EXCEPTION, number, sender, body)
        except Exception as problem:
            # Its arguments may be a mile deep, and its class may run any code when
            # it is looked at. Its name and the reason remain.
            why = problem if isinstance(problem, NotSendable) else type(problem).__name__
            plain = RuntimeError(f"{type(error).__name__}, which could not be sent: {why}")
            body = []
            dump_into(body, dump_exception(plain, False))
            self._outbox.answer(MSG_EXCEPTION, number, sender, body)

    def _log_error(self, error: BaseException) -> None:
        logger = self._config.logger
        if logger is not None:
            logger.debug("exception in a remote call", exc_info=error)
        else:
            # as text: the log may keep what it is given, and the error's frames
            # hold references that are to be given back
            _log.debug(
                "{call}, called by {peer}, raised {kind}: {error}",
                call=_called(error),
                peer=CurrentCall(self._connection).peer,
                user=self._connection.user,
                kind=type(error).__name__,
                error=_text(error)[:_LONGEST_LOGGED],
            )

    def _log_under(self, reference: str, error: BaseException) -> None:
        """
        Log an exception whose traceback the peer is not shown, so that it can be
        found by what the peer is told.
        """
        logger = self._config.logger
        if logger is not None:
            logger.error("remote call failed, reference %s", reference, exc_info=error)
        else:
            _log.error(
                "{call}, called by {peer}, failed, reference {reference}\n{traceback}",
                call=_called(error),
                peer=CurrentCall(self._connection).peer,
                user=self._connection.user,
                reference=reference,
                traceback=_shortened(format_traceback(error)),
            )


def _called(error: BaseException) -> str:
    """
    Return the name of the function whose call ended with an exception.
    """
    told = first = frames_beyond(error)
    if first is None:
        return "a request"
    # coroutines are run by Twisted, and threads begin in this package
    while told is not None and told.tb_frame.f_globals.get("__name__", "").startswith(_CARRIERS):
        told = told.tb_next
    return (told or first).tb_frame.f_code.co_qualname


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # any code can be behind __str__
        return "<unprintable>"


def _shortened(text: str) -> str:
    """
    Return a text with its middle left out where it is long.
    """
    left_out = len(text) - _LONGEST_TRACEBACK
    if left_out <= 0:
        return text
    half = _LONGEST_TRACEBACK // 2
    return f"{text[:half]}\n[{left_out} characters are left out]\n{text[-half:]}"
