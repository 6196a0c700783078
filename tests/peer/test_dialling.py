"""The search for a server's dialect, without a server: every sequence of outcomes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from txremote.errors import ConnectionLost, RemoteProtocolError
from txremote.peer.dialling import (
    CLOSE,
    KEEP,
    OPEN,
    PATIENCE,
    PATIENCE_WITH_TXREMOTE,
    WAIT,
    Outcome,
    Step,
    Steps,
    dialling_steps,
    outcome_of,
)

LOST = ConnectionLost("hung up")
SPEAKS_5 = Outcome("6", LOST, "5")
OPEN_6, OPEN_5 = Step(OPEN, "6"), Step(OPEN, "5")
CLOSE_6, CLOSE_5 = Step(CLOSE, "6"), Step(CLOSE, "5")
KEEP_6, KEEP_5 = Step(KEEP, "6"), Step(KEEP, "5")


def taken(outcomes: list[Outcome | BaseException | None], dialect: str = "auto") -> list[Step]:
    """Return the steps that are taken when each `WAIT` has one of some outcomes."""
    steps = dialling_steps(dialect)
    return walked(steps, outcomes, [])


def walked(
    steps: Steps, outcomes: list[Outcome | BaseException | None], seen: list[Step]
) -> list[Step]:
    """Take steps with some outcomes, noting each in ``seen``; return that."""
    left = iter(outcomes)
    try:
        step = next(steps)
        while True:
            seen.append(step)
            outcome = next(left) if step.action == WAIT else None
            step = (
                steps.throw(outcome) if isinstance(outcome, BaseException) else steps.send(outcome)
            )  # type: ignore[arg-type]
    except StopIteration:
        return seen


def failing(
    outcomes: list[Outcome | BaseException | None], dialect: str = "auto"
) -> tuple[list[Step], BaseException]:
    """Return the steps that are taken, and the exception that they end with."""
    seen: list[Step] = []
    with pytest.raises(BaseException) as raised:
        walked(dialling_steps(dialect), outcomes, seen)
    return seen, raised.value


def test_a_server_that_answers_is_kept() -> None:
    assert taken([Outcome("6")]) == [OPEN_6, Step(WAIT, "6", PATIENCE), KEEP_6]


def test_a_server_that_tells_its_dialect_is_dialled_again_in_that() -> None:
    assert taken([SPEAKS_5, Outcome("5")]) == [
        *(OPEN_6, Step(WAIT, "6", PATIENCE)),
        *(OPEN_5, Step(WAIT, "5"), CLOSE_6, KEEP_5),
    ]


def test_a_server_that_hangs_up_without_a_word_is_not_dialled_again() -> None:
    seen, error = failing([Outcome("6", LOST)])
    assert error is LOST
    assert seen == [OPEN_6, Step(WAIT, "6", PATIENCE), CLOSE_6]


def test_a_silent_server_is_asked_in_the_older_dialect_as_well() -> None:
    assert taken([None, Outcome("5")]) == [
        *(OPEN_6, Step(WAIT, "6", PATIENCE)),
        *(OPEN_5, Step(WAIT, "5", PATIENCE), CLOSE_6, KEEP_5),
    ]


def test_the_first_attempt_is_kept_if_it_answers_late() -> None:
    """A busy server of RPyC 6 is silent at first, whatever has become of the second attempt."""
    second = [OPEN_6, Step(WAIT, "6", PATIENCE), OPEN_5, Step(WAIT, "5", PATIENCE)]
    assert taken([None, Outcome("6")]) == [*second, CLOSE_5, KEEP_6]
    for silent_or_lost in (None, Outcome("5", LOST), Outcome("5", OSError("refused"))):
        assert taken([None, silent_or_lost, Outcome("6")]) == [
            *(*second, Step(WAIT, "6")),
            *(CLOSE_5, KEEP_6),
        ]


def test_a_busy_txremote_is_waited_for_in_its_first_dialect() -> None:
    """It answers in any, so what it answers first says only how long it took."""
    answered = Outcome("5", is_txremote=True)
    second = [
        *(OPEN_6, Step(WAIT, "6", PATIENCE), OPEN_5, Step(WAIT, "5", PATIENCE)),
        Step(WAIT, "6", PATIENCE_WITH_TXREMOTE),
    ]
    assert taken([None, answered, Outcome("6")]) == [*second, CLOSE_5, KEEP_6]
    for silent_or_lost in (None, Outcome("6", LOST)):  # both can do the same
        assert taken([None, answered, silent_or_lost]) == [*second, CLOSE_6, KEEP_5]
    assert taken([None, Outcome("6", LOST), answered])[-2:] == [CLOSE_6, KEEP_5]


def test_the_second_attempt_is_waited_for_if_the_first_fails_late() -> None:
    assert taken([None, Outcome("6", LOST), Outcome("5")])[-3:] == [
        Step(WAIT, "5"),
        *(CLOSE_6, KEEP_5),
    ]


def test_if_both_fail_the_first_ones_error_is_raised() -> None:
    seen, error = failing([None, Outcome("5", OSError()), Outcome("6", LOST)])
    assert error is LOST
    assert seen[-2:] == [CLOSE_6, CLOSE_5]


@pytest.mark.parametrize("dialect", ["6", "5"])
def test_a_dialect_that_is_given_is_the_only_one_tried(dialect: str) -> None:
    assert taken([Outcome(dialect)], dialect) == [
        Step(OPEN, dialect),
        Step(WAIT, dialect),
        Step(KEEP, dialect),
    ]
    seen, error = failing([Outcome(dialect, LOST, "5")], dialect)
    assert error is LOST
    assert seen[-1] == Step(CLOSE, dialect)


def test_what_comes_of_using_the_connection_closes_it() -> None:
    """A service's ``on_connect`` may raise when the connection is kept."""
    steps = dialling_steps("6")
    assert next(steps) == OPEN_6
    assert steps.send(None) == Step(WAIT, "6")
    assert steps.send(Outcome("6")) == KEEP_6
    assert steps.throw(LookupError()) == CLOSE_6
    with pytest.raises(LookupError):
        steps.send(None)


def test_only_one_who_hung_up_has_told_a_dialect() -> None:
    assert outcome_of("6", LOST, "5") == SPEAKS_5
    error = RemoteProtocolError("not RPyC")
    assert outcome_of("6", error, "5") == Outcome("6", error)


KINDS = st.sampled_from(["answered", "lost", "told", "failed", "silent", "timed out", "ctrl-c"])


@given(st.lists(KINDS, max_size=8), st.data(), st.sampled_from(["auto", "5", "6"]), st.booleans())
def test_one_connection_is_kept_or_one_error_raised_and_all_others_are_closed(
    kinds: list[str], data: st.DataObject, dialect: str, txremote: bool
) -> None:
    """Whatever becomes of each wait, of the attempt it names or of another that is open."""
    steps = dialling_steps(dialect)
    opened: list[str] = []
    closed: list[str] = []
    kept: list[str] = []
    ended: set[str] = set()
    waits = iter([*kinds, "timed out"])
    error: BaseException | None = None
    try:
        step = next(steps)
        while True:
            reply: Outcome | None = None
            thrown: BaseException | None = None
            assert not kept
            if step.action == OPEN:
                assert step.dialect not in opened
                opened.append(step.dialect)
            elif step.action == CLOSE:
                closed.append(step.dialect)
            elif step.action == KEEP:
                kept.append(step.dialect)
            else:
                assert step.dialect in opened
                assert step.dialect not in ended
                of = data.draw(st.sampled_from([x for x in opened if x not in ended]))
                kind = next(waits)
                if kind == "silent" and step.seconds is None:
                    kind = "timed out"
                if kind == "timed out":
                    thrown = TimeoutError()
                elif kind == "ctrl-c":
                    thrown = KeyboardInterrupt()
                elif kind != "silent":
                    ended.add(of)
                    problem = {"answered": None, "failed": OSError()}.get(kind, LOST)
                    told = "5" if kind == "told" and of == "6" else None
                    reply = Outcome(of, problem, told, is_txremote=kind == "answered" and txremote)
            step = steps.send(reply) if thrown is None else steps.throw(thrown)
    except StopIteration:
        pass
    except BaseException as raised:
        error = raised
    assert (error is None) == bool(kept)
    assert sorted(closed + kept) == sorted(opened)
