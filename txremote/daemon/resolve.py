"""
From a `Plan` to objects: everything is found, read and checked, nothing is started.

All problems are reported at once.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IReactorCore

from txremote.classic import SlaveService, opens_everything
from txremote.config import ConnectionConfig, make_config
from txremote.console import DEFAULT_ENDPOINT as CONSOLE_ENDPOINT
from txremote.daemon.addresses import AddressResolver, EndpointMaker, ListenAddress
from txremote.daemon.adminsite import Admin, resolve_admin
from txremote.daemon.lookup import SERVICE_NAME, find_checker, find_container, find_service
from txremote.daemon.plan import CLASSIC_ENDPOINT, SERVER_ENDPOINT, ConsolePlan, Plan, ServerPlan
from txremote.daemon.problems import ConfigOrigin, PlanError, Problems
from txremote.daemon.registering import resolve_registry
from txremote.daemon.rpyc_defaults import DefaultsWatch
from txremote.daemon.rpyc_netrefs import make_known
from txremote.interfaces import IPool
from txremote.levels import NAMESPACE, parsed
from txremote.net.listen import refusal_of_hosted
from txremote.net.login import portal_for
from txremote.registry.ports import Registry
from txremote.service import config_of
from txremote.tasks.store import TaskStore
from txremote.tracing.exporting import check_exporter
from txremote.work.spec import pool_from_string

if TYPE_CHECKING:  # the console needs plac
    from txremote.console.server import ConsoleService

_CONTAINERS: Final = "package.module.Class ARGS"


@dataclass(frozen=True)
class Server:
    """The parts of a server. Its root is what is served, or a portal where clients log in."""

    plan: ServerPlan
    served: object
    root: object
    config: ConnectionConfig
    addresses: tuple[ListenAddress, ...]
    notes: tuple[str, ...] = ()  # for an operator
    operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class Console:
    """The parts of a console."""

    plan: ConsolePlan
    service: ConsoleService
    addresses: tuple[ListenAddress, ...]
    refusal: str  # why strangers must not reach it


@dataclass(frozen=True)
class Resolved:
    """The parts of a whole plan. The pools are not started."""

    plan: Plan
    servers: tuple[Server, ...]
    consoles: tuple[Console, ...]
    pools: tuple[IPool, ...]
    admin: Admin | None = None
    registry: Registry | None = None


def resolve(
    plan: Plan,
    reactor: IReactorCore,
    *,
    starting: bool = True,
    try_ports: bool = False,
    maker: EndpointMaker | None = None,
) -> Resolved:
    """
    Return the parts of a plan, or raise PlanError. The reactor need not run.

    Unless it is ``starting`` now, an endpoint that only systemd knows is taken for good. With
    ``try_ports`` each place to listen is tried, and given back. The endpoints are made by
    ``maker``, if there is one.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    resolver = _Resolver(plan, reactor, starting, try_ports, maker)
    resolver.check_levels()
    resolver.check_tracing()
    pools = resolver.pools()
    consoles = [found for each in plan.consoles if (found := resolver.console(each))]
    servers = [made for each in plan.servers if (made := resolver.server(each, consoles))]
    admin = resolver.admin()
    registry = resolver.registry(servers)
    if resolver.problems:
        raise PlanError(*resolver.problems)
    return Resolved(plan, tuple(servers), tuple(consoles), pools, admin, registry)


def serves_tasks(plan: ServerPlan) -> bool:
    """Tell whether a server is one of a console's tasks."""
    if plan.tasks is not None or plan.service is None:
        return plan.tasks is not None
    try:
        root = find_service(plan.service)
    except (ValueError, ImportError):  # which is told when it is resolved
        return False
    return _is_of_tasks(root)


def _is_of_tasks(root: object) -> bool:
    tasks: Any = sys.modules.get("txremote.console.task_service")
    return tasks is not None and isinstance(root, type) and issubclass(root, tasks.TaskService)


class _Resolver:
    """Resolves one plan, and collects its problems."""

    def __init__(
        self,
        plan: Plan,
        reactor: IReactorCore,
        starting: bool,
        try_ports: bool,
        maker: EndpointMaker | None,
    ) -> None:
        self.problems = Problems(plan.problems)
        self._plan = plan
        self._reactor = reactor
        self._addresses = AddressResolver(reactor, starting, self.problems, try_ports, maker)
        self._opens = maker is None or maker.opens
        self._defaults = DefaultsWatch()
        self._tasks_dbs: dict[str, ConfigOrigin] = {}

    def check_levels(self) -> None:
        """Note what is wrong with the levels of the log."""
        plan = self._plan
        for written in plan.log_level:
            with self.problems.noting(plan.origin, "log-level", written):
                if parsed(written)[0] == NAMESPACE and plan.verbose:
                    verbose = plan.origin.spelled("verbose", "true")
                    raise ValueError(f"{verbose} means the level debug: leave one out")

    def check_tracing(self) -> None:
        """Note why spans cannot be exported, if they are to be."""
        if self._plan.tracing:
            with self.problems.noting(self._plan.origin, "tracing"):
                check_exporter()

    def pools(self) -> tuple[IPool, ...]:
        """Make the pools."""
        found = []
        for description in self._plan.pool:
            with self.problems.noting(self._plan.origin, "pool", description):
                found.append(pool_from_string(description, self._reactor))
        return tuple(found)

    def admin(self) -> Admin | None:
        """Return the admin site, or None: there is none, or a problem, which is noted."""
        return resolve_admin(self._plan, self._addresses, self._reactor, self.problems)

    def registry(self, servers: list[Server]) -> Registry | None:
        """Return the registry that servers are entered in, or None, as `admin` does."""
        listening = [(each.plan, each.addresses) for each in servers]
        return resolve_registry(self._plan, listening, self._reactor, self.problems)

    def console(self, plan: ConsolePlan) -> Console | None:
        """Make a console, or return None and note why."""
        origin = plan.origin
        containers = []
        for description in plan.container:
            with self.problems.noting(origin, "container", description):
                containers.append(find_container(description))
        if not plan.container:
            how = origin.spelled("container", _CONTAINERS)
            self.problems.note_mismatch(origin, "", f"say what a console's commands are: {how}")
        addresses = self._addresses.of(plan, CONSOLE_ENDPOINT)
        try:
            # needs plac, as the containers do, which only consoles need
            server: Any = import_module("txremote.console.server")
        except ImportError:  # the containers have that problem already
            return None
        if not plan.tls_ca and any(each.exposed for each in addresses):
            self.problems.note_mismatch(origin, "listen", f": {server.REFUSAL}")
        if not (containers and addresses):
            return None
        manager = self._task_manager(plan, server)
        with self.problems.noting(origin, ""):
            service = server.ConsoleService(
                *containers,
                manager=manager,
                endpoints=[
                    each.description if plan.tls_cert is None and self._opens else each.endpoint
                    for each in addresses
                    if each.endpoint is not None
                ],
                limits=server.ConsoleLimits(max_line=plan.max_line),
                drain=self._plan.drain,
                reactor=self._reactor,
                # the default name is for files that have one console: the prompt is plac's then
                name="" if plan.name == "console" else plan.name,
            )
            return Console(plan, service, addresses, server.REFUSAL)
        return None

    def _task_manager(self, plan: ConsolePlan, server: Any) -> Any:
        """Return the manager of a console's tasks with their file; None if it has no file."""
        origin = plan.origin
        with self.problems.noting(origin, "tasks-db"):
            if plan.tasks_db is not None:
                store = TaskStore(plan.tasks_db, self._reactor)
                if (other := self._tasks_dbs.setdefault(store.path, origin)) is not origin:
                    raise ValueError(f"{other.table} keeps its tasks there: name another file")
                return server.TaskManager(reactor=self._reactor, store=store)
        return None

    def server(self, plan: ServerPlan, consoles: list[Console]) -> Server | None:
        """Make a server, or return None and note why."""
        origin = plan.origin
        served = self._served(plan, consoles)
        set_by_module = self._defaults.changes_for(served)
        config = None
        with self.problems.noting(origin, ""):
            config = make_config(plan.switches, make_config(set_by_module))
        addresses = self._addresses.of(plan, CLASSIC_ENDPOINT if plan.classic else SERVER_ENDPOINT)
        root = self._with_login(plan, served)
        operators = self._operators(plan)
        if served is None or config is None or not addresses:
            return None
        why_not = refusal_of_hosted(served, config_of(served, config))
        if why_not is not None and not plan.tls_ca and any(each.exposed for each in addresses):
            self.problems.note_mismatch(origin, "listen", f": {why_not}")
        note = (
            f"the module of {plan.what} sets {', '.join(sorted(set_by_module))} in RPyC's "
            "DEFAULT_CONFIG, which holds for it"
        )
        return Server(
            plan, served, root, config, addresses, (note,) if set_by_module else (), operators
        )

    def _served(self, plan: ServerPlan, consoles: list[Console]) -> object:
        """Return the service of a plan, or None where there is a problem, which is noted."""
        origin, name = plan.origin, plan.service
        if name is None:
            if plan.tasks is not None:
                return self._tasks(plan, None, consoles)
            if plan.classic:
                return SlaveService
            how = origin.spelled("service", SERVICE_NAME)
            self.problems.note_mismatch(origin, "", f"say what to serve: {how}")
            return None
        root: object = None
        with self.problems.noting(origin, "service", name):
            root = self._defaults.during(partial(find_service, name))
            make_known()
        if root is None:
            return None
        if _is_of_tasks(root):
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
        self.problems.note_mismatch(origin, "service", words, name)
        return None

    def _tasks(self, plan: ServerPlan, kind: Any, consoles: list[Console]) -> object:
        """Return the service of a console's tasks; as `_served`."""
        origin = plan.origin
        if plan.classic or plan.threaded:
            wrong = "classic" if plan.classic else "threaded"
            words = " is not for tasks, which are the reactor's: leave it out"
            self.problems.note_mismatch(origin, wrong, words)
            return None
        planned = [each for each in self._plan.consoles if plan.tasks in (None, each.name)]
        if len(planned) != 1:
            self._note_wrong_tasks(plan)
            return None
        for console in consoles:
            if console.plan is planned[0]:
                service = console.service
                if kind is None:
                    console_service: Any = import_module("txremote.console.task_service")
                    kind = console_service.TaskService
                return kind(
                    *service.containers.values(), manager=service.manager, reactor=self._reactor
                )
        return None  # that console has a problem of its own

    def _note_wrong_tasks(self, plan: ServerPlan) -> None:
        consoles = self._plan.consoles
        if any(each.origin.faulty or each.name == plan.tasks for each in consoles):
            return  # a console has a problem of its own
        names = ", ".join(repr(each.name) for each in consoles)
        origin = plan.origin
        if plan.tasks is not None:
            words = f": no console is called {plan.tasks!r}: there is {names or 'none'}"
            self.problems.note_mismatch(origin, "tasks", words)
            return
        how = origin.spelled("container", _CONTAINERS)
        if names:
            how = f"{origin.spelled('tasks', 'NAME')} with one of {names}"
        words = f" serves tasks: say whose, {how}"
        self.problems.note_mismatch(origin, "service", words, plan.service or "")

    def _operators(self, plan: ServerPlan) -> tuple[str, ...]:
        """Return the names of a server's operators."""
        written = ",".join(plan.operators)
        names = tuple(name.strip() for name in written.split(",")) if plan.operators else ()
        if not all(names):
            self.problems.note_mismatch(plan.origin, "operators", ": a name is empty", written)
        elif names and not plan.auth:
            how = plan.origin.spelled("auth", "file:PATH")
            words = f": nobody logs in here: add {how}, and those who do may be operators"
            self.problems.note_mismatch(plan.origin, "operators", words, written)
        return names

    def _with_login(self, plan: ServerPlan, served: object) -> object:
        checkers = []
        for description in plan.auth:
            # behind the colon there may be passwords
            with self.problems.noting(plan.origin, "auth", description.partition(":")[0]):
                checkers.append(find_checker(description))
        return portal_for(served, checkers) if checkers and served is not None else served
