"""
From a `Plan` to objects: everything is found, read and checked, nothing is started.

Services and containers are imported, endpoints and pools parsed, certificates and
what ``--auth`` names are loaded. Problems are collected, so that all of them can be
told at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IReactorCore, IStreamServerEndpoint

from txremote.classic import SlaveService, opens_everything
from txremote.config import ConnectionConfig, make_config
from txremote.console import DEFAULT_ENDPOINT as CONSOLE_ENDPOINT
from txremote.daemon.lookup import (
    SERVICE_NAME,
    address_of,
    find_checker,
    find_container,
    find_service,
    is_exposed,
)
from txremote.daemon.plan import (
    CLASSIC_ENDPOINT,
    SERVER_ENDPOINT,
    ConfigOrigin,
    ConsolePlan,
    ListenerPlan,
    Plan,
    PlanError,
    Problem,
    ServerPlan,
)
from txremote.daemon.rpyc_defaults import DefaultsWatch
from txremote.daemon.rpyc_netrefs import make_known
from txremote.interfaces import IPool
from txremote.net.listen import refusal_of_hosted
from txremote.net.login import portal_for
from txremote.net.tls import Credentials, tls_server
from txremote.net.unixsockets import server_endpoint
from txremote.service import config_of
from txremote.work.spec import pool_from_string

if TYPE_CHECKING:  # the console needs plac
    from txremote.console.containers import Container
    from txremote.console.server import ConsoleService

_ENDPOINTS: Final = "tcp:PORT:interface=ADDRESS, unix:PATH or ssl:PORT:privateKey=FILE"
_CONTAINERS: Final = "package.module.Class ARGS"


@dataclass(frozen=True)
class ListenAddress:
    """
    Somewhere to listen.

    Attributes:
        description: How it was written.
        endpoint: What that means, TLS included; None where only systemd can tell.
        exposed: Whether it is known that other machines reach it.
    """

    description: str
    endpoint: IStreamServerEndpoint | None
    exposed: bool

    @property
    def is_plain(self) -> bool:
        """Whether it is TCP, where TLS may still be put around it."""
        return self.description.startswith(("tcp:", "tcp6:"))


@dataclass(frozen=True)
class Server:
    """
    What a server is made of.

    Attributes:
        plan: Its plan.
        what: What it serves, in words.
        served: The service: a class or an instance.
        root: That, or a portal where one logs in.
        config: The switches.
        addresses: Where it listens.
        classic: Whether it gives its clients everything.
        notes: What an operator should know of it, each a sentence.
    """

    plan: ServerPlan
    what: str
    served: object
    root: object
    config: ConnectionConfig
    addresses: tuple[ListenAddress, ...]
    classic: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Console:
    """What a console is made of: its plan, its service, where it listens."""

    plan: ConsolePlan
    service: ConsoleService
    addresses: tuple[ListenAddress, ...]


@dataclass(frozen=True)
class Resolved:
    """What a whole plan is made of. The pools are not started."""

    plan: Plan
    servers: tuple[Server, ...]
    consoles: tuple[Console, ...]
    pools: tuple[IPool, ...]


def resolve(plan: Plan, reactor: IReactorCore, *, starting: bool = True) -> Resolved:
    """
    Return what a plan is made of.

    Args:
        plan: The plan.
        reactor: Where it is to run.
        starting: Whether it is to be started now. If not, an endpoint that only
            systemd can tell of is taken for good.

    Raises:
        PlanError: it cannot be carried out; all that is wrong with it.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    resolver = _Resolver(plan, reactor, starting)
    pools = resolver.pools()
    consoles = [found for each in plan.consoles if (found := resolver.console(each)) is not None]
    servers = [
        made for each in plan.servers if (made := resolver.server(each, consoles)) is not None
    ]
    if resolver.problems:
        raise PlanError(*resolver.problems)
    return Resolved(plan, tuple(servers), tuple(consoles), pools)


class _Resolver:
    """Resolves one plan, and collects what is wrong with it."""

    def __init__(self, plan: Plan, reactor: IReactorCore, starting: bool) -> None:
        self.problems = list(plan.problems)
        self._plan = plan
        self._reactor = reactor
        self._starting = starting
        self._taken: dict[tuple[str, ...], ConfigOrigin] = {}
        self._defaults = DefaultsWatch()

    def _complain(self, origin: ConfigOrigin, key: str, words: str, value: str = "") -> None:
        """Note a problem with a setting, or one of its values, or with the whole part."""
        subject = f"{origin.spelled(key)} {value}".rstrip() if key else ""
        self.problems.append(Problem(origin, key, f"{subject}{words}"))

    def _complain_of_whole(
        self, origin: ConfigOrigin, key: str, words: str, value: str = ""
    ) -> None:
        """Note that settings do not fit together, unless that may be a typo's fault."""
        if not origin.faulty:
            self._complain(origin, key, words, value)

    @contextmanager
    def _noting(self, origin: ConfigOrigin, key: str, value: str = "") -> Iterator[None]:
        """Note what the block raises, and go on behind it."""
        try:
            yield
        except (ValueError, ImportError) as problem:
            self._complain(origin, key, f": {problem}" if key else str(problem), value)

    def pools(self) -> tuple[IPool, ...]:
        """Return the pools."""
        found = []
        for description in self._plan.pool:
            with self._noting(self._plan.origin, "pool", description):
                found.append(pool_from_string(description, self._reactor))
        return tuple(found)

    def console(self, plan: ConsolePlan) -> Console | None:
        """Return a console, or None."""
        origin = plan.origin
        containers = []
        for description in plan.container:
            with self._noting(origin, "container", description):
                containers.append(find_container(description))
        if not plan.container:
            how = origin.spelled("container", _CONTAINERS)
            self._complain_of_whole(origin, "", f"say what a console's commands are: {how}")
        addresses = self._addresses(plan, CONSOLE_ENDPOINT)
        try:
            # needs plac, as the containers do, which only consoles need
            server: Any = import_module("txremote.console.server")
        except ImportError:  # which was told of the containers
            return None
        if not plan.tls_ca and any(each.exposed for each in addresses):
            self._complain_of_whole(origin, "listen", f": {server.REFUSAL}")
        if not (containers and addresses):
            return None
        with self._noting(origin, ""):
            service = self._console_service(server, plan, containers, addresses)
            return Console(plan, service, addresses)
        return None

    def _console_service(
        self,
        server: Any,
        plan: ConsolePlan,
        containers: list[Container],
        addresses: tuple[ListenAddress, ...],
    ) -> ConsoleService:
        service: ConsoleService = server.ConsoleService(
            *containers,
            endpoints=[
                each.description if plan.tls_cert is None else each.endpoint
                for each in addresses
                if each.endpoint is not None
            ],
            limits=server.ConsoleLimits(max_line=plan.max_line),
            drain=self._plan.drain,
            reactor=self._reactor,
        )
        return service

    def server(self, plan: ServerPlan, consoles: list[Console]) -> Server | None:
        """Return a server, or None."""
        origin = plan.origin
        served = self._served(plan, consoles)
        set_by_module = self._defaults.changes_for(served)
        config = None
        with self._noting(origin, ""):
            config = make_config(plan.switches, make_config(set_by_module))
        addresses = self._addresses(plan, CLASSIC_ENDPOINT if plan.classic else SERVER_ENDPOINT)
        root = self._with_login(plan, served)
        if served is None or config is None or not addresses:
            return None
        why_not = refusal_of_hosted(served, config_of(served, config))
        if why_not is not None and not plan.tls_ca and any(each.exposed for each in addresses):
            self._complain_of_whole(origin, "listen", f": {why_not}")
        what = _in_words(plan)
        notes = _of_defaults(what, set_by_module)
        return Server(plan, what, served, root, config, addresses, opens_everything(served), notes)

    def _served(self, plan: ServerPlan, consoles: list[Console]) -> object:
        """Return what a plan serves, or None if there is a problem, which is noted."""
        origin, name = plan.origin, plan.service
        if name is None:
            if plan.tasks is not None:
                return self._tasks(plan, None, consoles)
            if plan.classic:
                return SlaveService
            how = origin.spelled("service", SERVICE_NAME)
            self._complain_of_whole(origin, "", f"say what to serve: {how}")
            return None
        root: object = None
        with self._noting(origin, "service", name):
            root = self._defaults.during(partial(find_service, name))
            make_known()
        if root is None:
            return None
        tasks: Any = sys.modules.get("txremote.console.service")
        if tasks is not None and isinstance(root, type) and issubclass(root, tasks.TaskService):
            return self._tasks(plan, root, consoles)
        if plan.tasks is not None:
            words = ": it serves no tasks: derive it from TaskService"
        elif opens_everything(root) and not plan.classic:
            words = (
                ": it is a classic service, which lets clients do anything here: "
                f"say {origin.spelled('classic', 'true')} if that is meant"
            )
        elif plan.classic and not opens_everything(root):
            words = (
                f": {origin.spelled('classic')} opens everything, and this is no classic "
                "service: leave one out"
            )
        else:
            return root
        self._complain_of_whole(origin, "service", words, name)
        return None

    def _tasks(self, plan: ServerPlan, kind: Any, consoles: list[Console]) -> object:
        """Return what serves the tasks of a console; as `_served`."""
        origin = plan.origin
        if plan.classic or plan.threaded:
            wrong = "classic" if plan.classic else "threaded"
            words = " is not for tasks, which are the reactor's: leave it out"
            self._complain_of_whole(origin, wrong, words)
            return None
        planned = [each for each in self._plan.consoles if plan.tasks in (None, each.name)]
        if len(planned) != 1:
            self._complain_of_tasks(plan)
            return None
        for console in consoles:
            if console.plan is planned[0]:
                service = console.service
                if kind is None:
                    console_service: Any = import_module("txremote.console.service")
                    kind = console_service.TaskService
                return kind(
                    *service.containers.values(), manager=service.manager, reactor=self._reactor
                )
        return None  # the console has a problem of its own

    def _complain_of_tasks(self, plan: ServerPlan) -> None:
        if any(each.origin.faulty for each in self._plan.consoles):
            return
        names = ", ".join(repr(each.name) for each in self._plan.consoles)
        origin = plan.origin
        if plan.tasks is not None:
            there = f"there is {names}" if names else "there is none"
            self._complain_of_whole(
                origin, "tasks", f": no console is called {plan.tasks!r}: {there}"
            )
            return
        how = (
            f"{origin.spelled('tasks', 'NAME')} with one of {names}"
            if names
            else origin.spelled("container", _CONTAINERS)
        )
        self._complain_of_whole(
            origin, "service", f" serves tasks: say whose, {how}", plan.service or ""
        )

    def _with_login(self, plan: ServerPlan, served: object) -> object:
        checkers = []
        for description in plan.auth:
            # what is behind the colon may be passwords
            with self._noting(plan.origin, "auth", description.partition(":")[0]):
                checkers.append(find_checker(description))
        return portal_for(served, checkers) if checkers and served is not None else served

    def _addresses(self, plan: ListenerPlan, default: str) -> tuple[ListenAddress, ...]:
        """Return where to listen; nothing if there is something wrong with it."""
        before = len(self.problems)
        origin = plan.origin
        credentials_are_good = self._check_certificates(plan)
        found = []
        for description in plan.listen or (() if origin.faulty else (default,)):
            with self._noting(origin, "listen", description):
                if plan.tls_cert is not None and description.startswith(("ssl:", "tls:")):
                    how = origin.spelled("tls-cert")
                    raise ValueError(f"it has TLS already: write tcp: with {how}")
                endpoint = self._endpoint(description)
                self._take(description, origin)
                if plan.tls_cert is not None and endpoint is not None and credentials_are_good:
                    endpoint = tls_server(description, *_files(plan), reactor=self._reactor)
                found.append(ListenAddress(description, endpoint, is_exposed(description)))
        return tuple(found) if len(self.problems) == before else ()

    def _take(self, description: str, origin: ConfigOrigin) -> None:
        """
        Note that an address is taken.

        Raises:
            ValueError: it is taken already.
        """
        address = address_of(description)
        if address is None:
            return
        other = self._taken.get(address)
        if other is not None:
            already = other.table if other.table != origin.table else ""
            raise ValueError(f"{already} listens there already" if already else "it is there twice")
        self._taken[address] = origin

    def _endpoint(self, description: str) -> IStreamServerEndpoint | None:
        kind = description.partition(":")[0]
        try:
            return server_endpoint(self._reactor, description)
        except (KeyError, IndexError) as problem:
            if kind != "systemd":
                raise _no_endpoint(problem) from None
            if not self._starting:
                return None
            raise ValueError(
                "systemd has not handed over that socket: start this by its .service, with "
                "a .socket beside it"
            ) from None
        except ImportError as problem:
            how = "pip install 'txremote[tls]'"
            raise ValueError(f"{how} ({problem})" if kind == "ssl" else str(problem)) from None
        except Exception as problem:  # each kind of endpoint parses in its own way
            raise _no_endpoint(problem) from None

    def _check_certificates(self, plan: ListenerPlan) -> bool:
        """Tell whether a plan's certificates are good, if it has any; else note why not."""
        origin = plan.origin
        before = len(self.problems)
        if plan.tls_cert is None:
            for name, path in (("tls-key", plan.tls_key), ("tls-ca", plan.tls_ca)):
                if path is not None:
                    how = origin.spelled("tls-cert", "FILE")
                    self._complain_of_whole(origin, name, f" is of use with {how} only")
            return len(self.problems) == before
        try:
            Credentials(*_files(plan))
        except OSError as problem:
            name = _named_in(str(problem.filename), plan)
            path = getattr(plan, name.replace("-", "_"))
            self._complain(origin, name, f": {problem.strerror}", path)
        except ValueError as problem:
            self._complain(origin, _named_in(str(problem), plan), f": {problem}")
        except ImportError as problem:
            self._complain(origin, "tls-cert", f": {problem}")
        return len(self.problems) == before


def _no_endpoint(problem: Exception) -> ValueError:
    return ValueError(f"{problem} (write it as {_ENDPOINTS})")


def _in_words(plan: ServerPlan) -> str:
    if plan.service is not None:
        return plan.service
    return f"the tasks of {plan.tasks!r}" if plan.tasks is not None else "classic mode"


def _of_defaults(what: str, changes: dict[str, object]) -> tuple[str, ...]:
    if not changes:
        return ()
    names = ", ".join(sorted(changes))
    return (f"the module of {what} sets {names} in RPyC's DEFAULT_CONFIG, which holds for it",)


def _files(plan: ListenerPlan) -> tuple[str, str | None, str | None]:
    # they are read again when they have changed, and twistd may have left the
    # working directory by then
    cert, key, ca = (
        path if path is None else os.path.abspath(path)
        for path in (plan.tls_cert, plan.tls_key, plan.tls_ca)
    )
    assert cert is not None
    return cert, key, ca


def _named_in(text: str, plan: ListenerPlan) -> str:
    """Return which of the settings of TLS a problem begins with."""
    _cert, key, ca = _files(plan)
    if key is not None and text.startswith(key):
        return "tls-key"
    return "tls-ca" if ca is not None and text.startswith(ca) else "tls-cert"
