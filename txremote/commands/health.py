"""
``txremote health``: whether a server is ready, told by the exit status, as containers ask it.

A server is asked by a ping over the wire, which needs no login; an admin address by ``/readyz``,
which needs no token. Of a ``unix:`` socket nobody can see which of the two it is: it is asked
over the wire, and as an admin address if no answer comes soon.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from txremote.commands.command import Command
from txremote.errors import ConnectionLost
from txremote.eventloop.reactor import chosen_reactor
from txremote.monitor.address import admin_address
from txremote.net.connect import connect
from txremote.net.tls import client_from_string, unchecked_client
from txremote.not_reached import NotReached
from txremote.printing import DONE, FAILED, INTERRUPTED, NOT_MADE, complain
from txremote.reaching import Server, add_way_options, not_connected, server_of
from txremote.refs.clock import Reactor, steady
from txremote.running import run_in_reactor
from txremote.servername import FORMS, ServerName
from txremote.wire.naming import one_line

# seconds after which a socket that did not answer over the wire is asked by HTTP, too
_SOON = 0.5
_LONGEST = 64 * 1024  # bytes of an answer that are read


class NotReady(Exception):
    """A server has answered that it is not ready; the text is a whole sentence."""


class _Refused(Exception):
    """The same, where the text is only why."""


class _NoAnswer(Exception):
    """It was asked by HTTP, and this is no answer to it."""


async def ask_health(reactor: Reactor, options: Namespace) -> None:
    """
    Ask the server that a command line names whether it is ready. Cancelling it hangs up.

    Raises:
        NotReady: It says that it is not.
        NotReached: It cannot be asked, or does not answer in time.
    """
    endpoint = options.server
    by_http = endpoint.startswith(("http:", "https:"))
    if by_http:
        options.server = _place_of(endpoint)
    server = server_of(options)
    server = server._replace(name=server.name._replace(text=endpoint))
    try:
        asking = Deferred.fromCoroutine(_ask(reactor, server, by_http))
        await asking.addTimeout(server.timeout, steady(reactor), _timed_out)
    except CancelledError:
        raise
    except _Refused as why:
        raise NotReady(f"{endpoint} is not ready: {why}") from None
    except Exception as problem:  # each kind of endpoint fails in its own way
        raise not_connected(server, problem) from None


def _timed_out(result: object, _seconds: float) -> object:
    if isinstance(result, Failure):
        raise TimeoutError
    return result


def _place_of(written: str) -> str:
    """Return the server's name of an ``http:`` address."""
    try:
        address = admin_address(written)
    except ValueError:
        address = None
    if address is None or not (address.host and address.port):
        raise NotReached(f"{written!r} is no admin address: it is http://HOST:PORT")
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{'tls' if address.tls else 'tcp'}:{host}:{address.port}"


async def _ask(reactor: Reactor, server: Server, by_http: bool) -> None:
    """Return if a server is ready; raises `_Refused`, or why it could not be asked."""
    make = client_from_string if server.checked else unchecked_client
    where = make(chosen_reactor(reactor), server.name)
    if by_http:
        await _ask_by_http(where, server.name)
    elif server.name.kind == "unix":
        await _ask_either_way(reactor, where, server)
    else:
        await _ask_on_the_wire(reactor, where, server.timeout)


async def _ask_on_the_wire(reactor: Reactor, where: IStreamClientEndpoint, timeout: float) -> None:
    try:
        connection = await connect(where, timeout=timeout, reactor=reactor)
    except ConnectionRefusedError as refused:
        if refused.errno is None:  # the server itself has said so
            raise _Refused(str(refused.args[0])) from None
        raise
    try:
        await connection.ping(timeout=timeout)
    finally:
        connection.stream.abortConnection()


async def _ask_either_way(reactor: Reactor, where: IStreamClientEndpoint, server: Server) -> None:
    """Ask over the wire; by HTTP if no answer comes soon; if that is no answer, the wire again."""
    soon = Deferred.fromCoroutine(_ask_on_the_wire(reactor, where, server.timeout))
    try:
        await soon.addTimeout(_SOON, steady(reactor), _timed_out)
    except (TimeoutError, ConnectionLost):
        try:
            await _ask_by_http(where, server.name)
        except _NoAnswer:
            await _ask_on_the_wire(reactor, where, server.timeout)


class _Question(Protocol):
    """Asks ``/readyz`` in the words of HTTP/1.0, where the end of the answer is that of it."""

    def __init__(self, host: str) -> None:
        self.answer: Deferred[bytes] = Deferred(lambda _given_up: self._hang_up())
        self._host = host
        self._received = b""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(f"GET /readyz HTTP/1.0\r\nHost: {self._host}\r\n\r\n".encode())

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > _LONGEST:
            self._hang_up()

    def connectionLost(self, reason: Failure | None = None) -> None:
        if not self.answer.called:
            self.answer.callback(self._received)

    def _hang_up(self) -> None:
        assert self.transport is not None
        self.transport.abortConnection()  # type: ignore[attr-defined]


async def _ask_by_http(where: IStreamClientEndpoint, name: ServerName) -> None:
    host = f"[{name.host}]" if ":" in name.host else name.host or "localhost"
    asks = partial(_Question, f"{host}:{name.port or 80}")
    question = await where.connect(Factory.forProtocol(asks))
    assert isinstance(question, _Question)
    answer = await question.answer
    head, _empty, body = answer.partition(b"\r\n\r\n")
    words = head.partition(b"\r\n")[0].decode("latin-1").split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        raise _NoAnswer("it does not answer as an admin address does: is it one?")
    if words[1] == "503":
        raise _Refused(_reason_in(body))
    if words[1] != "200":
        said = " ".join(words[1:])[:60]
        raise _NoAnswer(f"it answers {said!r} to /readyz: is it an admin address?")


def _reason_in(body: bytes) -> str:
    """Return why a server is not ready: the reasons of its answer, fit for a terminal."""
    text = body.decode("utf-8", "replace")
    try:
        text = "; ".join(json.loads(text)["reasons"])
    except (ValueError, TypeError, LookupError):
        pass
    return " ".join(one_line(text[:500]).split()) or "it does not say why"


def _declare(health: ArgumentParser) -> None:
    health.set_defaults(login=None)
    admin = "or an admin address: http://HOST:PORT, https://HOST:PORT, unix:PATH"
    health.add_argument("server", metavar="ENDPOINT", help=f"{FORMS}, {admin}")
    add_way_options(health, 5)


def _run(options: Namespace) -> int:
    async def run(reactor: IReactorCore) -> int:
        try:
            await ask_health(reactor, options)
        except CancelledError:  # Ctrl-C
            return INTERRUPTED
        except NotReady as problem:
            complain(str(problem))
            return FAILED
        except NotReached as problem:
            complain(str(problem))
            return NOT_MADE
        return DONE

    return run_in_reactor(run)


HEALTH = Command(
    "health",
    "whether a server is ready, by the exit status",
    "Ask a server, or its admin address, whether it is ready, without a login. "
    "Exit status 0: it is; 1: it is not; 2: it does not answer.",
    _declare,
    _run,
)
