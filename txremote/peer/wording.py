"""
Exceptions in words: what the peer is told of one, and what is logged of it.

Whatever an exception has among its arguments is told by its repr, and the repr of a
transparent reference is a request to its owner. So an exception that was raised in a
thread that may block is put into words there, and travels from there as `InWords`;
only what is done at once in a reactor's thread is put into words in it.

Whatever goes wrong meanwhile, words are what comes of it: a class may run any code
when it is looked at, and its name remains.
"""

from __future__ import annotations

import logging
from secrets import token_hex
from typing import Any

from txremote.errors import NotSendable
from txremote.wire.brine import dump
from txremote.wire.exceptions import (
    TRACEBACK_DENIED,
    dump_exception,
    format_traceback,
    frames_beyond,
)
from txremote.wire.naming import class_name, sentence, text_of

_CARRIERS = (
    "twisted.internet.",
    *(f"txremote.{room}." for room in ("peer", "gate", "net", "work", "tasks")),
)
_LONGEST_LOGGED = 500  # characters of what may be the peer's own text
_LONGEST_TRACEBACK = 20_000  # with the peer's own text in it, where a callback of its failed


class InWords:
    """
    An exception of a method, in words.

    Attributes:
        error: The exception.
        encoded: What the peer is sent, as brine.
        called: What was called, for the log.
        text: What the log says of it; None where it is not logged.
        reference: Under which the log has it, where its traceback is not told.
    """

    __slots__ = ("called", "encoded", "error", "reference", "text")

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.encoded = b""
        self.called = "a request"
        self.text: str | None = None
        self.reference: str | None = None


def in_words(
    error: BaseException, *, show_traceback: bool, log: bool, logger: logging.Logger | None
) -> InWords:
    """
    Put an exception into words. In the thread where it was raised, if that may block.

    Args:
        error: The exception.
        show_traceback: Whether the peer is told its traceback.
        log: Whether it is logged.
        logger: What logs it here and now, in place of Twisted's log.
    """
    told = InWords(error)
    denied = TRACEBACK_DENIED
    # the end of an iteration is no event (rpyc 6.0.2 does not log it either)
    if log and not issubclass(type(error), (StopIteration, StopAsyncIteration)):
        if not show_traceback and frames_beyond(error) is not None:
            told.reference = token_hex(4)
            denied = f"<traceback denied, reference {told.reference}>"
        try:
            _for_the_log(told, logger)
        except BaseException as problem:  # the code of the exception's class, or of a logger
            told.text = f"<not to be told: {sentence(problem)}>"
    try:
        told.encoded = dump(dump_exception(error, show_traceback, denied))
    except BaseException as problem:
        # its arguments may be a mile deep, and its class may run any code when it is
        # looked at
        told.encoded = encoded_plainly(error, problem)
    return told


def encoded_plainly(error: BaseException, problem: BaseException) -> bytes:
    """
    Return what the peer is sent for an exception that cannot be sent as it is.

    Args:
        error: The exception.
        problem: What was wrong with it.
    """
    name = class_name(type(problem))
    why = problem if type(problem) is NotSendable else name
    plain = RuntimeError(f"{class_name(type(error))}, which could not be sent: {why}")
    return dump(dump_exception(plain, False))


def _for_the_log(told: InWords, logger: logging.Logger | None) -> None:
    error = told.error
    if logger is not None:
        if told.reference is None:
            logger.debug("exception in a remote call", exc_info=error)
        else:
            logger.error("remote call failed, reference %s", told.reference, exc_info=error)
        return
    # as text: the log may keep what it is given, and the error's frames hold
    # references that are to be given back
    told.called = _called(error)
    if told.reference is None:
        text = text_of(error, str)
        told.text = "<unprintable>" if text is None else text[:_LONGEST_LOGGED]
    else:
        told.text = _shortened(format_traceback(error))


def _called(error: BaseException) -> str:
    """Return the name of the function whose call ended with an exception."""
    told = first = frames_beyond(error)
    if first is None:
        return "a request"
    # coroutines are run by Twisted, and threads begin in this package
    while told is not None and _module(told).startswith(_CARRIERS):
        told = told.tb_next
    return (told or first).tb_frame.f_code.co_qualname


def _module(told: Any) -> str:
    name = told.tb_frame.f_globals.get("__name__", "")
    return name if type(name) is str else ""


def _shortened(text: str) -> str:
    """Return a text with its middle left out where it is long."""
    left_out = len(text) - _LONGEST_TRACEBACK
    if left_out <= 0:
        return text
    half = _LONGEST_TRACEBACK // 2
    return f"{text[:half]}\n[{left_out} characters are left out]\n{text[-half:]}"
