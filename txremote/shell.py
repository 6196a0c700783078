"""
``txremote shell``: a prompt with a connection in it.

In scope are ``conn``, ``root`` and, with a classic server, ``modules`` and ``builtins``; remote
objects are blocking netrefs. A thread serves the server's calls meanwhile.
"""

from __future__ import annotations

import code
import re
from collections.abc import Callable
from importlib.util import find_spec
from inspect import Parameter, Signature
from typing import Any

from txremote.blocking.background import BgServingThread
from txremote.blocking.connection import BlockingConnection
from txremote.classic import install
from txremote.console.history import line_before, use_readline
from txremote.refs.netref import NetrefMethod
from txremote.refs.signatures import signature_of

HISTORY = "~/.txremote_history"
DELIMITERS = " \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?"

#: What is called by the parenthesis that is open last.
_CALLED = re.compile(r"(\w+(?:\.\w+)*)\((?:[^()]|\([^()]*\))*$")
_DOTTED = re.compile(r"(\w+(?:\.\w+)*)\.(\w*)$")


class Completer:
    """
    Completes names for readline, those of remote objects and of their methods' arguments included.

    Args:
        names: The names in scope, and their objects.
        before: Returns the line before the cursor.
    """

    def __init__(self, names: dict[str, object], before: Callable[[], str] = str) -> None:
        self._names = names
        self._before = before
        self._found: list[str] = []

    def complete(self, text: str, state: int) -> str | None:
        """Return the completion with a number, or None (readline's protocol)."""
        if state == 0:
            self._found = self.matches(text)
        return self._found[state] if state < len(self._found) else None

    def matches(self, text: str) -> list[str]:
        """Return all completions of what is before the cursor."""
        dotted = _DOTTED.match(text)
        if dotted is None:
            scope = {**vars(__import__("builtins")), **self._names}
            found = [*self._keywords(), *sorted(scope)]
            return [name for name in found if name.startswith(text)]
        base, start = dotted.groups()
        try:
            found = self.names_of(base)
        except Exception:  # a completion never raises
            return []
        hidden = start.startswith("_")
        return sorted(
            f"{base}.{name}"
            for name in found
            if name.startswith(start) and (hidden or not name.startswith("_"))
        )

    def evaluate(self, written: str) -> Any:
        """Return the object that a dotted name stands for: attributes are read, none is called."""
        return eval(written, {}, self._names)

    def names_of(self, base: str) -> list[str]:
        """Return the names of the attributes of what is written."""
        return dir(self.evaluate(base))

    def signature(self, called: str) -> Signature | None:
        """Return the signature of what is written, or None."""
        method = self.evaluate(called)
        # of a netref's method only what is known: inspect would ask for more
        if type(method) is NetrefMethod:
            return method.____signature__()
        return signature_of(method)

    def _keywords(self) -> list[str]:
        """Return the names of arguments, with ``=``, of the call that the cursor is in."""
        called = _CALLED.search(self._before())
        if called is None:
            return []
        try:
            told = self.signature(called.group(1))
        except Exception:  # a completion never raises
            return []
        named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        parameters = () if told is None else told.parameters.values()
        return [f"{each.name}=" for each in parameters if each.kind in named]


def run_shell(conn: BlockingConnection, plain: bool = False) -> None:
    """Read, evaluate and print until the user leaves: in IPython, if there and not ``plain``."""
    names: dict[str, object] = {"conn": conn, "root": conn.root}
    scope = "conn, root"
    if hasattr(conn.root, "getmodule"):
        install(conn)
        names.update(modules=vars(conn)["modules"], builtins=vars(conn)["builtins"])
        scope += ", modules, builtins"
    banner = f"Connected to {conn.peer_address}. In scope: {scope}."
    serving = BgServingThread(conn)
    try:
        if not plain and find_spec("IPython") is not None:
            import IPython

            print(banner)  # noqa: T201
            IPython.start_ipython(argv=["--no-banner"], user_ns=names)
            return
        save = use_readline(Completer(names, line_before).complete, HISTORY, DELIMITERS)
        try:
            code.interact(banner, local=names, exitmsg="")
        finally:
            save()
    finally:
        serving.stop()
