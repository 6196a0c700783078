"""
The commands for operators: ``txremote top`` and ``txremote log-level``.

Both log in at a server as a user of its ``--operators``; ``top`` also reads a server's admin
site. They run on asyncio, by `txremote.aio`: textual needs that. Their modules are loaded when
one of them runs.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred

from txremote.commands.command import Command
from txremote.monitor.address import AdminAddress, admin_address
from txremote.not_reached import NotReached
from txremote.printing import DONE, INTERRUPTED, NOT_MADE, complain, put, put_lines
from txremote.reaching import Server, add_server_options, server_of
from txremote.running import reach
from txremote.wire.naming import one_line

if TYPE_CHECKING:
    from txremote.monitor.top.sources import Source, WireSource
    from txremote.peer.connection import Connection

    Show = Callable[[Source], Awaitable[None]]

# for what is set; argparse before 3.13 loses a word that may be left out behind an option
_SHOW: Final = "show"

_NO_SCREEN: Final = (
    "the screen of top needs textual: pip install 'txremote[top]'. With --once it prints its "
    "tables without that"
)


def _declare_top(top: ArgumentParser) -> None:
    add_server_options(top)
    token = "of an admin site: the file with its token"
    top.add_argument("--token-file", metavar="FILE", help=token)
    top.add_argument("--once", action="store_true", help="print all tables once, and end")
    top.add_argument("--filter", metavar="TEXT", default="", help="with --once: rows with a text")


def _declare_log_level(level: ArgumentParser) -> None:
    add_server_options(level)
    words = "debug, info, warn, error or critical, of all or of a part such as txremote.call; "
    level.add_argument("level", metavar="[NAMESPACE=]LEVEL", help=f"{words}or the word {_SHOW}")


def _run_top(options: Namespace) -> int:
    """Show what runs at a server; return the exit status."""
    show = _print_once(options.filter)
    if not options.once:
        try:
            show = import_module("txremote.monitor.top.app").run_app
        except ImportError:
            complain(_NO_SCREEN)
            return NOT_MADE
        if not (sys.stdin.isatty() and sys.stderr.isatty()):  # on which textual draws
            complain("the screen of top needs a terminal: --once prints its tables")
            return NOT_MADE

    async def work(source: Source) -> None:
        await source.overview()  # what is wrong is told before there is a screen
        await show(source)

    return _run(lambda: _source_of(options), work)


def _run_log_level(options: Namespace) -> int:
    """Show or set a server's level; return the exit status."""
    made: list[WireSource] = []

    def make() -> Source:
        made.append(_wire_source(options))
        return made[0]

    wanted = None if options.level == _SHOW else options.level

    async def work(_source: Source) -> None:
        put(f"{one_line(await made[0].log_level(wanted))}\n")

    return _run(make, work)


def _run(make: Callable[[], Source], work: Show) -> int:
    from txremote.monitor.top.sources import Refused, SourceGone

    async def run(source: Source) -> None:
        try:
            await work(source)
        finally:
            await source.close()

    try:
        source = make()
        asyncio.run(run(source))
    except (NotReached, Refused, OSError, ValueError) as problem:
        complain(str(problem))
        return NOT_MADE
    except SourceGone as problem:
        said = isinstance(problem.__cause__, NotReached)  # that is a sentence of its own
        complain(str(problem) if said else f"cannot ask {source.where}: {problem}")
        return NOT_MADE
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


def _print_once(wanted: str) -> Show:
    from txremote.monitor.top.once import tables_once

    async def show(source: Source) -> None:
        width = os.get_terminal_size().columns if sys.stdout.isatty() else None
        put_lines(await tables_once(source, width, wanted))

    return show


def _source_of(options: Namespace) -> Source:
    """Return where the rows come from. NotReached, OSError, ValueError: the options are wrong."""
    address = admin_address(options.server) if options.login is None else None
    if address is not None:
        return _http_source(options, address)
    if options.token_file is not None:
        raise ValueError("--token-file is for an admin site, http://HOST:PORT, without --login")
    return _wire_source(options)


def _wire_source(options: Namespace) -> WireSource:
    from txremote.monitor.top.sources import WireSource

    if options.login is None:
        site = ", or name the admin site: http://HOST:PORT" if options.command == "top" else ""
        raise ValueError(f"operators log in: say --login USER{site}")
    server = server_of(options)
    return WireSource(options.server, lambda: _reached(server), server.timeout)


async def _reached(server: Server) -> Connection:
    from txremote.aio.loop import AsyncioLoop

    loop = AsyncioLoop.current()
    return await Deferred.fromCoroutine(reach(server, loop)).asFuture(loop.loop)


def _http_source(options: Namespace, address: AdminAddress) -> Source:
    from txremote.monitor.top.http import HttpSource

    token = None
    if options.token_file is not None:
        with open(options.token_file, encoding="utf-8") as file:
            token = file.readline().strip()
    context = None
    if address.tls:
        context = ssl.create_default_context(cafile=options.ca)
        if options.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if options.cert is not None:
            context.load_cert_chain(options.cert, options.key)
    return HttpSource(options.server, address, token, options.timeout, context)


TOP = Command(
    "top",
    "what runs at a server: connections, calls, objects, pools, tasks",
    "Show what runs at a server, in a terminal. For operators: log in as one of the server's "
    "--operators, or name its admin site: unix:PATH, or http://HOST:PORT and its --token-file.",
    _declare_top,
    _run_top,
)

LOG_LEVEL = Command(
    "log-level",
    "how much a server logs: show it, or set it while it runs",
    "Show how much a server logs, or set it. For users of the server's --operators.",
    _declare_log_level,
    _run_log_level,
)
