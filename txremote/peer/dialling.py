"""
Finding the dialect of a server: which attempts to make, and which one to keep.

RPyC never negotiates its version. A client asks for the root in the dialect of RPyC 6 first. A
txremote server answers in the dialect it is asked in. A server of RPyC 5 answers with a
good-bye in its own dialect and hangs up, so the client dials once more and speaks that. RPyC
5's thread pool server says nothing; after `PATIENCE` seconds a second attempt asks in RPyC 5's
dialect, and the first that answers is kept: the silent one may be a busy server of RPyC 6. A
txremote that answers the second one was only busy, so the first has some seconds more: all of its
connections are to speak one dialect. If it stays silent, the second one will do: a txremote can do
as much in either dialect.

`dialling_steps` decides and does no I/O. A driver (`txremote.net.connect`,
`txremote.blocking.factory`) carries out its steps:

========  ============================================================  ==============
step      what the driver does                                          sends back
========  ============================================================  ==============
`OPEN`    begin an attempt: connect, and ask for the root in a dialect  None
`WAIT`    wait for an attempt, or for any of those that are open        an `Outcome`, or
          if it can; ``seconds`` at most from when it was asked         None: no outcome
`CLOSE`   close an attempt, whatever has become of it                   None
`KEEP`    use this attempt's connection; it is the last step            None
========  ============================================================  ==============

An exception of the driver's own (a time-out, a cancellation, Ctrl-C) is thrown into the
generator, which has every attempt closed and raises it again.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, Literal, NamedTuple, TypeVar

from txremote.errors import ConnectionLost
from txremote.peer.lifecycle import GOODBYE

#: Seconds that a server that was asked in the dialect of RPyC 6 has, before that of 5 is tried.
PATIENCE: Final = 1.0

#: Seconds that a txremote which answers the second attempt has to answer the first one, too.
PATIENCE_WITH_TXREMOTE: Final = 5.0

OPEN: Final = "open"
WAIT: Final = "wait"
CLOSE: Final = "close"
KEEP: Final = "keep"


class Step(NamedTuple):
    """
    One thing for a driver to do, with the attempt in a dialect; for `WAIT`, how many seconds
    to wait at most. None: as long as the driver gives a server.
    """

    action: Literal["open", "wait", "close", "keep"]
    dialect: str
    seconds: float | None = None


class Outcome(NamedTuple):
    """
    The end of an attempt: without an error the server has answered, and is perhaps a txremote;
    ``other_dialect`` is the one that it told before it hung up.
    """

    dialect: str
    error: Exception | None = None
    other_dialect: str | None = None
    is_txremote: bool = False


_E = TypeVar("_E", bound=BaseException)

Steps = Generator[Step, Outcome | None, None]


def outcome_of(dialect: str, error: Exception, other_dialect: str | None) -> Outcome:
    """Return the outcome of a failed attempt."""
    hung_up = isinstance(error, ConnectionLost)
    return Outcome(dialect, error, other_dialect if hung_up else None)


def unanswered(error: _E, tls: bool) -> _E | ConnectionLost:
    """Return the error of an attempt; of a peer that hung up it says what may be wrong with it."""
    if type(error) is not ConnectionLost or str(error) != GOODBYE:
        return error
    how = "with" if tls else "without"
    return ConnectionLost(f"{GOODBYE} before it answered: is it a server of RPyC's, {how} TLS?")


def dialling_steps(dialect: str = "auto") -> Steps:
    """
    Give the steps that lead to a connection in the server's dialect: ``"6"``, ``"5"``, or
    ``"auto"`` to find out. Raise what the attempts failed with, after all of them were closed.
    """
    opened: list[str] = []
    try:
        kept = yield from (_search(opened) if dialect == "auto" else _try(dialect, opened))
        for other in opened:
            if other != kept:
                yield Step(CLOSE, other)
        opened[:] = [kept]
        yield Step(KEEP, kept)
    except GeneratorExit:  # the driver is gone, and nobody would take a step
        raise
    except BaseException:
        for each in opened:
            yield Step(CLOSE, each)
        raise


def _try(dialect: str, opened: list[str]) -> Generator[Step, Outcome | None, str]:
    opened.append(dialect)
    yield Step(OPEN, dialect)
    outcome = None
    while outcome is None:
        outcome = yield Step(WAIT, dialect)
    if outcome.error is not None:
        raise outcome.error
    return dialect


def _search(opened: list[str]) -> Generator[Step, Outcome | None, str]:
    # One attempt that is lost leads to another only where the server has told its dialect.
    # Of two that are open, one that answers is kept; both lost: raise the first's error.
    opened.append("6")
    yield Step(OPEN, "6")
    outcome = yield Step(WAIT, "6", PATIENCE)
    if outcome is not None:
        if outcome.error is None:
            return "6"
        if outcome.other_dialect is None:
            raise outcome.error
        return (yield from _try(outcome.other_dialect, opened))
    opened.append("5")
    yield Step(OPEN, "5")
    errors: dict[str, Exception] = {}
    outcome = yield Step(WAIT, "5", PATIENCE)
    while outcome is None or outcome.error is not None:
        if outcome is not None and outcome.error is not None:
            errors[outcome.dialect] = outcome.error
            if len(errors) == len(opened):
                raise errors["6"]
        outcome = yield Step(WAIT, "5" if "6" in errors else "6")
    if outcome.is_txremote and outcome.dialect == "5" and "6" not in errors:
        first = yield Step(WAIT, "6", PATIENCE_WITH_TXREMOTE)
        if first is not None and first.error is None:
            return "6"
    return outcome.dialect
