"""
From a `Plan` to objects: everything is found, read and checked, nothing is started.

Services and containers are imported, endpoints and pools parsed, certificates and
what ``--auth`` names are loaded. What is wrong is collected, so that all of it can
be told at once; each problem is a sentence that begins with where it was written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final

from twisted.internet.interfaces import IStreamServerEndpoint

from txremote.classic import DEFAULT_PORT as CLASSIC_PORT
from txremote.classic import SlaveService, opens_everything
from txremote.config import ConnectionConfig, make_config
from txremote.daemon.lookup import (
    SERVICE_NAME,
    address_of,
    find_checker,
    find_container,
    find_service,
    is_exposed,
)
from txremote.daemon.plan import ConsolePlan, Plan, PlanError, ServerPlan
from txremote.daemon.rpyc_defaults import DefaultsWatch
from txremote.daemon.rpyc_netrefs import make_known
from txremote.net.listen import refusal_of_hosted
from txremote.net.login import portal_for
from txremote.net.tls import Credentials, tls_server
from txremote.net.unixsockets import server_endpoint
from txremote.service import config_of
from txremote.work.spec import pool_from_string

DEFAULT_ENDPOINT: Final = "tcp:18861:interface=127.0.0.1"
CLASSIC_ENDPOINT: Final = f"tcp:{CLASSIC_PORT}:interface=127.0.0.1"
CONSOLE_ENDPOINT: Final = "tcp:2199:interface=127.0.0.1"  # plac's port

_ENDPOINTS: Final = "tcp:PORT:interface=ADDRESS, unix:PATH or ssl:PORT:privateKey=FILE"
_CONTAINERS: Final = "package.module.Class ARGS"


@dataclass(frozen=True)
class Place:
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
        places: Where it listens.
        classic: Whether it gives its clients everything.
        notes: What an operator should know of it, each a sentence.
    """

    plan: ServerPlan
    what: str
    served: Any
    root: Any
    config: ConnectionConfig
    places: tuple[Place, ...]
    classic: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Console:
    """
    What a console is made of.

    Attributes:
        plan: Its plan.
        service: A `ConsoleService`.
        places: Where it listens.
    """

    plan: ConsolePlan
    service: Any
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Resolved:
    """
    What a whole plan is made of.

    Attributes:
        plan: The plan.
        servers: Its servers.
        consoles: Its consoles.
        pools: Its pools, not started.
    """

    plan: Plan
    servers: tuple[Server, ...]
    consoles: tuple[Console, ...]
    pools: tuple[Any, ...]


def read_and_resolve(read: Callable[[], Plan], reactor: Any, *, starting: bool = True) -> Resolved:
    """
    Read a plan, and return what it is made of; as `resolve`.

    Args:
        read: Gives the plan.
        reactor: Where it is to run.
        starting: Whether it is to be started now.

    Raises:
        PlanError: all that is wrong, with what was read and with what it stands for.
    """
    problems: list[str] = []
    try:
        plan = read()
    except PlanError as error:
        if error.rest is None:
            raise
        problems, plan = error.problems, error.rest
    try:
        resolved = resolve(plan, reactor, starting=starting)
    except PlanError as error:
        raise PlanError([*problems, *error.problems]) from None
    if problems:
        raise PlanError(problems)
    return resolved


def resolve(plan: Plan, reactor: Any, *, starting: bool = True) -> Resolved:
    """
    Return what a plan is made of.

    Args:
        plan: The plan.
        reactor: Where it is to run.
        starting: Whether it is to be started now. If not, an endpoint that only
            systemd can tell of is taken for good.

    Raises:
        PlanError: it cannot be carried out.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    work = _Resolving(plan, reactor, starting)
    pools = work.pools()
    consoles = [found for each in plan.consoles if (found := work.console(each)) is not None]
    servers = [made for each in plan.servers if (made := work.server(each, consoles)) is not None]
    if work.problems:
        raise PlanError(work.problems)
    return Resolved(plan, tuple(servers), tuple(consoles), pools)


class _Resolving:
    """The resolving of one plan, and what was found wrong with it."""

    def __init__(self, plan: Plan, reactor: Any, starting: bool) -> None:
        self.problems: list[str] = []
        self._plan = plan
        self._reactor = reactor
        self._starting = starting
        self._taken: dict[tuple[str, ...], str] = {}  # where it is written
        self._defaults = DefaultsWatch()

    @contextmanager
    def _noted(self, place: str = "") -> Iterator[None]:
        """Note a problem, and go on behind the block."""
        try:
            yield
        except (ValueError, ImportError) as problem:
            self.problems.append(f"{place}{problem}")

    def pools(self) -> tuple[Any, ...]:
        """Return the pools."""
        found = []
        for description in self._plan.pool:
            with self._noted(f"{self._plan.source.of('pool')} {description}: "):
                found.append(pool_from_string(description, self._reactor))
        return tuple(found)

    def console(self, plan: ConsolePlan) -> Console | None:
        """Return a console, or None."""
        source = plan.source
        containers = []
        for description in plan.container:
            with self._noted(f"{source.of('container')} {description}: "):
                containers.append(find_container(description))
        if not plan.container:
            how = source.spelled("container", _CONTAINERS)
            self.problems.append(f"{source.at()}say what a console's commands are: {how}")
        places = self._places(plan, CONSOLE_ENDPOINT)
        if not (containers and places):
            return None
        server: Any = import_module("txremote.console.server")
        if not plan.tls_ca and any(each.exposed for each in places):
            self.problems.append(f"{source.of('listen')}: {server.REFUSAL}")
        with self._noted(source.at("container")):
            return Console(plan, self._console_service(plan, containers, places), places)
        return None

    def _console_service(
        self, plan: ConsolePlan, containers: list[Any], places: tuple[Place, ...]
    ) -> Any:
        # needs plac, as the containers have done, which only consoles need
        server: Any = import_module("txremote.console.server")
        return server.ConsoleService(
            *containers,
            endpoints=[
                each.description if plan.tls_cert is None else each.endpoint
                for each in places
                if each.endpoint is not None
            ],
            limits=server.ConsoleLimits(max_line=plan.max_line),
            drain=self._plan.drain,
            reactor=self._reactor,
        )

    def server(self, plan: ServerPlan, consoles: list[Console]) -> Server | None:
        """Return a server, or None."""
        source = plan.source
        served = None
        with self._noted():
            served = self._served(plan, consoles)
        set_by_module = self._defaults.changes_for(served)
        config = None
        with self._noted(source.at()):
            config = make_config({**plan.switches, **plan.limits}, make_config(set_by_module))
        places = self._places(plan, CLASSIC_ENDPOINT if plan.classic else DEFAULT_ENDPOINT)
        root = self._with_login(plan, served)
        if served is None or config is None or not places:
            return None
        why_not = refusal_of_hosted(served, config_of(served, config))
        if why_not is not None and not plan.tls_ca and any(each.exposed for each in places):
            self.problems.append(f"{source.of('listen')}: {why_not}")
        what = _in_words(plan)
        notes = _of_defaults(what, set_by_module)
        return Server(plan, what, served, root, config, places, opens_everything(served), notes)

    def _served(self, plan: ServerPlan, consoles: list[Console]) -> Any:
        source = plan.source
        root: Any = None
        if plan.service is not None:
            try:
                root = self._defaults.during(partial(find_service, plan.service))
                make_known()
            except ValueError as problem:
                raise ValueError(f"{source.of('service')} {plan.service}: {problem}") from None
        elif plan.tasks is None and plan.classic:
            return SlaveService
        elif plan.tasks is None:
            how = source.spelled("service", SERVICE_NAME)
            raise ValueError(f"{source.at()}say what to serve: {how}")
        tasks: Any = sys.modules.get("txremote.console.service")
        serves_tasks = tasks is not None and _is_kind_of(root, tasks.TaskService)
        if plan.tasks is not None or serves_tasks:
            return self._tasks(plan, root, serves_tasks, consoles)
        where = f"{source.of('service')} {plan.service}: "
        if opens_everything(root) and not plan.classic:
            how = source.spelled("classic", "true")
            raise ValueError(
                f"{where}it is a classic service, which lets clients do anything here: "
                f"say {how} if that is meant"
            )
        if plan.classic and not opens_everything(root):
            raise ValueError(
                f"{where}{source.spelled('classic')} opens everything, and this is no classic "
                "service: leave one out"
            )
        return root

    def _tasks(
        self, plan: ServerPlan, kind: Any, serves_tasks: bool, consoles: list[Console]
    ) -> Any:
        """
        Return what serves the tasks of a console, or None if there is something wrong
        with the console, which was told already.
        """
        source = plan.source
        if plan.classic or plan.threaded:
            wrong = "classic" if plan.classic else "threaded"
            where = source.of(wrong)
            raise ValueError(f"{where} is not for tasks, which are the reactor's: leave it out")
        if kind is not None and not serves_tasks:
            where = f"{source.of('service')} {plan.service}"
            raise ValueError(f"{where}: it serves no tasks: derive it from TaskService")
        planned = [each for each in self._plan.consoles if plan.tasks in (None, each.name)]
        if len(planned) != 1:
            raise ValueError(self._whose_tasks(plan))
        for console in consoles:
            if console.plan is planned[0]:
                service = console.service
                if kind is None:
                    console_service: Any = import_module("txremote.console.service")
                    kind = console_service.TaskService
                return kind(
                    *service.containers.values(), manager=service.manager, reactor=self._reactor
                )
        return None

    def _whose_tasks(self, plan: ServerPlan) -> str:
        names = ", ".join(repr(each.name) for each in self._plan.consoles)
        source = plan.source
        if plan.tasks is not None:
            there = f"there is {names}" if names else "there is none"
            return f"{source.of('tasks')}: no console is called {plan.tasks!r}: {there}"
        where = f"{source.of('service')} {plan.service} serves tasks: say whose, "
        if not names:
            return where + plan.source.spelled("container", _CONTAINERS)
        return f"{where}{source.spelled('tasks', 'NAME')} with one of {names}"

    def _with_login(self, plan: ServerPlan, served: Any) -> Any:
        checkers = []
        for description in plan.auth:
            # what is behind the colon may be passwords
            kind = description.partition(":")[0]
            with self._noted(f"{plan.source.of('auth')} {kind}: "):
                checkers.append(find_checker(description))
        return portal_for(served, checkers) if checkers and served is not None else served

    def _places(self, plan: ServerPlan | ConsolePlan, default: str) -> tuple[Place, ...]:
        """Return where to listen; nothing if there is something wrong with it."""
        before = len(self.problems)
        source = plan.source
        with self._noted():
            _check_certificates(plan)
        whole = len(self.problems) == before
        found = []
        for description in plan.listen or (default,):
            with self._noted(f"{source.of('listen')} {description}: "):
                if plan.tls_cert is not None and description.startswith(("ssl:", "tls:")):
                    how = source.spelled("tls-cert")
                    raise ValueError(f"it has TLS already: write tcp: with {how}")
                endpoint = self._endpoint(description)
                self._take(description, source.at("listen").removesuffix(": "))
                if plan.tls_cert is not None and endpoint is not None and whole:
                    endpoint = tls_server(description, *_files(plan), reactor=self._reactor)
                found.append(Place(description, endpoint, is_exposed(description)))
        return tuple(found) if len(self.problems) == before else ()

    def _take(self, description: str, where: str) -> None:
        address = address_of(description)
        if address is None:
            return
        if address in self._taken:
            other = self._taken[address]
            raise ValueError(f"{other} listens there already" if other else "it is there twice")
        self._taken[address] = where

    def _endpoint(self, description: str) -> Any:
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


def _no_endpoint(problem: Exception) -> ValueError:
    return ValueError(f"{problem} (write it as {_ENDPOINTS})")


def _is_kind_of(root: Any, kind: type) -> bool:
    return isinstance(root, type) and issubclass(root, kind)


def _in_words(plan: ServerPlan) -> str:
    if plan.service is not None:
        return plan.service
    return f"the tasks of {plan.tasks!r}" if plan.tasks is not None else "classic mode"


def _of_defaults(what: str, changes: dict[str, Any]) -> tuple[str, ...]:
    if not changes:
        return ()
    names = ", ".join(sorted(changes))
    return (f"the module of {what} sets {names} in RPyC's DEFAULT_CONFIG, which holds for it",)


def _files(plan: ServerPlan | ConsolePlan) -> tuple[str, str | None, str | None]:
    # they are read again when they have changed, and twistd may have left the
    # working directory by then
    cert, key, ca = (
        path if path is None else os.path.abspath(path)
        for path in (plan.tls_cert, plan.tls_key, plan.tls_ca)
    )
    assert cert is not None
    return cert, key, ca


def _check_certificates(plan: ServerPlan | ConsolePlan) -> None:
    source = plan.source
    if plan.tls_cert is None:
        for name, path in (("tls-key", plan.tls_key), ("tls-ca", plan.tls_ca)):
            if path is not None:
                how = source.spelled("tls-cert", "FILE")
                raise ValueError(f"{source.of(name)} is of use with {how} only")
        return
    try:
        Credentials(*_files(plan))
    except OSError as problem:
        name = _named_in(str(problem.filename), plan)
        path = getattr(plan, name.replace("-", "_"))
        raise ValueError(f"{source.of(name)} {path}: {problem.strerror}") from None
    except ValueError as problem:
        raise ValueError(f"{source.of(_named_in(str(problem), plan))}: {problem}") from None
    except ImportError as problem:
        raise ValueError(f"{source.of('tls-cert')}: {problem}") from None


def _named_in(text: str, plan: ServerPlan | ConsolePlan) -> str:
    """Return which of the settings of TLS a problem begins with."""
    _cert, key, ca = _files(plan)
    if key is not None and text.startswith(key):
        return "tls-key"
    return "tls-ca" if ca is not None and text.startswith(ca) else "tls-cert"
