"""Rows are asked for before they are shown, where they are another process's."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from txremote.monitor.fresh import when_fresh


class Rows:
    """Has rows that are there, or come."""

    def __init__(self, coming: Deferred[None] | None) -> None:
        self._coming = coming

    def refresh(self) -> Deferred[None] | None:
        """As a monitor's."""
        return self._coming


def test_what_shows_rows_is_called_when_they_are_there() -> None:
    assert when_fresh(Rows(None), lambda: 1) == 1
    coming: Deferred[None] = Deferred()
    shown: list[object] = []
    showing = when_fresh(Rows(coming), lambda: 2)
    assert isinstance(showing, Deferred)
    showing.addBoth(shown.append)
    assert shown == []
    coming.callback(None)
    assert shown == [2]
    with pytest.raises(ZeroDivisionError):
        when_fresh(Rows(None), lambda: 1 // 0)
