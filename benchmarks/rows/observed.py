"""
Many calls at once to a server that a monitor watches: what watching costs.
"""

from benchmarks.rows.base import Bar
from benchmarks.rows.pipelined import Pipelined


class Observed(Pipelined):
    """As "pipelined"; the other contestant is the same server without a monitor."""

    name = "observed"
    work = "add(i, 2), 100 in flight, with a Monitor, calls/s"
    contestants = ("txremote", "observed")
    floor = None
    mine = "observed"
    needs = "monitor"
    first = (Bar(0.97, "txremote"),)
    goal = (Bar(0.97, "txremote"),)


ROW = Observed()
