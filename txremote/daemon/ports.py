"""
Whether a place to listen can be had: `why_not_free` tries it, and gives it back.

A port is bound and closed again. Of a UNIX socket the folder is looked at, and whether somebody
listens there; nothing is made. So all that is wrong is told before anything is started, by
``txremote check`` and by ``twistd txremote`` before it becomes a daemon.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from typing import Final

from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import getPlugins

from txremote.servername import meant
from txremote.work.spec import split

TCP: Final = ("tcp", "tcp6", "ssl", "tls")

_IN_USE: Final = "Choose another port, or stop what uses it"
_LONGEST_PATH: Final = 107  # of a UNIX socket, in bytes: Linux's sun_path

_NO_NUMBER = re.compile(r"invalid literal for int\(\) with base \d+: (.*)")
_UNKNOWN_OPTION = re.compile(r"unexpected keyword argument '(\w+)'")
_LACKING = re.compile(r"missing \d+ required positional arguments?: (.*)")
_UNKNOWN_KIND = re.compile(r"Unknown endpoint type: '(.*)'")


def port_of(description: str) -> tuple[str, int] | None:
    """
    Return the interface and the port of a description; None if it is none of TCP's.

    Raises:
        ValueError: There is no port in it, or none that can be.
    """
    kind, words, options = split(description)
    if kind not in TCP:
        return None
    written = options.get("port", "".join(words[:1]))
    try:
        port = int(written)
    except ValueError:
        raise ValueError(f"{written!r} is no port: it is a number, 0 to 65535") from None
    if not 0 <= port <= 65_535:
        raise ValueError(f"{port} is no port: it is 0 to 65535")
    return options.get("interface", words[1] if len(words) > 1 else ""), port


def in_words(problem: BaseException, description: str) -> str:
    """Return what an endpoint's parser says is wrong with a description, in words."""
    text = str(problem)
    if isinstance(problem, OSError):
        return error_text(problem)
    if found := _UNKNOWN_OPTION.search(text):
        return f"there is no {found[1]}= for it"
    if found := _LACKING.search(text):
        return f"it lacks its {found[1]}"
    if found := _NO_NUMBER.search(text):
        return f"{found[1]} is no number"
    if "positional argument" in text:
        return "it has too many parts"
    if found := _UNKNOWN_KIND.search(text):
        return _of_unknown_kind(description, found[1])
    return text or type(problem).__name__


def _of_unknown_kind(description: str, kind: str) -> str:
    known = {parser.prefix for parser in getPlugins(IStreamServerEndpointStringParser)}
    known |= {"tcp", "unix", "ssl"}  # Twisted's own are no plugins
    unknown = f"there is no kind {kind!r} of endpoints"
    if question := meant(description, known):
        return f"{unknown}: {question}"
    _host, _colon, port = description.rpartition(":")
    if port.isdigit():
        host = kind if ":" in description else "127.0.0.1"
        return f"did you mean tcp:{port}:interface={host}?"
    return f"{unknown}, but {', '.join(sorted(known))}"


def error_text(problem: BaseException) -> str:
    """Return an error of the system in words, with the file that it is about if there is one."""
    if not isinstance(problem, OSError) or problem.strerror is None:
        cause = getattr(problem, "originalException", None) or problem.__cause__
        text = str(problem)
        return text or (error_text(cause) if cause is not None else type(problem).__name__)
    name = problem.filename
    return f"{problem.strerror}: {os.fsdecode(name)}" if name else problem.strerror


def why_not_free(description: str) -> str | None:
    """Return why nobody can listen there now; None if somebody can, or of an unknown kind."""
    if description.startswith("haproxy:"):
        description = description.removeprefix("haproxy:")
    if description.startswith("unix:"):
        _kind, words, options = split(description)
        return _why_no_socket(options.get("address", "".join(words[:1])))
    found = port_of(description)
    if found is None or not found[1]:
        return None
    try:
        _bind(*found)
    except OSError as problem:
        return _why_no_port(problem, *found)
    return None


def _bind(interface: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Twisted does
        trial.bind((interface, port))
        trial.listen(1)


def _why_no_port(problem: OSError, interface: str, port: int) -> str:
    if problem.errno == errno.EADDRINUSE:
        return f"{problem.strerror}. {_IN_USE}"
    if problem.errno == errno.EADDRNOTAVAIL or isinstance(problem, socket.gaierror):
        return f"{interface} is no address of this machine"
    if problem.errno == errno.EACCES:
        return f"{problem.strerror}: ports below 1024, as {port}, need rights, or systemd's socket"
    return problem.strerror or str(problem)


def _why_no_socket(path: str) -> str | None:
    if path.startswith("\0"):
        return None  # in Linux's abstract namespace, which has no folders
    if len(os.fsencode(os.path.abspath(path))) > _LONGEST_PATH:
        return f"a socket's path has at most {_LONGEST_PATH} bytes"
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"nothing may be made in the folder {folder}"
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return None  # nothing is there
    if not is_socket:
        return "there is something that is no socket"
    with socket.socket(socket.AF_UNIX) as trial:
        trial.settimeout(1)
        if trial.connect_ex(path) == 0:
            return f"{os.strerror(errno.EADDRINUSE)}: a server listens there"
    return None
