"""
Services as RPyC's programs write them.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import DEADLINE, client, linked, scripted, serving
from txremote.service import is_threaded


class Marked(rpyc.Service):
    """Uses every way to expose."""

    ALIASES = ("marked", "other")
    exposed_pi = 3.14

    def exposed_prefixed(self) -> str:
        return "prefixed"

    @rpyc.exposed
    def marked(self) -> str:
        return "marked"

    @rpyc.exposed
    class Inner:
        """A nested class."""

        def __init__(self, value: int) -> None:
            self.value = value

        @rpyc.exposed
        def get(self) -> int:
            return self.value

    def hidden(self) -> str:
        return "hidden"


def test_such_a_service_runs_in_worker_threads_wherever_it_is_hosted() -> None:
    assert is_threaded(rpyc.Service)
    assert is_threaded(rpyc.VoidService)
    assert is_threaded(Marked())


@scripted
def test_names_are_exposed_by_prefix_and_by_mark() -> None:
    with linked(Marked) as conn:
        root = conn.root
        assert (root.prefixed(), root.exposed_prefixed()) == ("prefixed", "prefixed")
        assert (root.marked(), root.exposed_marked()) == ("marked", "marked")
        assert root.pi == 3.14
        assert root.Inner(4).get() == 4
        assert root.get_service_name() == "MARKED"
        assert root.get_service_aliases() == ("MARKED", "OTHER")
        with pytest.raises(AttributeError, match="exposes no such name"):
            root.hidden()


@scripted
def test_a_services_attributes_are_its_own() -> None:
    config = {"allow_setattr": True, "allow_delattr": True, "allow_public_attrs": True}
    with linked(Marked, remote_config=config) as conn:
        with pytest.raises(AttributeError, match="a service's attributes are its own"):
            conn.root.pi = 3
        with pytest.raises(AttributeError, match="a service's attributes are its own"):
            del conn.root.pi


def test_the_class_decorator_gives_marked_names_their_prefix() -> None:
    """For code that calls them by it, as RPyC's programs may."""

    @rpyc.service
    class Decorated(rpyc.Service):
        @rpyc.exposed
        def add(self, a: int, b: int) -> int:
            return a + b

        @rpyc.exposed
        class Inner:
            @rpyc.exposed
            def get(self) -> int:
                return 1

        def plain(self) -> int:
            return 0

    service: Any = Decorated()
    assert service.exposed_add(1, 2) == service.add(1, 2) == 3
    assert service.exposed_Inner().exposed_get() == 1
    assert not hasattr(service, "exposed_plain")


@scripted
def test_a_shared_instance_and_one_for_each_connection() -> None:
    class Counter(rpyc.Service):
        def __init__(self) -> None:
            self.count = 0

        def exposed_next(self) -> int:
            self.count += 1
            return self.count

    for service, expected in ((Counter, 1), (Counter(), 2)):
        with serving(service) as server, client(server) as one, client(server) as two:
            assert (one.root.next(), two.root.next()) == (1, expected)


@scripted
def test_a_method_may_keep_a_callback_and_call_it_from_its_own_thread() -> None:
    """The file monitor of RPyC's tutorial does that."""
    seen = threading.Event()

    class Monitor(rpyc.Service):
        def exposed_watch(self, function: Any) -> None:
            callback = rpyc.async_(function)
            threading.Thread(target=lambda: callback("changed"), daemon=True).start()

    with serving(Monitor) as server, client(server) as conn:
        got: list[str] = []

        def changed(what: str) -> None:
            got.append(what)
            seen.set()

        thread = rpyc.BgServingThread(conn)
        conn.root.watch(changed)
        assert seen.wait(20)
        thread.stop()
        assert got == ["changed"]


@scripted
def test_a_service_whose_constructor_takes_arguments() -> None:
    """Bound as RPyC's classpartial binds them: each connection has an instance."""

    class Greeter(rpyc.Service):
        """Greets."""

        def __init__(self, word: str, *, end: str) -> None:
            self.word, self.end = word, end

        def exposed_greet(self, name: str) -> str:
            return f"{self.word}, {name}{self.end}"

    partial = rpyc.utils.helpers.classpartial(Greeter, "hello", end="!")
    assert (partial.__name__, partial.__doc__) == ("Greeter", "Greets.")
    assert issubclass(partial, Greeter)
    with serving(partial) as server, client(server) as conn, client(server) as other:
        assert conn.root.greet("ann") == "hello, ann!"
        assert conn.root != other.root


@scripted
def test_a_program_that_accepts_its_clients_itself() -> None:
    """Connects a service, a class or an instance, by RPyC's name for that."""
    for service in (Shop, Shop()):
        here, there = socket.socketpair()
        conn = service._connect(rpyc.Channel(rpyc.SocketStream(there)), {})
        thread = threading.Thread(target=conn.serve_all)
        thread.start()
        with rpyc.connect_stream(rpyc.SocketStream(here)) as mine:
            assert mine.root.name == "shop"
        thread.join(DEADLINE)


class Shop(rpyc.Service):
    """Has a name."""

    exposed_name = "shop"
