"""
What the words of a plan stand for: services, containers, who knows passwords.

Everything here is found by its name: imported, or a plugin of Twisted's. What
cannot be found is a ValueError with a sentence that says what might be meant.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import InvalidAuthType, findCheckerFactories, makeChecker

from txremote.service import check_service, is_service
from txremote.work.spec import import_longest, split

#: How a service is named.
SERVICE_NAME: Final = "package.module.Class"

_TCP: Final = ("tcp", "tcp6", "ssl", "tls")


def is_exposed(description: str) -> bool:
    """
    Tell whether an endpoint's description says that other machines reach it.

    Args:
        description: As Twisted's `serverFromString` takes it. Of kinds other than
            TCP and TLS nothing is known until they listen.
    """
    kind, words, options = split(description)
    if kind not in _TCP:
        return False
    interface = _interface(words, options)
    return not (interface.startswith("127.") or interface in ("::1", "localhost"))


def address_of(description: str) -> tuple[str, ...] | None:
    """
    Return what an endpoint takes for itself, as two that take the same cannot be
    served; None where that is chosen when it listens, or where nothing is known of it.

    Args:
        description: As Twisted's `serverFromString` takes it.

    Raises:
        ValueError: there is no such port, or no path.
    """
    kind, words, options = split(description)
    if kind == "unix":
        path = options.get("address", "".join(words[:1]))
        if not path:
            raise ValueError("it has no path: unix:PATH")
        return kind, os.path.abspath(path)
    if kind not in _TCP:
        return None
    port = int(options.get("port", "".join(words[:1])))
    if not 0 <= port <= 65_535:
        raise ValueError(f"{port} is no port: it is 0 to 65535")
    return ("tcp", str(port), _interface(words, options)) if port else None


def _interface(words: tuple[str, ...], options: dict[str, str]) -> str:
    return options.get("interface", words[1] if len(words) > 1 else "")


def find_checker(description: str) -> Any:
    """
    Return what checks names and passwords.

    Args:
        description: As `twisted.cred.strcred.makeChecker` takes it.

    Returns:
        An `ICredentialsChecker`.

    Raises:
        ValueError: there is no such thing; the sentence has no password in it.
    """
    kind, _colon, argument = description.partition(":")
    if kind == "file" and argument.strip() and not os.path.isfile(argument):
        raise ValueError(f"there is no file {argument}")
    try:
        checker: Any = makeChecker(description)
    except InvalidAuthType:
        known = [
            each.authType
            for each in findCheckerFactories()
            if IUsernamePassword in each.credentialInterfaces
        ]
        close = get_close_matches(kind, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(sorted(known))}"
        raise ValueError(f"Twisted knows no such way to log in: {hint}") from None
    except Exception as problem:  # each kind is a plugin, and parses in its own way
        raise ValueError(str(problem) or type(problem).__name__) from None
    if IUsernamePassword not in checker.credentialInterfaces:
        raise ValueError("it takes no name and password, which is what clients send")
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        # Twisted 26.10 memory: has them as str, which no name in bytes is equal to
        users: Any = checker.users
        checker.users = {name.encode(): word.encode() for name, word in users.items()}
    path = getattr(checker, "filename", None)  # twisted.cred.checkers.FilePasswordDB
    if isinstance(path, str):
        checker.filename = os.path.abspath(path)  # it is read at each login
        try:
            with open(path, "rb"):
                pass
        except OSError as problem:
            raise ValueError(f"{path}: {problem.strerror}") from None
    return checker


def find_container(description: str) -> Any:
    """
    Return the `Container` that a description stands for.

    Args:
        description: ``package.module.Class ARGS``.

    Raises:
        ValueError: there is none, or it does not take these arguments.
    """
    try:
        # needs plac, which only this needs
        containers: Any = import_module("txremote.console.containers")
        return containers.container_from_string(description)
    except (ImportError, TypeError) as problem:  # ContainerError is a TypeError
        raise ValueError(str(problem)) from None


def find_service(name: str) -> Any:
    """
    Import what a dotted name stands for, and check that it is a service.

    Args:
        name: ``package.module.Class``, or deeper.

    Raises:
        ValueError: it cannot be imported, or is no service.
    """
    parts = name.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(f"a service is named {SERVICE_NAME}, not {name!r}")
    try:
        found, rest = import_longest(parts, len(parts) - 1)
    except LookupError as problem:
        raise ValueError(f"{problem}: a service is named {SERVICE_NAME}") from None
    except ImportError as problem:
        raise ValueError(str(problem)) from None
    for part in rest:
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [x for x in vars(found) if is_service(getattr(found, x, None))]
            close = get_close_matches(part, names, 1) or names[:1]
            hint = f": did you mean {close[0]!r}?" if close else ""
            what = getattr(found, "__name__", found)
            raise ValueError(f"{what!r} has no {part!r}{hint}") from None
    try:
        return check_service(found)
    except TypeError as problem:
        raise ValueError(str(problem)) from None
