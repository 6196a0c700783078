"""
One call at a time from a reactor: how long a caller waits.
"""

from benchmarks.rows.base import Bar, CallRow


class Sequential(CallRow):
    """``sequential(count)``: call ``add(i, 2)`` for each i below count, each awaited."""

    name = "sequential"
    work = "await add(i, 2), one at a time"
    unit = " us"
    more_is_better = False
    method = "sequential"
    contestants = ("echo", "pb", "amp", "foolscap", "txremote")
    floor = "echo"
    first = (Bar(1.35, "echo"),)
    goal = (Bar(1.2, "echo"),)

    def figure(self, seconds: float, count: int) -> float:
        """Return the microseconds of a call."""
        return seconds / count * 1e6


ROW = Sequential()
