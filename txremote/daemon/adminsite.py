"""
The admin site of a plan: where it may listen, its token, and whether it may change anything.

It shows who does what, so nobody else may connect: only this machine's users (who need the token),
this account (a UNIX socket of mode 0600), or clients with a certificate (who need the token, too).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from twisted.internet.interfaces import IReactorCore, IStreamServerEndpoint

from txremote.daemon.addresses import AddressResolver, ListenAddress
from txremote.daemon.plan import Plan
from txremote.daemon.problems import Problems
from txremote.monitor.web.service import REFUSAL
from txremote.monitor.web.site import Exposition
from txremote.monitor.web.tokenfile import TokenFile
from txremote.net.tls import tls_server
from txremote.work.spec import split


@dataclass(frozen=True)
class Admin:
    """The parts of an admin site. The endpoint is None where only systemd knows it."""

    description: str
    endpoint: IStreamServerEndpoint | None
    token: TokenFile | None
    secure: bool
    exposition: Exposition


def resolve_admin(
    plan: Plan, addresses: AddressResolver, reactor: IReactorCore, problems: Problems
) -> Admin | None:
    """Return the admin site of a plan, or None: there is none, or a problem, which is noted."""
    origin, description = plan.origin, plan.admin
    if description is None:
        how = origin.spelled("admin", "ENDPOINT")
        if plan.admin_token:
            problems.note_mismatch(origin, "admin-token", f" is of use with {how} only")
        if plan.admin_write and not any(server.operators for server in plan.servers):
            operators = origin.spelled("operators", "USERS")
            words = f" is of use with {how} or {operators} only"
            problems.note_mismatch(origin, "admin-write", words)
        return None
    before = len(problems)
    endpoint = None
    needs_token, secure = True, description.startswith("tls:")
    with problems.noting(origin, "admin", description):
        if secure:
            endpoint = _with_tls(description, reactor)
            addresses.take(description, origin)
        else:
            needs_token = _check_open_to(description)
            endpoint = addresses.endpoint(description, origin)
        addresses.try_port(description, origin, "admin")
    token = TokenFile(plan.admin_token) if needs_token else None
    if plan.admin_token is not None and token is None:
        problems.note_mismatch(
            origin, "admin-token", ": a unix: socket needs none, its mode keeps others out"
        )
    elif token is not None and plan.admin_token is not None:
        with problems.noting(origin, "admin-token", plan.admin_token):
            token.check()
    with problems.noting(origin, "admin"):
        exposition = _exposition()
    if len(problems) > before:
        return None
    return Admin(description, endpoint, token, secure, exposition)


def _exposition() -> Exposition:
    metrics: Any = import_module("txremote.monitor.metrics")  # its error says what to install
    found: Exposition = metrics.exposition
    return found


def _check_open_to(description: str) -> bool:
    """Return whether a token is needed; raise ValueError if strangers can connect."""
    kind, words, options = split(description)
    if kind == "unix":
        mode = options.get("mode", words[1] if len(words) > 1 else "600")
        path = options.get("address", "".join(words[:1]))
        if int(mode, 8) & 0o077 or path.startswith("\0"):
            raise ValueError(REFUSAL)
        return False
    if kind == "ssl" or ListenAddress(description, None).exposed:
        raise ValueError(REFUSAL)
    return True


def _with_tls(description: str, reactor: IReactorCore) -> IStreamServerEndpoint:
    """Return the endpoint of ``tls:PORT:cert=FILE:ca=FILE``. Raises ValueError, ImportError."""
    _kind, words, options = split(description)
    known = {"port", "interface", "cert", "key", "ca"}
    if not {"cert", "ca"} <= options.keys() <= known or len(words) != ("port" not in options):
        raise ValueError("write it as tls:PORT:cert=FILE:ca=FILE, with key=FILE, interface=ADDRESS")
    port = int(options.get("port", "".join(words)))
    interface = options.get("interface", "")
    where = f"tcp{'6' if ':' in interface else ''}:{port}"
    if interface:
        where += ":interface=" + interface.replace(":", "\\:")
    files = ("cert", "key", "ca")
    cert, key, ca = (os.path.abspath(options[each]) if each in options else None for each in files)
    assert cert is not None
    try:
        return tls_server(where, cert, key, ca, reactor=reactor)
    except OSError as problem:
        raise ValueError(f"{problem.filename}: {problem.strerror}") from None
