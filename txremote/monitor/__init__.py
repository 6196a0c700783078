"""
The inside of a running process, for its operator: `Monitor`, and what shows it.

Everything hangs on one object. The page, the metrics and ``txremote top`` ask the `Monitor` for
its rows, and look into no connection or pool themselves.

``actions``  what an operator may do: close a connection, kill a task
``address``  where an admin site is, as commands are told
``asking``  an operator's client: the same rows, over the wire
``callstats``  figures of calls: how many, how many failed, how long they took
``certificates``  the certificates of a server, as an operator has to know them
``exported``  exported objects by class, and how fast they grow
``fresh``  doing something when the rows are those of now
``health``  whether the process works, asked from any thread
``heartbeat``  the timer by which a monitor sees how the event loop turns
``metrics``  the figures as Prometheus reads them
``holds``  the log of what held the event loop, kept short
``loopwatch``  the watchdog: which line holds the event loop
``monitor``  `Monitor`: the face of it all, a service of Twisted's
``news``  listeners that are called once a second
``operating``  what operators may do over the wire
``reader``  `Reader`: the rows, from what is watched and was measured
``recentlog``  the last warnings and errors of the log
``rows``  the rows: plain data, which become JSON as they are
``series``  figures of the last hour, in a memory that does not grow
``snapshots``  the rows of this moment: connections, calls, objects, pools, tasks
``systemd``  telling systemd how the server is
``top``  ``txremote top``: the rows in a terminal
``web``  the admin site: the page, and the same figures over HTTP
``system``  figures of the operating system: memory, descriptors, a connection's bytes
``topics``  the topics of the process, and their counts
"""

from typing import TYPE_CHECKING

from txremote.importing import lazy_names

if TYPE_CHECKING:
    from txremote.monitor.monitor import Monitor

__all__ = ["Monitor"]

_LAZY = {"Monitor": "txremote.monitor.monitor"}

__getattr__, __dir__ = lazy_names(__name__, _LAZY)
