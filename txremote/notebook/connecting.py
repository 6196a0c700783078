"""
``%connect``: a line of a cell that connects, and leaves the connection in a name.

IPython's magic commands cannot wait for anything: the loop that the answer comes through is the
one that they run in. So the line is made ``await get_ipython().run_line_magic("connect", ...)``,
and the command gives a coroutine. A line that was not made so, for the extension was not loaded
yet when its cell was read, is refused.
"""

from __future__ import annotations

import argparse
import getpass
import os
import shlex
from collections.abc import Coroutine
from typing import Any, Final, NoReturn

from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import EscapedCommand

from txremote.aio import RemoteClient, connect
from txremote.net.client_login import log_in
from txremote.notebook.known import Knowledge
from txremote.peer.connection import Connection

#: The option that tells the command that it is awaited.
AWAITED: Final = "--await"

#: The environment's variable that may have the password.
PASSWORD: Final = "TXREMOTE_PASSWORD"


class ConnectLine(EscapedCommand):
    """Makes a ``%connect`` line one that awaits."""

    priority = 7  # after that of "%connect?", and before that of all magic commands

    def transform(self, lines: list[str]) -> list[str]:
        """Return the lines of a cell, with this one changed."""
        at, start = self.start_line, self.start_col
        if lines[at][start:].split(None, 1)[:1] != ["%connect"]:
            raise SyntaxError("it is another command")  # which is how IPython goes on
        marked = lines[at][:start] + lines[at][start:].replace("%connect", f"%connect {AWAITED}", 1)
        lines = [*lines[:at], marked, *lines[at + 1 :]]
        changed: list[str] = super().transform(lines)  # type: ignore[no-untyped-call]
        changed[at] = f"{changed[at][:start]}await {changed[at][start:]}"
        return changed


class _Parser(argparse.ArgumentParser):
    """The command's arguments; what is wrong is told as IPython tells it."""

    def error(self, message: str) -> NoReturn:
        """Raise IPython's error."""
        raise UsageError(f"%connect: {message}\n{self.format_usage()}")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = _Parser(prog="%connect", add_help=False)
    parser.add_argument(AWAITED, action="store_true", dest="awaited", help=argparse.SUPPRESS)
    parser.add_argument("server", help="HOST:PORT, unix:PATH, tls:HOST:PORT or another endpoint")
    parser.add_argument(
        "as_", nargs="*", metavar="as NAME", help="the name; conn (and root) if none"
    )
    parser.add_argument(
        "-l", "--login", metavar="USER", help="log in, with a password that is asked"
    )
    parser.add_argument("-t", "--timeout", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument(
        "-s", "--stay", action="store_true", help="connect again whenever the connection is lost"
    )
    return parser


class ConnectMagic:
    """
    The command.

    Args:
        shell: IPython's.
        knowledge: Is told of each root.
    """

    def __init__(self, shell: Any, knowledge: Knowledge) -> None:
        self._shell = shell
        self._knowledge = knowledge
        self._made: dict[str, Connection | RemoteClient] = {}  # by name

    def connect(self, line: str) -> Coroutine[Any, Any, None]:
        """Connect to a server, and leave the connection in a name.

        %connect localhost:18861              conn, and root for conn.root
        %connect localhost:18861 as shop      shop; shop.root is the server's object
        %connect tls:example.org:18861 --login ann
        %connect localhost:18861 --stay       connects again whenever it is lost

        The password is taken from TXREMOTE_PASSWORD, or asked for. A connection that
        an earlier %connect has left in the name is closed when the new one is there.
        """
        options = make_parser().parse_args(shlex.split(line))
        if not options.awaited:  # the cell was read before the extension was loaded, say
            raise UsageError(
                "%connect cannot wait for the server here, and nothing was done: begin a line with "
                "it, in another cell than %load_ext txremote"
            )
        words = options.as_
        if words and (len(words) != 2 or words[0] != "as" or not words[1].isidentifier()):
            raise UsageError("%connect SERVER as NAME: the name is one that Python takes")
        name = words[1] if words else "conn"
        return self._connect(name, options)

    async def _connect(self, name: str, options: argparse.Namespace) -> None:
        login = None if options.login is None else (options.login, _password(options.login))
        made = await self._dial(options, login)
        earlier = self._made.get(name)
        self._made[name] = made
        named: dict[str, object] = {name: made}
        if name == "conn":
            named["root"] = made.root
        self._shell.push(named)
        if earlier is not None:
            await earlier.close()
        await self._knowledge.ask(made.root)
        print(f"{', '.join(named)}: connected to {options.server}")  # noqa: T201

    async def _dial(
        self, options: argparse.Namespace, login: tuple[str, str] | None
    ) -> Connection | RemoteClient:
        if not options.stay:
            connection = await connect(options.server, timeout=options.timeout)
            try:
                if login is not None:
                    await log_in(connection, *login)
            except BaseException:
                await connection.close()
                raise
            return connection
        client = RemoteClient(options.server, timeout=options.timeout, login=login)
        client.start()
        try:
            await client.connected(failures=1)
        except BaseException:
            await client.close()
            raise
        return client


def _password(user: str) -> str:
    given = os.environ.get(PASSWORD)
    return getpass.getpass(f"Password of {user}: ") if given is None else given
