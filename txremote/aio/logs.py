"""
The log of a program that has not begun Twisted's: Python's ``logging`` gets what txremote logs.

Twisted keeps what is logged until a program begins its logging, which `twistd` does, and a
program on asyncio has no reason to. A program that does begin it is left alone.
"""

from __future__ import annotations

from functools import cache

from zope.interface import provider

from twisted import logger

# Between the function that logs and the observer that is asked for its place stand 4 calls more.
_DEPTH = logger.STDLibLogObserver.defaultStackDepth + 4


@cache
def log_to_logging() -> None:
    """Have the logger "txremote" get what txremote logs, from now on, in the whole process."""
    pass_on = logger.STDLibLogObserver("txremote", _DEPTH)

    @provider(logger.ILogObserver)
    def observe(event: logger.LogEvent) -> None:
        waiting: object = logger.globalLogBeginner._temporaryObserver
        if waiting is None or not event.get("log_namespace", "").startswith("txremote"):
            return
        # what is critical Twisted has written to stderr, where logging without handlers would, too
        if event["log_level"] is not logger.LogLevel.critical or pass_on.logger.hasHandlers():
            pass_on(event)

    logger.globalLogPublisher.addObserver(observe)
