"""`when_fresh`: rows that come from other processes are asked for before they are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class Refreshed(Protocol):
    """The part of a `Monitor` that brings its rows up to date."""

    def refresh(self) -> Deferred[None] | None:
        """As that of the `Monitor`."""


def when_fresh(monitor: Refreshed, function: Callable[[], T | Deferred[T]]) -> T | Deferred[T]:
    """
    Call a function when a monitor's rows are those of now.

    Returns:
        The function's result, if they are; else a Deferred of that.
    """
    refreshing = monitor.refresh()
    if refreshing is None:
        return function()
    return refreshing.addCallback(lambda _none: function())
