"""
How a command reaches its server: one set of options, and one way to fail.

`add_server_options` declares the options, and `server_of` reads them and asks for a password if
need be. `txremote.running` connects and logs in with a reactor, or with what has a
reactor's methods, and `txremote.commands.scripts` as a script does, which begins sooner. Whatever
goes wrong is a `NotReached`, whose text is the whole of what a user is told; the command's exit
status is 2.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
import warnings
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _ArgumentGroup
from collections.abc import Callable
from math import inf
from typing import Final, NamedTuple

from txremote.not_reached import NotReached, why_not_connected, why_not_logged_in
from txremote.registry.dialled import check_login
from txremote.servername import FORMS, ServerName, server_name

PASSWORD: Final = "TXREMOTE_PASSWORD"

# the root of a server that wants a login first, by the name of its class
_LOGIN_SERVICE: Final = "txremote.net.login.LoginService"

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY = b"PRIVATE KEY-----"


class Server(NamedTuple):
    """
    The server of a command.

    Attributes:
        name: Where it is.
        timeout: Seconds that it has to answer.
        login: A user and a password, if there is a login.
        checked: Whether its certificate is checked, if it has TLS.
        registry: The URL of the registry that a ``registry:`` name is looked up in, or None for
            the environment's.
    """

    name: ServerName
    timeout: float
    login: tuple[str, str] | None = None
    checked: bool = True
    registry: str | None = None


def add_server_options(command: ArgumentParser) -> None:
    """Declare the server of a command, and the options that say how to get in there."""
    command.add_argument("server", metavar="SERVER", help=f"where: {FORMS}")
    add = add_way_options(command, 30).add_argument
    login = "log in; you are asked for the password, unless it is in a file or variable"
    add("--login", metavar="USER", help=login)
    secret = f"its first line is the password [default: the variable {PASSWORD}]"
    add("--password-file", metavar="FILE", help=secret)
    where = "for registry:NAME, the registry [default: the variable TXREMOTE_REGISTRY]"
    add("--registry", metavar="URL", help=where)


def add_way_options(command: ArgumentParser, timeout: float) -> _ArgumentGroup:
    """Declare the options of a command's way to its server, without a login; return their group."""
    group = command.add_argument_group("the connection")
    add = group.add_argument
    waiting = f"how long to wait for it, and for an answer [default: {timeout:g}]"
    add("-t", "--timeout", type=_seconds, metavar="SECONDS", default=timeout, help=waiting)
    add("--ca", metavar="FILE", help="for tls: the authorities, in PEM [default: the system's]")
    add("--cert", metavar="FILE", help="for tls: this side's certificate, in PEM")
    add("--key", metavar="FILE", help="its private key [default: in the same file]")
    unchecked = "for tls: take any certificate; anyone can pose as the server then"
    add("--insecure", action="store_true", help=unchecked)
    return group


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise ArgumentTypeError(f"a number of seconds, more than 0, not {text!r}")
    return seconds


def server_of(options: Namespace) -> Server:
    """
    Return the server that options name. Asks for a password on the terminal, so no reactor or
    loop runs yet.

    Raises:
        NotReached: The options do not go together, or a file is not what it should be.
    """
    written = options.server
    registry = getattr(options, "registry", None)
    try:
        name = server_name(written)
        files = {each: getattr(options, each) for each in ("ca", "cert", "key")}
        given = {each: file for each, file in files.items() if file is not None}
        if name.kind not in ("tls", "registry") and given:
            raise ValueError(f"--{next(iter(given))} is for tls:HOST:PORT")
        if name.kind != "registry" and registry is not None:
            raise ValueError("--registry is for registry:NAME")
        name = name.with_options(given)
        _check_files(name)
        if options.insecure:
            _warn_of(name, written)
        elif name.kind == "ssl" and name.options.keys().isdisjoint({"hostname", "caCertsDir"}):
            raise ValueError(
                "ssl: checks no certificate: say tls:HOST:PORT, with --ca FILE if the authority "
                "is your own, or --insecure"
            )
        login = None
        if options.login is not None:
            check_login(name)
            login = options.login, _password(options)
    except (OSError, ValueError) as problem:
        raise _not_reached(written, problem, name=None) from None
    checked = not options.insecure
    return Server(name._replace(text=written), options.timeout, login, checked, registry)


def check_logs_in(server: Server, root_class: str) -> None:
    """Raise NotReached if a server with a root of some class wants a login, and there is none."""
    if server.login is None and root_class == _LOGIN_SERVICE:
        raise NotReached(f"cannot use {server.name.text}: it wants a login: --login USER")


def not_connected(server: Server, problem: Exception) -> NotReached:
    """Return the error of a command that has no connection to its server."""
    return _not_reached(server.name.text, problem, server.name, server.timeout)


def login_failed(server: Server, problem: Exception) -> NotReached:
    """Return the error of a command whose login has failed."""
    assert server.login is not None
    why = why_not_logged_in(problem, server.login[0], server.timeout)
    return NotReached(f"cannot log in at {server.name.text}: {why}")


def _not_reached(
    written: str, problem: Exception, name: ServerName | None, timeout: float = 0
) -> NotReached:
    why = why_not_connected(problem, name or ServerName(written, ""), timeout)
    return NotReached(f"cannot connect to {written}: {why}")


def _warn_of(name: ServerName, written: str) -> None:
    if name.kind not in ("tls", "ssl"):
        raise ValueError("--insecure is for tls:HOST:PORT, and there is no TLS here")
    sys.stderr.write(
        f"txremote: WARNING: --insecure: nobody has checked that {written} is who it says it is. "
        "Anyone between can read and change everything, passwords too.\n"
    )


def _check_files(name: ServerName) -> None:
    """Raise where a file of certificates or keys is missing, or has none."""
    option: Callable[[str], str | None] = name.options.get
    own = option("cert") or option("certificate") or option("certKey")
    key = option("key") or option("privateKey") or own
    wanted = [(option("ca"), _CERTIFICATE, "certificate"), (own, _CERTIFICATE, "certificate")]
    for path, mark, kind in [*wanted, (key, _KEY, "private key")]:
        if path is not None:
            with open(path, "rb") as file:
                if mark not in file.read():
                    other = ": --key FILE names it" if mark is _KEY and key is own else ""
                    raise ValueError(f"{path} holds no {kind} in PEM{other}")


def _password(options: Namespace) -> str:
    """Return the password: of the file, of the environment, or asked for."""
    if options.password_file is not None:
        with open(options.password_file, encoding="utf-8") as file:
            return re.sub(r"\r?\n$", "", file.readline())
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    return asked_for(f"Password of {options.login}: ", f"${PASSWORD} or --password-file")


def asked_for(prompt: str, otherwise: str) -> str:
    """Ask for a password on the terminal. ValueError: there is none, and what to do otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):
            sentence = f"there is no terminal to ask for a password on: {otherwise}"
            raise ValueError(sentence) from None
