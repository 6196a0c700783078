"""
Many calls at once over one connection: how much work a call is, all told.
"""

from benchmarks.rows.base import Bar, CallRow


class Pipelined(CallRow):
    """``pipelined(count)``: call ``add(i, 2)`` for each i below count, 100 in flight."""

    name = "pipelined"
    work = "add(i, 2), 100 in flight, calls/s"
    unit = "/s"
    more_is_better = True
    method = "pipelined"
    contestants = ("echo", "rpyc", "pb", "amp", "foolscap", "pyro5", "txremote")
    floor = "echo"
    first = (Bar(0.40, "echo"),)
    goal = (Bar(0.60, "echo"),)


ROW = Pipelined()
