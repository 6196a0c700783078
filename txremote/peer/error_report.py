"""
`ErrorReport`: an exception as the peer is sent it, and as the log has it.

The arguments of an exception are sent as their reprs, and the repr of a transparent
reference is a request to its owner. So an exception that was raised in a thread that may
block is reported there, and travels from there as an `ErrorReport`; one that was raised in
a reactor's thread is reported in that.

Making a report never fails: of a class whose code raises the name remains.
"""

from __future__ import annotations

import logging
import os
from secrets import token_hex
from types import TracebackType

from txremote.errors import NotSendable
from txremote.wire.brine import dump
from txremote.wire.exceptions import (
    TRACEBACK_DENIED,
    dump_exception,
    format_traceback,
    frames_beyond,
    module_of,
    remote_traceback,
)
from txremote.wire.naming import class_name, sentence, text_of

_CARRIERS = (
    *("twisted.internet.", "twisted.python."),
    *(f"txremote.{room}." for room in ("wire", "values", "refs", "gate", "peer", "views")),
    *(f"txremote.{room}." for room in ("eventloop", "net", "work", "tasks")),
)
_LONGEST_LOGGED = 500  # characters of what may be the peer's own text
_LONGEST_TRACEBACK = 20_000  # with the peer's own text in it, where a callback of its failed


class ErrorReport:
    """
    An exception of a method: encoded for the peer, and the text of the log or None.

    Attributes:
        called: The method, or "a request" where it came to none.
        line: Where in the method's file it was raised, ``shop.py:12``; "its answer" where that
            could not be sent; empty if in no method, or where the log has a traceback.
    """

    __slots__ = ("called", "encoded", "error", "line", "reference", "text")

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.encoded = b""
        self.called = "a request"
        self.line = ""
        self.text: str | None = None
        self.reference: str | None = None


def report_error(
    error: BaseException, *, show_traceback: bool, log: bool, logger: logging.Logger | None
) -> ErrorReport:
    """Report an exception, in the thread where it was raised, if that may block."""
    report = ErrorReport(error)
    denied = TRACEBACK_DENIED
    # the end of an iteration is no event (rpyc 6.0.2 does not log it either)
    if log and not issubclass(type(error), (StopIteration, StopAsyncIteration)):
        elsewhere = remote_traceback(error) is not None
        if not show_traceback and (elsewhere or frames_beyond(error) is not None):
            report.reference = token_hex(4)
            denied = f"<traceback denied, reference {report.reference}>"
        try:
            _for_the_log(report, logger)
        except BaseException as problem:  # the code of the exception's class, or of a logger
            report.text = f"<not to be logged: {sentence(problem)}>"
    try:
        report.encoded = dump(dump_exception(error, show_traceback, denied))
    except BaseException as problem:
        # its arguments may be a mile deep, and its class may run any code when it is
        # looked at
        report.encoded = encoded_plainly(error, problem)
    return report


def encoded_plainly(error: BaseException, problem: BaseException) -> bytes:
    """Return what the peer is sent for an exception that cannot be sent as it is."""
    name = class_name(type(problem))
    why = problem if type(problem) is NotSendable else name
    plain = RuntimeError(f"{class_name(type(error))}, which could not be sent: {why}")
    return dump(dump_exception(plain, False))


def _for_the_log(report: ErrorReport, logger: logging.Logger | None) -> None:
    error = report.error
    if logger is not None:
        if report.reference is None:
            logger.debug("exception in a remote call", exc_info=error)
        else:
            logger.error("remote call failed, reference %s", report.reference, exc_info=error)
        return
    # as text: the log may keep what it is given, and the error's frames hold
    # references that are to be given back
    method = _method(error)
    job = remote_traceback(error) if method is None else None
    if job is not None and job.name:
        report.called = job.name
        report.line = job.line if report.reference is None else ""
    if method is not None:
        report.called = method.tb_frame.f_code.co_qualname
    if report.reference is None:
        if method is not None:
            report.line = _line(method)
        elif issubclass(type(error), NotSendable):
            report.line = "its answer"
        text = text_of(error, str)
        report.text = "<unprintable>" if text is None else text[:_LONGEST_LOGGED]
    else:
        report.text = _shortened(format_traceback(error))


def _method(error: BaseException) -> TracebackType | None:
    """Return the frame of the function whose call ended with an exception; None without one."""
    frame = frames_beyond(error)
    # coroutines are run by Twisted, threads begin in this package, and it boxes results
    while frame is not None and module_of(frame).startswith(_CARRIERS):
        frame = frame.tb_next
    return frame


def _line(method: TracebackType) -> str:
    """Return the last line of a method's own file in a traceback."""
    file = method.tb_frame.f_code.co_filename
    frame: TracebackType | None = method
    number = 0
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == file:
            number = frame.tb_lineno
        frame = frame.tb_next
    return f"{os.path.basename(file)}:{number}"


def _shortened(text: str) -> str:
    """Return a text with its middle left out where it is long."""
    left_out = len(text) - _LONGEST_TRACEBACK
    if left_out <= 0:
        return text
    half = _LONGEST_TRACEBACK // 2
    return f"{text[:half]}\n[{left_out} characters are left out]\n{text[-half:]}"
