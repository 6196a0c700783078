"""
``twistd txremote``: services hosted by Twisted's daemon.

What a user gets wrong on the command line ends in one sentence that says what to
do, and an exit status that is not 0. Everything is checked before the reactor
runs: the service is imported, the endpoints are parsed, the ports are taken.
"""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.application.service import Service as TwistedService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.usage import Options as TwistedOptions

from txremote.classic import DEFAULT_PORT as CLASSIC_PORT
from txremote.classic import SlaveService, opens_everything
from txremote.errors import ContainerError
from txremote.net.listen import ServingFactory, refuse_classic
from txremote.peer.config import make_config
from txremote.peer.connection import is_local
from txremote.service import check_service, is_service
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.work.running import set_default_pool
from txremote.work.spec import pool_from_string

DEFAULT_ENDPOINT = "tcp:18861:interface=127.0.0.1"
CLASSIC_ENDPOINT = f"tcp:{CLASSIC_PORT}:interface=127.0.0.1"
CONSOLE_EXAMPLE = "tcp:PORT:interface=127.0.0.1"

_log = Logger("txremote")


class Options(TwistedOptions):
    """
    The options of ``twistd txremote``.
    """

    synopsis = "[options]"
    longdesc = "Serve Python objects to txremote and RPyC clients."

    optParameters = [
        [
            "service",
            "s",
            None,
            "What to serve: package.module.Class (one instance a connection), or "
            "the name of an instance (shared by all). Found from the working directory too.",
        ],
        [
            "max-frame",
            None,
            str(DEFAULT_LIMITS.max_frame),
            "Longest message that is read from a client, in bytes.",
        ],
        [
            "max-line",
            None,
            "16384",
            "Longest line that is read from a console's client, in bytes.",
        ],
    ]

    optFlags = [
        [
            "threaded",
            None,
            "Run each connection's requests in a worker thread, where they may block. "
            "Services written for RPyC are threaded anyway.",
        ],
        [
            "classic",
            None,
            "Let clients import, evaluate and execute anything (RPyC's classic mode), "
            "on loopback only. [default port: 18812]",
        ],
    ]

    compData = None

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["listen"] = []
        self["pool"] = []
        self["console"] = []
        self["container"] = []

    def opt_listen(self, endpoint: str) -> None:
        """
        Where to listen, as a Twisted endpoint description; may be repeated.
        [default: tcp:18861:interface=127.0.0.1]
        """
        self["listen"].append(endpoint)

    opt_l = opt_listen

    def opt_pool(self, description: str) -> None:
        """
        Start a pool with the server, such as processes:4, threads:8 or
        dask:tcp://HOST:8786; may be repeated. run_async and @offloaded use the first.
        """
        self["pool"].append(description)

    def opt_container(self, description: str) -> None:
        """
        Commands for a console: 'package.module.Class ARGS', a command container as plac
        has them; may be repeated. What --listen serves is their tasks then, unless
        there is a --service.
        """
        self["container"].append(description)

    def opt_console(self, endpoint: str) -> None:
        """
        Where the console listens, for telnet and the like; may be repeated.
        [default: tcp:2199:interface=127.0.0.1]
        """
        self["console"].append(endpoint)


class _Refused(SystemExit, Exception):
    """
    Ends the process with a sentence. An Exception too, for twistd as a daemon
    tells its parent, which waits to hear, of nothing else.
    """


def _stop(sentence: str) -> NoReturn:
    raise _Refused(f"txremote: {sentence}")


def find_service(name: str) -> Any:
    """
    Import what a dotted name stands for, and check that it is a service.

    Args:
        name: ``package.module.Class``, or deeper.

    Raises:
        SystemExit: it cannot be imported or is no service; one sentence.
    """
    _look_here()
    parts = name.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        _stop(f"--service takes package.module.Class, not {name!r}")
    found, rest = _import_longest(parts)
    for part in rest:
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [x for x in vars(found) if is_service(getattr(found, x, None))]
            close = get_close_matches(part, names, 1) or names[:1]
            hint = f": did you mean {close[0]!r}?" if close else ""
            _stop(f"{getattr(found, '__name__', found)!r} has no {part!r}{hint}")
    try:
        return check_service(found)
    except TypeError as problem:
        _stop(str(problem))


def _look_here() -> None:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def _import_longest(parts: list[str]) -> tuple[Any, list[str]]:
    for size in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:size])
        try:
            return import_module(module), parts[size:]
        except ModuleNotFoundError as problem:
            missing = problem.name or ""
            if module != missing and not module.startswith(missing + "."):
                _stop(f"importing {module!r} failed: it needs {missing!r}, which is not installed")
        except Exception as problem:  # any code can be in a module
            _stop(f"importing {module!r} failed: {type(problem).__name__}: {problem}")
    _stop(
        f"no module {parts[0]!r}, installed or in the working directory: "
        "--service takes package.module.Class"
    )


class ListeningService(TwistedService):
    """
    One endpoint, served from start to stop.

    Args:
        endpoint: Where.
        description: How the user wrote it.
        factory: Makes the connections.
        classic: Whether to refuse an address that others can reach.
    """

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        description: str,
        factory: ServingFactory,
        classic: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._classic = classic
        self._description = description
        self._factory = factory
        self._port: IListeningPort | None = None
        self._failed: Failure | None = None
        self._starting: Deferred[Any] | None = None

    def privilegedStartService(self) -> None:
        """
        Take the port, before twistd gives up its privileges.

        Raises:
            SystemExit: it cannot be taken.
        """
        self._starting = self._endpoint.listen(self._factory)
        self._starting.addCallback(self._listening).addErrback(self._refused)
        if self._failed is not None:
            _stop(self._refusal(self._failed))

    def startService(self) -> None:
        """
        Take the port, where nobody asked for that before.
        """
        super().startService()  # type: ignore[no-untyped-call]
        if self._starting is None:
            self.privilegedStartService()

    def _listening(self, port: IListeningPort) -> None:
        self._port = port
        host: Any = port.getHost()
        if self._classic and not is_local(host):
            refuse_classic()
        where = f"{host.host}:{host.port}" if hasattr(host, "port") else str(host)
        _log.info("txremote serves on {where} ({what})", where=where, what=self._description)

    def _refused(self, failure: Failure) -> None:
        self._failed = failure
        if self.running:  # too late to exit with a sentence
            _log.failure("txremote cannot listen", failure)

    def _refusal(self, failure: Failure) -> str:
        error = failure.value
        if isinstance(error, CannotListenError):
            reason = getattr(error.socketError, "strerror", None) or error.socketError
            return (
                f"cannot listen on {self._description}: {reason}. "
                "Choose another port with --listen, or stop what uses it"
            )
        return f"cannot listen on {self._description}: {error}"

    async def _stop_all(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            stopping = port.stopListening()
            if stopping is not None:
                await stopping
        await self._factory.close_all()

    def stopService(self) -> Deferred[None]:
        """
        Give the port back and close every connection.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        if self._starting is not None:
            self._starting.cancel()
        return Deferred.fromCoroutine(self._stop_all())


def _chosen_service(options: Options) -> Any:
    name = options["service"]
    if not name:
        if options["classic"]:
            return SlaveService
        _stop("say what to serve: --service package.module.Class")
    root = find_service(name)
    tasks: Any = sys.modules.get("txremote.console.service")
    if tasks and isinstance(root, type) and issubclass(root, tasks.TaskService):
        _stop(f"{name} serves tasks: say whose, --container 'package.module.Class ARGS'")
    if opens_everything(root) and not options["classic"]:
        _stop(
            f"{name} is a classic service, which lets clients do anything here: "
            "say --classic if that is meant"
        )
    if options["classic"] and not opens_everything(root):
        _stop(f"--classic opens everything, and {name} is no classic service: leave one out")
    return root


class _Console(MultiService):
    """
    The console; what keeps it from listening ends twistd with a sentence.
    """

    def privilegedStartService(self) -> None:
        """
        Take its ports.

        Raises:
            SystemExit: one cannot be taken.
        """
        try:
            super().privilegedStartService()  # type: ignore[no-untyped-call]
        except (CannotListenError, ValueError) as problem:
            sentence = str(problem).rstrip(".")
            _stop(f"--console: {sentence}. Say where with --console, such as {CONSOLE_EXAMPLE}")


def _containers(options: Options) -> list[Any]:
    _look_here()
    found = []
    for description in options["container"]:
        try:
            # needs plac, which only this needs
            containers: Any = import_module("txremote.console.containers")
            found.append(containers.container_from_string(description))
        except (ImportError, ContainerError) as problem:
            _stop(f"--container {description}: {problem}")
    if options["console"] and not found:
        _stop("say what a console's commands are: --container 'package.module.Class ARGS'")
    return found


def _console(reactor: Any, options: Options, containers: list[Any]) -> Any:
    try:
        server: Any = import_module("txremote.console.server")
        return server.ConsoleService(
            *containers,
            endpoints=options["console"] or [server.DEFAULT_ENDPOINT],
            limits=server.ConsoleLimits(max_line=int(options["max-line"])),
            reactor=reactor,
        )
    except Exception as problem:  # each kind of endpoint parses in its own way
        _stop(f"--console: {problem} (write it as {CONSOLE_EXAMPLE} or unix:PATH)")


def _task_service(reactor: Any, options: Options, containers: list[Any], console: Any) -> Any:
    """
    Return what serves the console's tasks, or None if that is not what is served.
    """
    kind: Any = import_module("txremote.console.service").TaskService
    if options["service"]:
        chosen = find_service(options["service"])
        if not (isinstance(chosen, type) and issubclass(chosen, kind)):
            return None
        kind = chosen
    elif not options["listen"] or options["classic"]:
        return None
    if options["threaded"]:
        _stop("--threaded is not for tasks, which are the reactor's: leave it out")
    return kind(*containers, manager=console.manager, reactor=reactor)


def _pools(reactor: Any, descriptions: list[str]) -> list[Any]:
    pools = []
    for description in descriptions:
        try:
            pools.append(pool_from_string(description, reactor))
        except ValueError as problem:
            _stop(f"--pool {description}: {problem}")
    if pools:
        set_default_pool(pools[0])
    return pools


def makeService(options: Options) -> MultiService:
    """
    Return the service that twistd runs (twisted.application.service.ServiceMaker).

    Raises:
        SystemExit: the options make no sense; one sentence.
    """
    from twisted.internet import reactor

    containers = _containers(options)
    console = _console(reactor, options, containers) if containers else None
    root = _task_service(reactor, options, containers, console) if console else None
    only_console = console is not None and not (options["service"] or options["classic"])
    if root is None and not only_console:
        root = _chosen_service(options)
    try:
        config = make_config({"max_frame": int(options["max-frame"])})
    except ValueError as problem:
        _stop(f"--max-frame takes a number of bytes, not {options['max-frame']!r}: {problem}")
    whole = MultiService()
    for pool in _pools(reactor, options["pool"]):  # first, so that they are stopped last
        pool.setServiceParent(whole)
    if console is not None:
        room = _Console()  # type: ignore[no-untyped-call]
        console.setServiceParent(room)
        room.setServiceParent(whole)  # type: ignore[no-untyped-call]
    if root is None:
        return whole
    default = CLASSIC_ENDPOINT if options["classic"] else DEFAULT_ENDPOINT
    for description in options["listen"] or [default]:
        try:
            endpoint = serverFromString(reactor, description)
        except Exception as problem:  # each kind of endpoint parses in its own way
            _stop(
                f"--listen {description}: {problem} "
                "(write it as tcp:PORT:interface=ADDRESS, unix:PATH or ssl:PORT:privateKey=FILE)"
            )
        factory = ServingFactory(reactor, root, config, bool(options["threaded"]) or None)
        service = ListeningService(endpoint, description, factory, opens_everything(root))
        service.setServiceParent(whole)  # type: ignore[no-untyped-call]
    return whole
