"""
``txremote registry``, a registry of RPyC's kind, and ``txremote find``, which asks any registry.

Exit statuses of ``registry``: 0 ended by Ctrl-C or SIGTERM, 2 it cannot listen. Of ``find``: 0
found, 1 nobody serves the name, or the registry does not tell, 2 there is no such registry.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorCore
from twisted.logger import globalLogBeginner, textFileLogObserver

from txremote.commands.command import Command
from txremote.errors import RegistryRefused, RegistryUnreachable
from txremote.printing import DONE, FAILED, INTERRUPTED, NOT_MADE, complain, put_lines
from txremote.registry.choosing import registry_from
from txremote.registry.entries import LEASE, EntryLimits
from txremote.registry.messages import REGISTRY_PORT
from txremote.registry.ports import Place, Registry
from txremote.registry.serving import RegistryServer
from txremote.registry.urls import FORMS
from txremote.running import run_in_reactor
from txremote.wire.naming import one_line


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most):
        raise ArgumentTypeError(f"a number from 0 to {most}, not {text!r}")
    return int(text)


def _port(text: str) -> int:
    return _number(text, 65535)


def _count(text: str) -> int:
    return _number(text, 10_000_000)


def _declare_registry(registry: ArgumentParser) -> None:
    add = registry.add_argument
    limits = EntryLimits()
    add("--host", default="127.0.0.1", help="the address to listen on [default: %(default)s]")
    about = "the port, by UDP and TCP [default: %(default)s, RPyC's]"
    add("--port", type=_port, default=REGISTRY_PORT, help=about)
    by = "by which of the two [default: both]"
    add("--by", choices=["udp", "tcp", "both"], default="both", help=by)
    about = "seconds that a server stays listed without a renewal [default: %(default)g]"
    add("--lease", type=_count, metavar="SECONDS", default=int(LEASE), help=about)
    add("--list", action="store_true", help="tell all names to those who ask for them")
    about = "how many pairs of a name and a server there may be [default: %(default)s]"
    add("--max-entries", type=_count, metavar="N", default=limits.max_entries, help=about)
    about = "how many of them may be of one host [default: %(default)s]"
    add("--max-per-host", type=_count, metavar="N", default=limits.max_per_host, help=about)


def _run_registry(options: Namespace) -> int:
    async def run(reactor: IReactorCore) -> int:
        globalLogBeginner.beginLoggingTo(
            [textFileLogObserver(sys.stderr)], redirectStandardIO=False
        )
        server = RegistryServer(
            options.host,
            options.port,
            lease=options.lease,
            allow_listing=options.list,
            by=("udp", "tcp") if options.by == "both" else (options.by,),
            limits=EntryLimits(options.max_entries, options.max_per_host),
            reactor=reactor,
        )
        try:
            server.startService()
        except CannotListenError as problem:
            complain(f"cannot listen on {options.host}:{options.port}: {problem.socketError}")
            return NOT_MADE
        try:
            await Deferred(lambda _forever: None)
        except CancelledError:  # Ctrl-C
            pass
        await server.stopService()
        return DONE

    return run_in_reactor(run)


REGISTRY = Command(
    "registry",
    "tell clients where services are, as RPyC's registry does",
    "Run a registry of RPyC's kind. Servers enter themselves (twistd txremote --register, RPyC's "
    "auto_register), and clients ask it. Whoever reaches it can enter a server, so it listens on "
    "loopback unless it is told otherwise.",
    _declare_registry,
    _run_registry,
)


def _declare_find(find: ArgumentParser) -> None:
    add = find.add_argument
    add("name", metavar="NAME", nargs="?", help="the service; without it all names are listed")
    add("--registry", metavar="URL", help=f"{FORMS} [default: TXREMOTE_REGISTRY]")
    add("--json", action="store_true", help="print JSON, with all that is known of each server")


def _run_find(options: Namespace) -> int:
    async def run(reactor: IReactorCore) -> int:
        try:
            registry = registry_from(options.registry, reactor)
        except (ValueError, ImportError) as problem:
            complain(str(problem))
            return NOT_MADE
        try:
            found = await _found(registry, options)
        except CancelledError:  # Ctrl-C
            return INTERRUPTED
        except RegistryRefused as problem:
            complain(str(problem))
            return FAILED
        except (RegistryUnreachable, ValueError) as problem:
            complain(str(problem))
            return NOT_MADE
        finally:
            await registry.close()
        put_lines(found)
        if not found and options.name is not None:
            complain(f"nobody serves {options.name!r}, as far as the registry knows")
            return FAILED
        return DONE

    return run_in_reactor(run)


async def _found(registry: Registry, options: Namespace) -> list[str]:
    """Return the lines of what was asked for."""
    if options.name is None:
        names = sorted(await registry.list())
        return [json.dumps(names)] if options.json else [one_line(name) for name in names]
    places = sorted(await registry.find(options.name), key=lambda place: place.name)
    if options.json:
        return [json.dumps([_fields(place) for place in places])] if places else []
    return [one_line(place.name) for place in places]


def _fields(place: Place) -> dict[str, object]:
    return {"server": place.name, **vars(place)}


FIND = Command(
    "find",
    "where a service is, by a registry",
    "Print where a service is served, a server a line, as other commands take it. What a registry "
    "says is not to be trusted: anyone who reaches it can enter a server. Exit status 1: nobody "
    "serves it.",
    _declare_find,
    _run_find,
)
