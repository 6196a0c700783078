"""
Services as RPyC's programs write them: their methods may block.
"""

from __future__ import annotations

from typing import TypeVar

from txremote.peer.exposure import mark_of
from txremote.service import Service as ReactorService

C = TypeVar("C", bound=type)


class Service(ReactorService):
    """
    A service whose requests run in a worker thread, with netrefs for references
    (``rpyc.Service``), wherever it is hosted.
    """

    threaded_service = True


class VoidService(Service):
    """
    Offers nothing.
    """


def service(cls: C) -> C:
    """
    Give everything in a class that is marked with `exposed` its prefixed name
    too (``rpyc.service``), for code that calls it by that.
    """
    for name, value in list(vars(cls).items()):
        prefix = mark_of(value)
        if not prefix:
            continue
        if not name.startswith(prefix):
            setattr(cls, prefix + name, value)
        if isinstance(value, type):
            service(value)
    return cls
