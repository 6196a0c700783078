"""The part of RPyC's ``rpyc.lib`` that programs use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

__all__ = ["setup_logger", "spawn"]


def setup_logger(
    quiet: bool = False, logfile: str | None = None, namespace: str | None = None
) -> logging.Logger:
    """
    Configure Python's logging, to standard error or a file, and return RPyC's logger, or
    the one of a namespace in it (``rpyc.lib.setup_logger``). ``quiet`` logs errors alone.
    """
    logging.basicConfig(
        level=logging.ERROR if quiet else logging.DEBUG,
        format="%(asctime)s %(levelname)s %(name)s[%(threadName)s]: %(message)s",
        datefmt="%b %d %H:%M:%S",
        filename=logfile,
    )
    return logging.getLogger("rpyc" if namespace is None else f"rpyc.{namespace}")


def spawn(function: Callable[..., object], *args: object, **kwargs: object) -> threading.Thread:
    """Start a daemon thread, and return it (``rpyc.lib.spawn``)."""
    thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread
