"""
`Outcome`, and what Deferreds can pass: the zoo has many more (`tests.peer.odd_objects`).
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txremote.refs.outcome import Outcome, can_be_failure, failure_of


class Lying:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise SystemExit("not yours to look at")


class LyingError(Exception):
    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no traceback")


def test_a_deferred_passes_whatever_is_wrapped() -> None:
    thing = Lying()
    seen: list[Any] = []
    deferred: Deferred[Any] = Deferred()
    deferred.addBoth(seen.append)
    deferred.callback(Outcome(True, thing))
    assert seen[0].value is thing
    assert seen[0].went_well


def test_an_exception_that_twisted_cannot_look_at_is_told_by_its_name() -> None:
    error = LyingError("x")
    assert not can_be_failure(error)
    assert "LyingError, whose class raises" in failure_of(error).getErrorMessage()
    plain = ValueError("x")
    assert can_be_failure(plain)
    assert failure_of(plain).value is plain


def test_a_failure_has_the_traceback_of_its_exception() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0
    assert failure_of(caught.value).getTracebackObject() is caught.value.__traceback__
