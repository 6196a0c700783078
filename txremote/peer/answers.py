"""
`Answers`: results and exceptions on their way to the peer.

Whatever an exposed method gives, the peer gets one answer. A result that cannot be
sent is an exception that says so; an exception whose class makes trouble when it is
looked at is its name and the reason.

An exception is logged here, in the words that `txremote.peer.wording` has found. Its
traceback is for peers that are trusted (``include_local_traceback``); others get a
reference number, under which the log has it all.
"""

from __future__ import annotations

from typing import Any

from txremote.config import ConnectionConfig
from txremote.errors import NotSendable
from txremote.peer.halfway import Halfway
from txremote.peer.lifecycle import CLOSED
from txremote.peer.logging import logger_for
from txremote.peer.outbox import Outbox
from txremote.peer.ports import ConnectionPort
from txremote.peer.references import ReferenceTables
from txremote.peer.wording import InWords, encoded_plainly, in_words
from txremote.refs import forks
from txremote.wire.consts import FEATURE_HALFWAY, HANDLE_HALFWAY, MSG_EXCEPTION, MSG_REPLY
from txremote.wire.naming import class_name

_log = logger_for("call")


class Answers:
    """
    The answers of one connection.

    Args:
        connection: Whose; its peer and user stand in the log.
        config: The switches.
        tables: What both sides hold of each other.
        outbox: Where they go.

    Attributes:
        show_tracebacks: Whether the peer is shown tracebacks.
    """

    __slots__ = ("_config", "_connection", "_outbox", "_tables", "show_tracebacks")

    def __init__(
        self,
        connection: ConnectionPort,
        *,
        config: ConnectionConfig,
        tables: ReferenceTables,
        outbox: Outbox,
    ) -> None:
        self._connection = connection
        self._config = config
        self._tables = tables
        self._outbox = outbox
        self.show_tracebacks = bool(config.include_local_traceback)

    def send(self, number: int, sender: int, result: Any) -> KeyboardInterrupt | None:
        """
        Send a result. What cannot be sent is answered with an error that says so.

        Returns:
            The Ctrl-C that came while the result was looked at, if one did: the call
            is answered with it, and the rest is for whoever runs in a main thread.
        """
        connection = self._connection
        if connection.home is not forks.here:  # of a method that forks one process goes on
            forks.end()
        if connection.state is CLOSED:
            return None
        body: list[bytes] = []
        try:
            if type(result) is Halfway:
                self._send_halfway(number, sender, result)
                return None
            self._tables.box(body, result)
        except NotSendable as error:
            self.send_error(number, sender, error)
            return None
        except KeyboardInterrupt as interrupt:
            self.send_error(number, sender, interrupt)
            return interrupt
        try:
            self._outbox.answer(MSG_REPLY, number, sender, body)
        except NotSendable as error:
            self._tables.take_back()
            self.send_error(number, sender, error)
        return None

    def _send_halfway(self, number: int, sender: int, left: Halfway) -> None:
        """Answer a path that goes on at the peer."""
        if FEATURE_HALFWAY in self._connection.features:
            self._connection.outbound.send_oneway(HANDLE_HALFWAY, number, left.position, left.value)
            return
        kind = class_name(type(left.value))
        self.send_error(
            number, sender, TypeError(f"a path ends at a {kind}, which is no reference")
        )

    def word(self, error: BaseException) -> InWords:
        """
        Put an exception into words, for `send_error`. In the thread where it was
        raised, if that may block; nothing is sent.
        """
        config = self._config
        return in_words(
            error,
            show_traceback=self.show_tracebacks,
            log=config.log_exceptions and self._connection.state is not CLOSED,
            logger=config.logger,
        )

    def send_error(self, number: int, sender: int, error: BaseException | InWords) -> None:
        """Send an exception."""
        connection = self._connection
        if connection.home is not forks.here:
            forks.end()
        if connection.state is CLOSED:
            return
        told = error if type(error) is InWords else self.word(error)  # type: ignore[arg-type]
        if told.text is not None:
            self._log_error(told)
        try:
            self._outbox.answer(MSG_EXCEPTION, number, sender, [told.encoded])
        except NotSendable as problem:
            plain = encoded_plainly(told.error, problem)
            self._outbox.answer(MSG_EXCEPTION, number, sender, [plain])

    def _log_error(self, told: InWords) -> None:
        """
        Log an exception: with its traceback, so that it can be found by what the
        peer is told, where the peer is not shown that.
        """
        about = {
            "call": told.called,
            "peer": self._connection.peer,
            "user": self._connection.user,
        }
        if told.reference is None:
            _log.debug(
                "{call}, called by {peer}, raised {kind}: {error}",
                kind=class_name(type(told.error)),
                error=told.text,
                **about,
            )
        else:
            _log.error(
                "{call}, called by {peer}, failed, reference {reference}\n{traceback}",
                reference=told.reference,
                traceback=told.text,
                **about,
            )
