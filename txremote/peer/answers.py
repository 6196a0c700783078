"""
`Answers`: results and exceptions on their way to the peer.

Each request gets one answer. An exception is logged here, from its report. Its traceback is
for trusted peers (``include_local_traceback``); others get a reference number, under which the
log has the traceback. A method that fails for trusted peers is told of by `FailureLog`, where a
listener has one.
"""

from __future__ import annotations

from typing import Protocol

from txremote.errors import NotSendable
from txremote.peer.error_report import ErrorReport, encoded_plainly, report_error
from txremote.peer.failing import FailureLog
from txremote.peer.halfway import Halfway
from txremote.peer.lifecycle import CLOSED
from txremote.peer.logging import logger_for
from txremote.peer.naming import about
from txremote.peer.outbox import Outbox
from txremote.peer.ports import ConnectionPort
from txremote.peer.references import ReferenceTables
from txremote.refs import forks
from txremote.wire.consts import FEATURE_HALFWAY, HANDLE_HALFWAY, MSG_EXCEPTION, MSG_REPLY
from txremote.wire.naming import class_name
from txremote.wire.native import mypyc_attr

_log = logger_for("call")


class TakesAnswers(Protocol):
    """The results that further calls of the peer's use (`txremote.peer.kept.KeptResults`)."""

    def answered(self, number: int, body: list[bytes]) -> None:
        """Take the result of a call, which has just been sent."""

    def left_halfway(self, number: int) -> None:
        """Note that a call has been answered with HALFWAY."""

    def failed(self, number: int, report: ErrorReport) -> None:
        """Take the error of a call, which has just been sent."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Answers:
    """
    The answers of one connection.

    Attributes:
        failures: Tells of methods that fail, where connections share it; None: it is a detail.
        kept: Takes the answers that further calls use; None: there has been none.
    """

    __slots__ = ("_connection", "_outbox", "_show_tracebacks", "_tables", "failures", "kept")

    #: The id of the trace of the last request that was answered; a tracer's answers have one.
    last_trace = ""

    def __init__(
        self,
        connection: ConnectionPort,
        *,
        tables: ReferenceTables,
        outbox: Outbox,
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._outbox = outbox
        self._show_tracebacks = bool(connection.config.include_local_traceback)
        self.failures: FailureLog | None = None
        self.kept: TakesAnswers | None = None

    def trust_peer(self) -> None:
        """
        Show tracebacks from now on, unless ``include_local_traceback`` says otherwise: the
        peer is on this machine, or has logged in.
        """
        if self._connection.config.include_local_traceback is None:
            self._show_tracebacks = True

    def send(self, number: int, sender: int, result: object) -> KeyboardInterrupt | None:
        """
        Send a result, or an error where it cannot be sent. Return the Ctrl-C that came while
        it was examined: the call is answered with it, and a main thread has to raise it.
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
        if self.kept is not None:
            self.kept.answered(number, body)
        return None

    def _send_halfway(self, number: int, sender: int, left: Halfway) -> None:
        """Answer a path that goes on at the peer."""
        if FEATURE_HALFWAY in self._connection.features:
            self._connection.outbound.send_oneway(HANDLE_HALFWAY, number, left.position, left.value)
            if self.kept is not None:
                self.kept.left_halfway(number)
            return
        kind = class_name(type(left.value))
        self.send_error(
            number, sender, TypeError(f"a path ends at a {kind}, which is no reference")
        )

    def report(self, error: BaseException) -> ErrorReport:
        """Report an exception, for `send_error`, in the thread where it was raised."""
        config = self._connection.config
        return report_error(
            error,
            show_traceback=self._show_tracebacks,
            log=config.log_exceptions and self._connection.state is not CLOSED,
            logger=config.logger,
        )

    def send_error(self, number: int, sender: int, error: BaseException | ErrorReport) -> None:
        """Send an exception."""
        connection = self._connection
        if connection.home is not forks.here:
            forks.end()
        if connection.state is CLOSED:
            return
        report = error if type(error) is ErrorReport else self.report(error)  # type: ignore[arg-type]
        if report.text is not None:
            self._log_error(report)
        try:
            self._outbox.answer(MSG_EXCEPTION, number, sender, [report.encoded])
        except NotSendable as problem:
            plain = encoded_plainly(report.error, problem)
            self._outbox.answer(MSG_EXCEPTION, number, sender, [plain])
            report.encoded = plain
        if self.kept is not None:
            self.kept.failed(number, report)

    def _log_error(self, report: ErrorReport) -> None:
        """Log an exception: with its traceback where the peer is sent a reference to that."""
        connection, failures = self._connection, self.failures
        if report.reference is not None:
            _log.error(
                "{call}, called by {who}, failed, reference {reference}\n{traceback}",
                reference=report.reference,
                traceback=report.text,
                call=report.called,
                **about(connection),
            )
        elif failures is None or not report.line or not failures.note(report, connection):
            _log.debug(
                "{call}, called by {who}, raised {kind}: {error}",
                kind=class_name(type(report.error)),
                error=report.text,
                call=report.called,
                **about(connection),
            )
