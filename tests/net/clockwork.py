"""A fake clock for what is at several ends in memory."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock


def advance(clock: Clock, seconds: float, settle: Callable[[], None]) -> None:
    """
    Let time go by, with what is due in it happening when it is due.

    Args:
        clock: Whose time it is.
        seconds: How much goes by.
        settle: Lets happen what happens without any time going by.
    """
    settle()
    end = clock.seconds() + seconds
    while clock.seconds() < end:
        due = [call.getTime() for call in clock.getDelayedCalls()]
        clock.advance(min([end, *due]) - clock.seconds())
        settle()
