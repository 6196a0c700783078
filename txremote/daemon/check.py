"""
``txremote check FILE``: print all problems of a file for ``twistd txremote --config``.

Of a file without problems print its servers, consoles and pools. Nothing is started, but modules
are imported, and so they run, and certificates are read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from twisted.internet.interfaces import IReactorCore

from txremote.classic import opens_everything
from txremote.daemon.addresses import ListenAddress
from txremote.daemon.configfile import read_plan
from txremote.daemon.plan import LIMITS, SWITCHES, ListenerPlan
from txremote.daemon.problems import PlanError
from txremote.daemon.resolve import Resolved, resolve


def run_check(path: str, reactor: IReactorCore) -> int:
    """Print a file's problems and return 1, or print its contents and return 0."""
    try:
        resolved = resolve(read_plan(path), reactor, starting=False)
    except PlanError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 1
    for line in _described(resolved):
        print(line)
    return 0


def _described(resolved: Resolved) -> Iterator[str]:
    for server in resolved.servers:
        plan = server.plan
        yield f"server: {plan.what}"
        yield from _addresses(plan, server.addresses)
        if opens_everything(server.served):
            yield "  clients can do anything"
        if plan.auth:
            ways = ", ".join(each.partition(":")[0] for each in plan.auth)
            yield f"  login: {ways}"
        if server.operators:
            yield f"  operators: {', '.join(server.operators)}"
        for note in server.notes:
            yield f"  {note}"
        for setting in (*SWITCHES, *LIMITS):
            if setting.field in plan.switches:
                yield f"  {setting.name}: {_shown(plan.switches[setting.field])}"
    for console in resolved.consoles:
        yield f"console: {', '.join(console.service.containers)}"
        yield from _addresses(console.plan, console.addresses)
    for description in resolved.plan.pool:
        yield f"pool: {description}"
    if resolved.admin is not None:
        yield f"admin: {resolved.admin.description}"
        if resolved.plan.admin_token is not None:
            yield f"  token: {resolved.plan.admin_token}"
        if resolved.plan.admin_write:
            yield "  its users can close connections and kill tasks"
    yield f"drain: {resolved.plan.drain:g} s"


def _shown(value: object) -> str:
    """Return a switch's value as a file has it."""
    if value is None:
        return "no limit"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _addresses(plan: ListenerPlan, addresses: tuple[ListenAddress, ...]) -> Iterator[str]:
    tls = ""
    if plan.tls_cert is not None:
        tls = " with TLS and client certificates" if plan.tls_ca is not None else " with TLS"
    for address in addresses:
        yield f"  on {address.description}{tls}"
