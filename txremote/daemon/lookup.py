"""
Services, containers and checkers of passwords by the names that a plan has for them.

Each is imported, or a plugin of Twisted's. A name that stands for nothing is a
ValueError with a sentence that guesses at the right one.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from twisted.cred.checkers import (
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import InvalidAuthType, findCheckerFactories, makeChecker

from txremote.importing import import_longest
from txremote.service import check_service, is_service

if TYPE_CHECKING:  # the console needs plac
    from txremote.console.containers import Container

#: How the name of a service is written.
SERVICE_NAME: Final = "package.module.Class"


def find_checker(description: str) -> ICredentialsChecker:
    """Return the checker that a description means, or raise ValueError without its passwords."""
    kind, _colon, argument = description.partition(":")
    if kind == "file" and argument.strip() and not os.path.isfile(argument):
        is_folder = os.path.isdir(argument)
        raise ValueError(f"{argument} is a folder" if is_folder else f"there is no file {argument}")
    try:
        checker: ICredentialsChecker = makeChecker(description)
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
        raise ValueError("it takes no name and password, as clients send them")
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        # Twisted 26.10 memory: has them as str, which no name in bytes is equal to
        users: Any = checker.users
        checker.users = {name.encode(): word.encode() for name, word in users.items()}
    if isinstance(checker, FilePasswordDB):
        path = checker.filename
        checker.filename = os.path.abspath(path)  # it is read at each login
        try:
            with open(path, "rb") as users:
                lines = [line for line in users if line.strip()]
        except OSError as problem:
            raise ValueError(f"{path}: {problem.strerror}") from None
        if lines and not any(b":" in line for line in lines):
            raise ValueError(f"{path} has no line NAME:PASSWORD")
    return checker


def find_container(description: str) -> Container:
    """Return the `Container` that ``package.module.Class ARGS`` means, or raise ValueError."""
    try:
        containers: Any = import_module("txremote.console.containers")
        found: Container = containers.container_from_string(description)
    except (ImportError, TypeError) as problem:  # ContainerError is a TypeError
        raise ValueError(str(problem)) from None
    return found


def find_service(name: str) -> object:
    """Return the service, a class or an instance, that a dotted name means, or raise ValueError."""
    parts = name.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(f"a service is named {SERVICE_NAME}, not {name!r}")
    try:
        module, rest = import_longest(parts, len(parts) - 1)
    except LookupError as problem:
        raise ValueError(f"{problem}: a service is named {SERVICE_NAME}") from None
    except ImportError as problem:
        raise ValueError(str(problem)) from None
    found: object = module
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
        checked: object = check_service(found)
    except TypeError as problem:
        raise ValueError(str(problem)) from None
    return checked
