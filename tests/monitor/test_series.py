"""The series: an hour of figures, in a memory that does not grow."""

from __future__ import annotations

from txremote.monitor.series import COLUMNS, KEPT, STEP, SeriesKeeper


def test_the_points_of_an_hour_are_kept_and_older_ones_go() -> None:
    keeper = SeriesKeeper()
    for number in range(KEPT + 10):
        keeper.add(number * STEP, {"calls": number, "p50": None if number % 2 else 0.5})
    series = keeper.series()
    assert len(keeper) == KEPT
    assert series.at == [number * STEP for number in range(10, KEPT + 10)]
    assert set(series.columns) == set(COLUMNS)
    assert all(len(column) == KEPT for column in series.columns.values())
    assert series.columns["calls"][-1] == keeper.latest("calls") == KEPT + 9
    assert series.columns["p50"][:2] == [0.5, None]
    assert series.columns["rss"] == [None] * KEPT


def test_there_is_no_latest_figure_before_the_first_point() -> None:
    assert SeriesKeeper().latest("calls") is None
