"""
``txremote check FILE``: what ``twistd txremote --config FILE`` would do, undone.

Everything is done that can be done without opening a port or starting a pool:
services and containers are imported, so their modules run; certificates are read.
What is wrong is told, all of it; else what would be served is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, TextIO

from txremote.daemon.configfile import read_plan
from txremote.daemon.plan import LIMITS, SWITCHES, ConsolePlan, PlanError, ServerPlan
from txremote.daemon.resolve import Place, Resolved, read_and_resolve


def run_check(path: str, reactor: Any, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """
    Check a file, and print what is wrong with it, or what it says.

    Args:
        path: The file.
        reactor: Of which endpoints and pools are made; it need not run.
        out: Where to print; standard output if None.
        err: Where to print problems; standard error if None.

    Returns:
        The exit status: 0, or 1 if there is a problem.
    """
    try:
        resolved = read_and_resolve(lambda: read_plan(path), reactor, starting=False)
    except PlanError as error:
        for problem in error.problems:
            print(problem, file=err or sys.stderr)
        return 1
    for line in _described(resolved):
        print(line, file=out or sys.stdout)
    return 0


def _described(resolved: Resolved) -> Iterator[str]:
    for server in resolved.servers:
        yield f"server: {server.what}"
        yield from _places(server.plan, server.places)
        if server.classic:
            yield "  clients can do anything"
        if server.plan.auth:
            ways = ", ".join(each.partition(":")[0] for each in server.plan.auth)
            yield f"  login: {ways}"
        for note in server.notes:
            yield f"  {note}"
        for switch in SWITCHES:
            if switch.field in server.plan.switches:
                yield f"  {switch.name}: {_shown(server.plan.switches[switch.field])}"
        for limit in LIMITS:
            if limit.field in server.plan.limits:
                value = server.plan.limits[limit.field]
                yield f"  {limit.name}: {'no limit' if value is None else format(value, 'g')}"
    for console in resolved.consoles:
        yield f"console: {', '.join(console.service.containers)}"
        yield from _places(console.plan, console.places)
    for description in resolved.plan.pool:
        yield f"pool: {description}"
    yield f"drain: {resolved.plan.drain:g} s"


def _shown(value: object) -> str:
    """Return a switch's value as a file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _places(plan: ServerPlan | ConsolePlan, places: tuple[Place, ...]) -> Iterator[str]:
    tls = ""
    if plan.tls_cert is not None:
        tls = " with TLS and client certificates" if plan.tls_ca is not None else " with TLS"
    for place in places:
        yield f"  on {place.description}{tls}"
