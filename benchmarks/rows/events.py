"""
A server that tells a client what happens: callbacks nobody waits for.
"""

from benchmarks.rows.base import Bar, CallRow


class Events(CallRow):
    """
    ``events(count)``: hand the server a callback and have it called count times;
    the time ends when all have been counted.
    """

    name = "events"
    work = "server fires n callbacks, client counts"
    unit = "/s"
    more_is_better = True
    method = "events"
    contestants = ("rpyc", "pb", "txremote")
    first = (Bar(1.5, "rpyc", "RPyC"),)
    goal = (Bar(2.5, "rpyc", "RPyC"),)
    warm_up = 1000
    # RPyC's server reads no answers while it fires: what waits for it has to
    # fit into the sockets' buffers, or both sides stop
    most = 30_000


ROW = Events()
