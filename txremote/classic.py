"""
Classic mode: services that give the peer everything.

RPyC's classic mode lets a peer import, evaluate and execute whatever it likes
(``rpyc.core.service.SlaveService``): a remote prompt for anybody who can connect. So it is
never a default here: twistd wants ``--classic``, and `listen` refuses it on an address that
others can reach. It is opened in the switches, before there is a connection.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from txremote.config import ConnectionConfig
from txremote.errors import ConnectionLost
from txremote.refs.by_hand import fetch
from txremote.refs.ports import Answer
from txremote.service import Service

DEFAULT_PORT = 18812

#: The end of a sentence that says what to do instead of teleporting.
NO_TELEPORT = (
    "code goes by execute(source), and functions that were made there are in conn.namespace"
)


class ModuleNamespace:
    """The peer's modules by name: ``conn.modules.os`` or ``conn.modules["os.path"]``."""

    def __init__(self, getmodule: Callable[[str], Any]) -> None:
        self.__getmodule = getmodule
        self.__cache: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.__cache:
            self.__cache[name] = self.__getmodule(name)
        return self.__cache[name]

    def __contains__(self, name: str) -> bool:
        """Tell whether the peer has such a module; it may still fail to load."""
        return self["importlib.util"].find_spec(name) is not None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy, pickle and the like look for these
            raise AttributeError(name)
        try:
            return self[name]
        except ImportError:
            raise AttributeError(name) from None


class SlaveService(Service):
    """
    Lets the peer do anything in this process (``rpyc.SlaveService``).

    Its requests run in a worker thread, since anything includes blocking.
    """

    threaded_service = True

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self._conn: object = None

    @staticmethod
    def connection_config(config: ConnectionConfig) -> ConnectionConfig:
        """Return the switches of its connections: all doors open."""
        return config.replace(access="classic")

    def on_connect(self, conn: Any) -> None:
        """Keep the connection, for the peer to ask for."""
        self._conn = conn

    def execute(self, text: str) -> None:
        """Execute statements in the namespace."""
        exec(text, self.namespace)

    def eval(self, text: str) -> Any:
        """Evaluate an expression in the namespace."""
        return eval(text, self.namespace)

    def getmodule(self, name: str | tuple[str, ...]) -> Any:
        """Import a module."""
        return importlib.import_module(".".join(name) if isinstance(name, tuple) else name)

    def getconn(self) -> Any:
        """Return this side's connection."""
        return self._conn


class MasterService(Service):
    """
    Makes use of a peer that serves a `SlaveService` (``rpyc.MasterService``),
    and offers it nothing.

    A connection gets ``modules``, ``builtins``, ``builtin``, ``eval``,
    ``execute`` and ``namespace``. An exception of the peer's is made of its own class where
    that is of a module that is loaded here, so ``except subprocess.CalledProcessError`` works.
    """

    threaded_service = True

    @staticmethod
    def connection_config(config: ConnectionConfig) -> ConnectionConfig:
        """Return the switches of its connections."""
        return config.replace(instantiate_custom_exceptions=True)

    def on_connect(self, conn: Any) -> None:
        """
        Fetch what the peer offers.

        Raises:
            ConnectionLost: it ended the connection, as a `ClassicService` of RPyC's does to a
                client that has none.
        """
        try:
            install(conn)
        except ConnectionLost as lost:
            raise ConnectionLost(
                f"{lost} before it had told what it offers: a ClassicService of RPyC's works with "
                "service=ClassicService only, which opens this program to it"
            ) from None


def install(conn: Any) -> None:
    """Give a blocking connection the attributes of classic mode."""
    slave = conn.root
    modules = ModuleNamespace(slave.getmodule)
    conn.modules = modules
    conn.eval = slave.eval
    conn.execute = slave.execute
    conn.namespace = slave.namespace
    conn.builtins = conn.builtin = modules.builtins
    conn.teleport = refuse_teleport


def obtain(ref: object) -> Answer:
    """
    Return what `txremote.fetch` does: a Deferred of a copy. In the reactor's thread.

    Without pickle. For scripts there is `txremote.blocking.classic.obtain`.

    Args:
        ref: A `RemoteReference` or a path. Any other object is given back as it is.

    Raises:
        WrongThread: this is not the reactor's thread.
    """
    return fetch(ref)


def refuse_teleport(*_args: object, **_kwargs: object) -> Any:
    """Stand for RPyC's ``conn.teleport``: raise NotImplementedError that says what to do."""
    raise NotImplementedError(f"teleport of RPyC is not supported: {NO_TELEPORT}")


class FakeSlaveService(Service):
    """Offers nothing under a `SlaveService`'s names (``rpyc.core.service.FakeSlaveService``)."""

    threaded_service = True
    exposed_namespace = exposed_execute = exposed_eval = None
    exposed_getmodule = exposed_getconn = None


class ClassicClient(MasterService, FakeSlaveService):
    """Makes use of a `ClassicService`, and offers nothing (``rpyc.core.service.ClassicClient``)."""


class ClassicService(MasterService, SlaveService):
    """Both: each side can do anything in the other (``rpyc.ClassicService``)."""

    connection_config = staticmethod(SlaveService.connection_config)

    def on_connect(self, conn: Any) -> None:
        """Keep the connection, and fetch what the peer offers, if it does."""
        SlaveService.on_connect(self, conn)
        try:
            install(conn)
        except (AttributeError, TypeError):  # one that offers nothing, or None, is as welcome
            return


def opens_everything(service: object) -> bool:
    """Tell whether a service, a class or an instance, is a classic one."""
    kind = service if isinstance(service, type) else type(service)
    return issubclass(kind, SlaveService)
