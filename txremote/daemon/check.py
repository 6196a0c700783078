"""
``txremote check FILE``: print all problems of a file for ``twistd txremote --config``.

Of a file without problems print its servers, consoles and pools, and what an operator should know
of them. Nothing is started, but modules are imported, and so they run, certificates are read, and
ports are taken for a moment.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress

from twisted.internet.interfaces import IReactorCore

from txremote.classic import opens_everything
from txremote.daemon.addresses import ListenAddress
from txremote.daemon.advice import advice
from txremote.daemon.configfile import read_plan
from txremote.daemon.plan import LIMITS, SWITCHES, ListenerPlan
from txremote.daemon.problems import PlanError
from txremote.daemon.resolve import Resolved, Server, resolve
from txremote.printing import NotPrinted, put_lines
from txremote.registry.urls import registry_url


def run_check(path: str, reactor: IReactorCore, *, try_ports: bool = True) -> int:
    """Print a file's problems and return 1, or print its contents and return 0."""
    try:
        resolved = resolve(read_plan(path), reactor, starting=False, try_ports=try_ports)
    except PlanError as error:
        with suppress(NotPrinted):  # the status says it all the same
            put_lines(error.problems, sys.stderr)
        return 1
    put_lines(_described(resolved))
    return 0


def _described(resolved: Resolved) -> Iterator[str]:
    for server in resolved.servers:
        yield from _described_server(server)
    for console in resolved.consoles:
        yield f"console: {', '.join(console.service.containers)}"
        yield from _addresses(console.plan, console.addresses)
        yield from _advice(console.plan, console.addresses)
    each = ""
    if resolved.plan.workers:
        yield f"workers: {resolved.plan.workers}"
        each = ", in each worker"
        if resolved.consoles:
            yield "  one of them has the consoles, and serves their tasks"
    for description in resolved.plan.pool:
        yield f"pool: {description}{each}"
    if resolved.admin is not None:
        yield f"admin: {resolved.admin.description}"
        if resolved.plan.admin_token is not None:
            yield f"  token: {resolved.plan.admin_token}"
        if resolved.plan.admin_write:
            yield "  its users can close connections and kill tasks"
    if resolved.registry is not None:
        yield f"registry: {registry_url(resolved.plan.registry)}"
    yield f"drain: {resolved.plan.drain:g} s"


def _described_server(server: Server) -> Iterator[str]:
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
    if plan.register:
        where = f" at {plan.advertise}" if plan.advertise else ""
        yield f"  registered as: {', '.join(plan.register)}{where}"
    for note in server.notes:
        yield f"  {note}"
    yield from _advice(plan, server.addresses)
    for setting in (*SWITCHES, *LIMITS):
        if setting.field in plan.switches:
            yield f"  {setting.name}: {_shown(plan.switches[setting.field])}"


def _shown(value: object) -> str:
    """Return a switch's value as a file has it."""
    if value is None:
        return "no limit"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _advice(plan: ListenerPlan, addresses: tuple[ListenAddress, ...]) -> Iterator[str]:
    for sentence in advice(plan, addresses):
        yield f"  warning: {sentence}"


def _addresses(plan: ListenerPlan, addresses: tuple[ListenAddress, ...]) -> Iterator[str]:
    tls = ""
    if plan.tls_cert is not None:
        tls = " with TLS and client certificates" if plan.tls_ca is not None else " with TLS"
    for address in addresses:
        yield f"  on {address.description}{tls}"
