"""
The messages of RPyC's registry: a tuple in brine each way, the same in RPyC 5 and 6.

======================================  ========================================================
``("RPYC", "QUERY", (name,))``          the addresses of a name, ``((host, port), ...)``
``("RPYC", "REGISTER", (names, port))`` ``"OK"``; the host is where the message came from
``("RPYC", "UNREGISTER", (port,))``     ``"OK"``
``("RPYC", "LIST", ((host,),))``        all names, or those of a host; None: it does not tell
======================================  ========================================================

A message is a datagram, or all that one side of a TCP connection says. Its length is
checked before it is decoded, and anything that is not of this shape is an error.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from txremote.errors import RemoteProtocolError
from txremote.wire import brine
from txremote.wire.limits import Limits

#: The port of RPyC's registry, by UDP and TCP.
REGISTRY_PORT: Final = 18811

#: Longest message in bytes; RPyC reads no more of one.
MAX_MESSAGE: Final = 1500

#: Longest list of names that RPyC reads from a datagram.
MAX_LIST: Final = 10 * MAX_MESSAGE

#: Longest name of a service, in capitals, and most names of one server.
MAX_NAME: Final = 200
MAX_NAMES: Final = 64

#: Behind the names of servers that speak TLS, as they are entered besides.
TLS_MARK: Final = "+TLS"

# The bounds of an entry of RPyC's registry, where each name may stand a second time, with the mark.
_MAX_ENTERED: Final = MAX_NAME + len(TLS_MARK)
_MAX_ENTRIES: Final = 2 * MAX_NAMES

_MAGIC: Final = "RPYC"
_HOST: Final = 255
_LIMITS: Final = Limits(
    max_frame=MAX_LIST, max_inflated=MAX_LIST, max_depth=6, max_int_digits=20, max_items=10_000
)

Address: TypeAlias = tuple[str, int]


class Query(NamedTuple):
    """Where a name is served is asked."""

    name: str


class Register(NamedTuple):
    """A server is there, on a port of the host that the message comes from."""

    names: tuple[str, ...]
    port: int


class Unregister(NamedTuple):
    """A server has gone."""

    port: int


class List(NamedTuple):
    """The names are asked, all or those of a host."""

    host: str | None


Request: TypeAlias = Query | Register | Unregister | List


def checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """
    Return the names of a service, if all kinds of registries take them.

    Raises:
        ValueError: They are too many, or one is none.
    """
    if not 0 < len(names) <= MAX_NAMES:
        raise ValueError(f"a server has 1 to {MAX_NAMES} names in a registry, not {len(names)}")
    for name in names:
        if not 0 < len(name.upper()) <= MAX_NAME or name.upper().endswith(TLS_MARK):
            raise ValueError(
                f"{name!r}: a name in a registry has 1 to {MAX_NAME} letters, and does not end in "
                f"{TLS_MARK}"
            )
    return names


def entered_names(names: tuple[str, ...], scheme: str) -> tuple[str, ...]:
    """Return the names that a server is entered under in RPyC's registry."""
    return (*names, *(name + TLS_MARK for name in names)) if scheme == "tls" else names


def encoded(request: Request) -> bytes:
    """
    Return a request's bytes.

    Raises:
        ValueError: It is longer than a registry reads.
    """
    arguments: tuple[object, ...] = tuple(request)
    if isinstance(request, List):
        arguments = (arguments,)
    data = brine.dump((_MAGIC, type(request).__name__.upper(), arguments))
    if len(data) > MAX_MESSAGE:
        raise ValueError(
            f"a message of {len(data)} bytes, and a registry reads {MAX_MESSAGE}: use fewer names, "
            "or shorter ones"
        )
    return data


def request_of(data: bytes) -> Request:
    """
    Return the request that was received.

    Raises:
        RemoteProtocolError: It is none; the sentence says why.
    """
    match _decoded(data, MAX_MESSAGE):
        case (str(magic), str(), tuple()) if magic != _MAGIC:
            raise RemoteProtocolError("it does not begin with 'RPYC'")
        case (str(), str(command), tuple(arguments)):
            pass
        case _:
            raise RemoteProtocolError("it is not (magic, command, arguments)")
    match command.upper(), arguments:
        case "QUERY", (str(name),):
            return Query(_name(name))
        case "REGISTER", (tuple(names), port):
            if not 0 < len(names) <= _MAX_ENTRIES:
                raise RemoteProtocolError(f"{len(names)} names: 1 to {_MAX_ENTRIES} are taken")
            return Register(tuple(map(_name, names)), _port(port))
        case "UNREGISTER", (port,):
            return Unregister(_port(port))
        case "LIST", ((None | str() as host,),):
            return List(host or None)
    raise RemoteProtocolError(f"no command {command[:20]!r} with these arguments")


def addresses_of(data: bytes) -> tuple[Address, ...]:
    """Return the answer to a `Query`. RemoteProtocolError: it is none."""
    answer = _decoded(data, MAX_LIST)
    if not isinstance(answer, tuple):
        raise RemoteProtocolError("the registry's answer is no tuple of addresses")
    found = []
    strange = 0
    for each in answer:
        match each:
            case (str(host), int(port)) if 0 < len(host) <= _HOST and 0 < port < 65536:
                found.append((host, port))
            case (str(), str()):
                pass  # a server of RPyC's on a UNIX socket: of no use from here
            case _:
                strange += 1  # a stranger's, who must not hide the others
    if strange and not found:
        raise RemoteProtocolError("the registry's answer has something but (host, port)")
    return tuple(found)


def names_of(data: bytes) -> tuple[str, ...] | None:
    """Return the answer to a `List`, None for one that is not told. Raises as `addresses_of`."""
    answer = _decoded(data, MAX_LIST)
    if answer is None:
        return None
    if not isinstance(answer, tuple):
        raise RemoteProtocolError("the registry's answer is no tuple of names")
    # one that nobody could ask for is some stranger's, and hides no other
    return tuple(name for name in map(_text, answer) if 0 < len(name) <= _MAX_ENTERED)


def is_ok(data: bytes) -> bool:
    """Tell whether an answer to a `Register` or `Unregister` says that it is done."""
    try:
        return bool(_decoded(data, MAX_MESSAGE) == "OK")
    except RemoteProtocolError:
        return False


def is_whole(data: bytes) -> bool:
    """Tell whether what has come by TCP so far is a whole value: nothing else marks the end."""
    try:
        _decoded(data, MAX_MESSAGE)
    except RemoteProtocolError:
        return False
    return True


def _decoded(data: bytes, most: int) -> object:
    if len(data) > most:
        raise RemoteProtocolError(f"a message of {len(data)} bytes, more than {most}")
    found: object = brine.load(data, _LIMITS)
    return found


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise RemoteProtocolError("a name is a text")
    return name


def _name(name: object) -> str:
    # registries keep it in capitals, which may be more
    if not 0 < len(_text(name).upper()) <= _MAX_ENTERED:
        raise RemoteProtocolError(f"a name is a text of 1 to {_MAX_ENTERED} letters")
    return _text(name)


def _port(port: object) -> int:
    if type(port) is not int or not 0 < port < 65536:
        raise RemoteProtocolError("a port is a number from 1 to 65535")
    return port
