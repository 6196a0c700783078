"""
No peer reaches a connection, a reactor or a Deferred, nor calls what a connection calls.

The search drives every handler that takes a name, in every preset but classic, against a
service that holds one of each by public names.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import rpyc
from twisted.internet import protocol, reactor, task
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.protocols.basic import LineReceiver
from zope.interface import Attribute, Interface, implementer

from tests.peer.pairs import Local, RawPeer, RemoteError
from txremote import Service, expose, exposed, restricted
from txremote.config import ConnectionConfig, ProgramConfig
from txremote.gate.access import AccessPolicy
from txremote.gate.machinery import machinery
from txremote.testing import MemoryTransport
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CMP,
    HANDLE_CTXEXIT,
    HANDLE_DELATTR,
    HANDLE_DIR,
    HANDLE_GETATTR,
    HANDLE_INSPECT,
    HANDLE_OLDSLICING,
    HANDLE_SETATTR,
)


class Plain:
    """What is no part of a connection."""


class StockConnection(rpyc.core.protocol.Connection):
    """One that was never made, and is not closed either."""

    def __del__(self) -> None: ...


class Lines(LineReceiver):
    """A program's own protocol, with something for peers."""

    @exposed
    def name(self) -> str:
        return "lines"


def parts() -> dict[str, Any]:
    """Return an object of each kind, by what it is called."""
    loop = asyncio.new_event_loop()
    loop.close()
    clock = task.Clock()
    return {
        "a reactor": reactor,
        "a reactor of tests": clock,
        "a protocol": protocol.Protocol(),
        "a protocol's factory": protocol.Factory(),
        "a delayed call": clock.callLater(1, len),
        "an endpoint": TCP4ClientEndpoint(clock, "127.0.0.1", 1),
        "a transport": MemoryTransport(None),
        "a Deferred": Deferred(),
        "a socket": socket.socket.__new__(socket.socket),
        "an event loop": loop,
        "a future": asyncio.Future(loop=loop),
        "a connection": StockConnection.__new__(StockConnection),
    }


@pytest.mark.parametrize("name", parts())
def test_a_part_of_a_connection_is_told_by_its_class(name: str) -> None:
    """Whatever its library is, and subclasses too."""
    kind: Any = type(parts()[name])
    assert machinery(kind) is not None
    assert name.startswith(str(machinery(kind))) or name == "a transport"
    assert machinery(type("Derived", (kind,), {}) if name != "a future" else kind) is not None


@pytest.mark.parametrize("kind", [Plain, dict, int, Service, type, RawPeer, task.LoopingCall])
def test_other_classes_are_none(kind: type) -> None:
    """Services and a program's own classes."""
    assert machinery(kind) is None


class Keeper(Service):
    """A service that holds one of each by public names, and notes what is called."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.held = parts()
        for number, part in enumerate(self.held.values()):
            setattr(self, f"part{number}", part)
        self.lines = Lines()
        self.lines.transport = self.held["a transport"]

    def on_connect(self, conn: Any) -> None:
        self.conn = conn

    def on_disconnect(self, conn: Any) -> None:
        self.called.append("on_disconnect")

    def startService(self) -> None:
        self.called.append("startService")

    def stopService(self) -> None:
        self.called.append("stopService")

    @exposed
    def all(self) -> Any:
        return tuple(part for part in self.held.values())

    @exposed
    def own(self) -> Any:
        return self.lines


class Marked(Keeper):
    """One that has marked what no peer calls."""

    @exposed
    def on_connect(self, conn: Any) -> None:
        self.called.append("on_connect")

    on_disconnect = exposed(Keeper.on_disconnect)
    exposed_on_disconnect = on_disconnect


PRESETS = {
    "exposed": {},
    "public": {"access": "public"},
    "writable": {"access": "public", "allow_setattr": True, "allow_delattr": True},
    "another prefix": {"exposed_prefix": "on_"},
}
HOOKS = ["on_connect", "on_disconnect", "connection_config", "startService", "stopService"]
LEADS = ["transport", "reactor", "callback", "seconds", "stop", "loseConnection", "root", "close"]


def requests(obj: Local, name: str) -> Iterator[tuple[Any, ...]]:
    """Give every way to bring a name to an object."""
    yield HANDLE_GETATTR, obj, name
    yield HANDLE_SETATTR, obj, name, 1
    yield HANDLE_DELATTR, obj, name
    yield HANDLE_CALLATTR, obj, name, (None,), ()
    yield HANDLE_CALLATTR, obj, name, (), (("conn", None),)
    yield HANDLE_CALLPATH, obj, (name,), (None,), ()
    yield HANDLE_CALLPATH, obj, (name,), None, ()
    yield HANDLE_OLDSLICING, obj, name, name, 0, None, ()
    yield HANDLE_OLDSLICING, obj, "none", name, 0, None, ()
    yield HANDLE_CMP, obj, obj, name
    yield HANDLE_CTXEXIT, obj, name
    for lead in LEADS:
        yield HANDLE_CALLPATH, obj, (name, lead), (5,), ()
        yield HANDLE_CALLPATH, obj, (name, lead, "seconds"), (), ()


@pytest.mark.parametrize("kind", [Keeper, Marked])
@pytest.mark.parametrize("preset", PRESETS)
def test_no_request_reaches_a_part_of_a_connection_or_calls_a_hook(preset: str, kind: Any) -> None:
    """By any name, and by what was read before."""
    service = kind()
    peer = RawPeer(service, compress=False, **PRESETS[preset])
    service.called.clear()
    root = peer.root()
    targets = [root]
    own = peer.ask(HANDLE_CALLATTR, root, "own", (), ())
    if isinstance(own, Local):
        targets.append(own)
        peer.ask(HANDLE_CALLATTR, own, "name", (), ())
    parted = [name for name in vars(service) if name.startswith("part")]
    names = [*parted, "conn", "held", "lines", *HOOKS, *LEADS, "lineReceived", "connectionLost"]
    tried = 0
    for target in targets:
        for name in [*names, *(f"exposed_{hook}" for hook in HOOKS)]:
            for request in requests(target, name):
                tried += 1
                peer.send_request(*request)  # one for a Deferred is not answered
                peer.received()
        for listing in (HANDLE_DIR, HANDLE_INSPECT):
            answer = peer.ask(listing, target if listing == HANDLE_DIR else target.pack)
            assert "'on_connect'" not in repr(answer)
    peer.ask(HANDLE_CALLATTR, root, "all", (), ())
    assert service.called == []
    for export in peer.connection._tables.exports:
        held = export.target
        assert held is service.lines or machinery(type(held)) is None, held
    deferred = service.held["a Deferred"]
    assert not deferred.called
    assert not service.held["a transport"].disconnecting
    print(f"{tried} requests")
    assert tried > 500
    peer.transport.written.clear()


def test_what_a_program_exposes_of_its_own_protocol_is_reached_and_nothing_else() -> None:
    """Not its transport, and none of its library's public names."""
    service = Keeper()
    peer = RawPeer(service, access="public")
    lines = peer.ask(HANDLE_CALLATTR, peer.root(), "own", (), ())
    assert peer.ask(HANDLE_CALLATTR, lines, "name", (), ()) == "lines"
    for name in ("transport", "sendLine", "dataReceived", "delimiter"):
        assert isinstance(peer.ask(HANDLE_GETATTR, lines, name), RemoteError)


def test_the_refusal_says_what_to_do() -> None:
    """By the name of what was asked for."""
    peer = RawPeer(Keeper, access="public")
    answer = peer.ask(HANDLE_GETATTR, peer.root(), "conn")
    assert answer.name == "NotSendable"
    assert "a protocol" in answer.text
    assert "expose what is needed of it" in answer.text
    answer = peer.ask(HANDLE_CALLATTR, peer.root(), "on_disconnect", (None,), ())
    assert "'on_disconnect': a connection calls it, and no peer" in answer.text


def test_a_method_of_another_name_is_no_hook() -> None:
    """Nor is one of an object that is no service."""

    class Desk(Service):
        def exposed_on_connect(self) -> str:
            return "mine"

    class Client:
        @exposed
        def on_connect(self) -> str:
            return "a client's"

    policy = AccessPolicy(ConnectionConfig())
    assert policy.get(Desk(), "on_connect")() == "mine"
    assert policy.get(Client(), "on_connect")() == "a client's"


def test_a_deferred_that_has_fired_is_its_value() -> None:
    """As ever: what is given out is what it holds."""

    class Later(Service):
        @exposed
        def soon(self) -> Any:
            return succeed(7)

    peer = RawPeer(Later)
    assert peer.ask(HANDLE_CALLATTR, peer.root(), "soon", (), ()) == 7


# -- the program itself


class IPart(Interface):
    key = Attribute("Opened.")


expose(IPart)


@implementer(IPart)
class Whole:
    key = 1
    other = 2


def test_what_is_declared_for_outsiders_does_not_bind_the_program() -> None:
    """A worker of its own pool reads what is public, as it did before."""
    with pytest.raises(AttributeError, match="IPart"):
        AccessPolicy(ConnectionConfig.preset("public")).get(Whole(), "other")
    policy = AccessPolicy(ProgramConfig(allow_public_attrs=True))
    assert policy.get(Whole(), "other") == 2
    assert policy.get(Keeper(), "on_connect")
    assert policy.get(Plain, "__eq__")
    policy.check_handed_out(Deferred())


# -- views


def test_a_view_can_be_set_by_the_names_that_are_said_alone() -> None:
    """None if none is said, where RPyC takes those that are shown."""
    whole = Whole()
    for switches in (ConnectionConfig(), ConnectionConfig(allow_setattr=True)):
        policy = AccessPolicy(switches)
        with pytest.raises(AttributeError, match="does not allow it"):
            policy.set(restricted(whole, ["key", "other"]), "other", 3)
        policy.set(restricted(whole, ["key"], ["other"]), "other", 4)
        assert whole.other == 4


def test_a_view_of_a_class_gives_no_function_that_takes_any_object() -> None:
    """As the class itself."""

    class Point:
        value = 3

        def get(self) -> int:
            return self.value

    get = AccessPolicy(ConnectionConfig()).get(restricted(Point, ["get"]), "get")
    assert get(Point()) == 3
    with pytest.raises(TypeError, match="for objects of Point"):
        get(Whole())
