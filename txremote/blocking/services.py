"""Services as RPyC's programs write them: their methods may block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.factory import Config, connect_channel
from txremote.blocking.streams import Channel
from txremote.gate.exposure import mark_of
from txremote.service import Service as ReactorService

C = TypeVar("C", bound=type)


class _hybrid:
    """A method of a class and of its instances, called with either."""

    def __init__(self, function: Callable[..., BlockingConnection]) -> None:
        self._function = function

    def __get__(self, instance: object, owner: type) -> Callable[..., BlockingConnection]:
        return partial(self._function, owner if instance is None else instance)


class Service(ReactorService):
    """
    A service whose requests run in a worker thread, with netrefs for references
    (``rpyc.Service``), wherever it is hosted.
    """

    threaded_service = True

    @_hybrid
    def _connect(self, channel: Channel, config: Config = None) -> BlockingConnection:
        """Connect over a channel: for programs of RPyC's that accept clients themselves."""
        return connect_channel(channel, self, config)


class VoidService(Service):
    """Offers nothing."""


def classpartial(cls: type, *args: object, **kwargs: object) -> type:
    """Return a service class whose instances are made with these arguments."""

    def make(_partial: type) -> object:
        return cls(*args, **kwargs)

    return type(cls.__name__, (cls,), {"__doc__": cls.__doc__, "__new__": make})


def service(cls: C) -> C:
    """
    Give each `exposed` member of a class its prefixed name too (``rpyc.service``), for code
    that calls it by that name.
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
