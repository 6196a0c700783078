"""The limits of a limited source: checked when they are given, named when they are met."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from txremote.work.limited.source import LimitedResult, SourceLimits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", -1),
        ("timeout", float("nan")),
        ("timeout", "5"),
        ("memory", 1024),
        ("memory", 1e9),
        ("output", -1),
        ("calls", True),
        ("message", 2**32),
    ],
)
def test_a_limit_that_makes_no_sense_is_named(name: str, value: object) -> None:
    """With the value that was given."""
    with pytest.raises(ValueError, match=f"{name}= takes .* not {value!r}"):
        replace(SourceLimits(), **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*(each.name for each in fields(SourceLimits)), "recursion"])
def test_a_limit_that_is_met_has_its_name_its_value_and_the_text(name: str) -> None:
    """All of them, in the error and in its words."""
    error = SourceLimits().exceeded(name, "so far")
    assert (error.limit, error.printed) == (name, "so far")
    assert error.value == getattr(SourceLimits(), name, 1000)
    assert f"{error.value:g}" in str(error) or str(error.value) in str(error)
    assert str(error).endswith(f"(limit {name})")


def test_results_are_equal_by_value_and_text() -> None:
    """How many calls it took is no part of what was asked for."""
    assert LimitedResult(1, "a", 3) == LimitedResult(1, "a") != LimitedResult(1, "b")
