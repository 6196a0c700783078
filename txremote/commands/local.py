"""The commands that need no server and no prompt: ``demo``, ``check`` and ``stubs``."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace

from txremote.commands.command import Command


def _declare_demo(_demo: ArgumentParser) -> None:
    """It has no options."""


def _run_demo(_options: Namespace) -> int:
    from txremote.demo import run_demo

    return run_demo()


DEMO = Command(
    "demo",
    "show the features of txremote, on loopback, in some seconds",
    "Show the features of txremote, on loopback, in some seconds.",
    _declare_demo,
    _run_demo,
)


def _declare_check(check: ArgumentParser) -> None:
    check.add_argument("file", metavar="FILE", help="the TOML file")
    about = "try no ports: the server that has them runs"
    check.add_argument("--no-ports", action="store_true", help=about)


def _run_check(options: Namespace) -> int:
    from twisted.internet import reactor

    from txremote.daemon.check import run_check

    return run_check(options.file, reactor, try_ports=not options.no_ports)


CHECK = Command(
    "check",
    "check a file for twistd txremote --config, without starting anything",
    "Print all that is wrong with a file for twistd txremote --config, or what it would serve. "
    "The modules of its services are imported; ports are taken for a moment.",
    _declare_check,
    _run_check,
)


def _declare_stubs(stubs: ArgumentParser) -> None:
    add = stubs.add_argument
    add(
        "name",
        metavar="NAME",
        help="package.module.Class: a service, a Protocol or a zope interface",
    )
    add("-o", "--output", metavar="FILE", help="where to write it [default: standard output]")
    flavours = ["reactor", "asyncio", "scripts", "all"]
    whom = "for clients with a reactor, in asyncio, or for scripts [default: all]"
    add("--for", dest="flavour", choices=flavours, default="all", help=whom)


def _run_stubs(options: Namespace) -> int:
    from txremote.stubs.command import run_stubs

    sys.path.insert(0, os.getcwd())  # as with twistd
    return run_stubs(options.name, options.flavour, options.output)


STUBS = Command(
    "stubs",
    "write what type checkers know of a service's clients",
    "Write a module of Protocols for a class and those that it leads to: what its methods take "
    "and give at the other end of a connection. Its module is imported.",
    _declare_stubs,
    _run_stubs,
)
