"""
What programs of RPyC do with remote objects besides calling them, over each pair of
the libraries: copies of iterators, ``isinstance`` across connections, ``type``,
classes derived from remote ones, and every hook that RPyC's classes have.
"""

from __future__ import annotations

import collections
import copy
import inspect
import itertools
import os
import socket
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rpyc as stock
import rpyc.core.service
import rpyc.utils.server as stock_server

import txremote.blocking as own
from tests.blocking.script_threads import DEADLINE, client, scripted, serving, wait_until
from tests.interop.pairs import Pairs, told
from txremote import exposed
from txremote.blocking.utils import server as own_server


@exposed
class Box:
    def get(self) -> int:
        return 1


@exposed
class Special(Box):
    pass


MAKES: dict[str, Callable[[], Any]] = {
    "generator": lambda: (number for number in range(4)),
    "list": lambda: [1, 2],
    "tuple with a list": lambda: (1, [2]),
    "dict": lambda: {"a": 1},
    "set": lambda: {1, 2},
    "range": lambda: range(3),
    "iterator of a list": lambda: iter([1, 2]),
    "iterator of a dict": lambda: iter({"a": 1}),
    "zip": lambda: zip((1, 2), (3, 4), strict=True),
    "map": lambda: map(abs, (1, -2)),
    "enumerate": lambda: enumerate("ab"),
    "reversed": lambda: reversed([1, 2]),
    "itertools.count": lambda: itertools.islice(itertools.count(), 3),
    "one of tee": lambda: itertools.tee([1, 2])[0],
    "deque": lambda: collections.deque((1, 2)),
    "box": Box,
    "special": Special,
    "class": lambda: Box,
    "builtin class": lambda: list,
    "module": lambda: collections,
    "function": lambda: inspect.isclass,
    "builtin function": lambda: len,
    "bound method": lambda: Box().get,
    "exception": lambda: ValueError("no"),
    "exception class": lambda: ValueError,
}


def teed(obj: Any) -> str:
    """Read both of tee()."""
    return str(told(lambda: [list(one) for one in itertools.tee(obj)]))


def kinds(obj: Any) -> str:
    """Say what it is, in the ways that programs ask."""
    found = [
        told(lambda: type(obj) is type(obj)),
        *[
            told(lambda kind=kind: isinstance(obj, kind))
            for kind in (list, dict, type, types.ModuleType, Exception, types.GeneratorType)
        ],
        told(lambda: inspect.isclass(obj)),
        told(lambda: inspect.ismodule(obj)),
        told(lambda: inspect.isfunction(obj)),
    ]
    return str(found)


def derived(obj: Any) -> str:
    """Derive a class from it."""
    try:
        types.new_class("Mine", (obj,))
    except (TypeError, AttributeError):  # RPyC: "'str' object has no attribute '____conn__'"
        return "refused"
    return "derived"


def named(obj: Any) -> str:
    """Say how its type is called."""
    return f"{type(obj).__name__}, a {type(type(obj)).__name__}"


LOOKS = {"tee": teed, "derive": derived, "name": named, "kind": kinds}
CONFIG = {"allow_public_attrs": True, "allow_all_attrs": True}


@scripted
def test_tee_type_and_class_statements_do_what_they_do_with_rpyc() -> None:
    wrong = []
    tried = 0
    with Pairs(MAKES, LOOKS, CONFIG) as pairs:
        for make in MAKES:
            for look in ("tee", "derive", "name"):
                for way, seen, wanted in pairs.ways(make, look):
                    tried += 1
                    if seen != wanted:
                        wrong.append(f"{look}, {way}: {seen}; RPyC has {wanted}")
            # RPyC takes an object of a class that it does not know for a module
            wrong += pairs.wrong(make, "kind")
    assert tried == len(MAKES) * 3 * 6
    assert not wrong, "\n".join(wrong)


@scripted
def test_a_class_derived_from_a_remote_object_is_refused_in_a_sentence() -> None:
    with Pairs(MAKES, LOOKS, CONFIG) as pairs:
        for server in ("rpyc", "txremote"):
            root = pairs.root(server, "txremote")
            for make in ("class", "builtin class", "box", "module", "exception class"):
                remote = root.make(make)
                with pytest.raises(TypeError, match=r"cannot be derived from a remote object"):

                    class Mine(remote):
                        pass


@scripted
def test_copies_of_a_remote_iterator_are_not_made_in_silence() -> None:
    with Pairs(MAKES, LOOKS, CONFIG) as pairs:
        for server in ("rpyc", "txremote"):
            numbers = pairs.root(server, "txremote").make("generator")
            with pytest.raises(TypeError):
                copy.copy(numbers)
            assert list(numbers) == [0, 1, 2, 3]
            assert copy.copy(pairs.root(server, "txremote").make("list")) == [1, 2]


@scripted
def test_isinstance_with_a_class_of_another_connection() -> None:
    """Over each pair of servers, whose ids may be the same for different things."""
    with Pairs(MAKES, LOOKS, CONFIG) as one, Pairs(MAKES, LOOKS, CONFIG) as other:
        for server, elsewhere in itertools.product(("rpyc", "txremote"), repeat=2):
            here, there = one.root(server, "txremote"), other.root(elsewhere, "txremote")
            things = [here.make(name) for name in ("box", "special", "list", "dict", "exception")]
            kind = there.make("class")
            there.make("box"), there.make("special")  # what the ids of things could stand for
            assert [isinstance(thing, kind) for thing in things] == [False] * 5
            assert isinstance(here.make("special"), here.make("class")) is (server == "txremote")
            assert isinstance(here.make("list"), there.make("builtin class"))
            assert not isinstance(here.make("dict"), there.make("builtin class"))
            assert isinstance(here.make("exception"), there.make("exception class"))
            with pytest.raises(TypeError, match="arg 2 must be a class"):
                isinstance(here.make("box"), there.make("box"))


@pytest.mark.parametrize("library", [stock, own])
@scripted
def test_a_client_of_two_txremote_servers_does_not_take_their_classes_for_one(library: Any) -> None:
    """RPyC compares the ids of classes, whichever connection they came over."""

    def desk(name: str) -> Any:
        kind = exposed(type(name, (), {}))

        class Desk(own.Service):
            def exposed_kind(self) -> Any:
                return kind

        return Desk

    with serving(desk("Here")) as one, serving(desk("There")) as other:
        here = library.connect("127.0.0.1", one.port)
        there = library.connect("127.0.0.1", other.port)
        thing = here.root.kind()()
        assert isinstance(thing, here.root.kind())
        assert not isinstance(thing, there.root.kind())
        here.close()
        there.close()


@scripted
def test_isinstance_with_a_class_of_another_connection_to_the_same_server() -> None:
    with serving(own_server_desk()) as server, client(server) as one, client(server) as other:
        kind, box = other.root.make("class"), one.root.make("box")
        assert isinstance(box, kind)
        assert not isinstance(one.root.make("list"), kind)


def own_server_desk() -> Any:
    class Desk(own.Service):
        def exposed_make(self, name: str) -> Any:
            return MAKES[name]()

    return Desk


CONTAINERS: dict[str, Any] = {
    "dict": {"a": 1, "b": [1, {"c": (2, [3])}], 3: None},
    "ordered": collections.OrderedDict(b=1, a=2),
    "counted": collections.defaultdict(list, a=[1]),
    "proxy": types.MappingProxyType({"a": {"b": 1}}),
    "nested": [{"a": {1, 2}}, (), ({},)],
    "ranges": [range(0), range(3), range(5, 6), range(9, 0, -2)],
    "keys": {"a": 1}.keys(),
    "bytes": [bytearray(b"ab"), b"c"],
}


@scripted
def test_obtain_copies_containers_of_a_stock_server_that_opens_no_public_names() -> None:
    """It lets us iterate and take items, and that is enough."""
    makes = {name: (lambda made=made: made) for name, made in CONTAINERS.items()}
    with Pairs(makes, {}, {}) as pairs:
        for server in ("rpyc", "txremote"):
            root = pairs.root(server, "txremote")
            for name, made in CONTAINERS.items():
                copied = own.classic.obtain(root.make(name))
                wanted = list(made) if name == "keys" else made
                assert copied == (dict(made) if name == "proxy" else wanted), (server, name)


# -- hooks


def _names(*classes: type) -> Iterator[tuple[type, str]]:
    """Give RPyC's methods that a subclass can override."""
    for kind in classes:
        for name, value in vars(kind).items():
            if not name.startswith("__") and (callable(value) or hasattr(value, "__func__")):
                yield kind, name


SERVERS = [stock_server.ThreadedServer, stock_server.OneShotServer, stock_server.ThreadPoolServer]


@pytest.mark.parametrize(
    ("kind", "name"),
    [*_names(stock_server.Server, *SERVERS, stock_server.ForkingServer)],
)
@scripted
def test_a_step_of_rpyc_s_servers_that_is_overridden_is_called_or_refused(
    kind: type, name: str
) -> None:
    if name == "fileno":
        return  # which only the program itself calls
    base = getattr(own_server, kind.__name__)
    if not isinstance(base, type) or not issubclass(base, own_server.ThreadedServer):
        base = own_server.ThreadedServer  # ForkingServer is refused as a whole
    called: list[str] = []

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(name)
        return getattr(super(mine, self), name)(*args, **kwargs)

    mine: Any = type("Mine", (base,), {name: step})
    try:
        server = mine(own.VoidService, hostname="127.0.0.1", port=0)
    except TypeError as refusal:
        assert f"Mine overrides {name}" in str(refusal)
        return
    thread = server._start_in_thread()
    own.connect("127.0.0.1", server.port).close()
    server.close()
    thread.join(DEADLINE)
    assert called


@pytest.mark.parametrize("library", ["rpyc", "txremote"])
@pytest.mark.parametrize("name", [name for _kind, name in _names(rpyc.core.service.Service)])
@scripted
def test_a_hook_of_rpyc_s_service_that_is_overridden_is_called_or_refused(
    library: str, name: str
) -> None:
    base: Any = stock.Service if library == "rpyc" else own.Service
    called: list[str] = []

    def hook(self: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(name)
        return ("SHOP",) if "aliases" in name else "SHOP" if "name" in name else None

    of_class = "service" in name and not name.startswith("_")
    service = type("Mine", (base,), {name: classmethod(hook) if of_class else hook})
    try:
        server = own_server.ThreadedServer(service, hostname="127.0.0.1", port=0)
    except TypeError as refusal:
        assert f"Mine overrides {name}" in str(refusal)
        return
    thread = server._start_in_thread()
    with own.connect("127.0.0.1", server.port, config={"allow_setattr": True}) as conn:
        conn.root.get_service_name()
        conn.root.get_service_aliases()
        for change in (lambda: setattr(conn.root, "a", 1), lambda: delattr(conn.root, "a")):
            told(change)
    server.close()
    thread.join(DEADLINE)
    wait_until(lambda: bool(called))  # on_disconnect has a thread of its own


@scripted
def test_the_addresses_of_a_connection_are_known_when_its_socket_has_gone() -> None:
    """In a server's on_disconnect and in a client's."""
    ends: dict[str, Any] = {}

    def noting(role: str, base: Any) -> Any:
        def on_disconnect(self: Any, conn: Any) -> None:
            ends[role] = conn._config["endpoints"]

        return type("Noting", (base,), {"on_disconnect": on_disconnect})

    for base in (own.Service, stock.Service):
        with serving(noting("server", base)) as server:
            conn = client(server, service=noting("client", own.Service))
            wanted = conn._config["endpoints"]
            with socket.socket(fileno=os.dup(conn.fileno())) as its:
                its.shutdown(socket.SHUT_RDWR)  # nobody says good-bye
            with pytest.raises(EOFError):
                conn.ping()
            port = server.port
        wait_until(lambda: len(ends) == 2)
        assert ends["server"] == wanted[::-1]
        assert ends["client"] == wanted
        assert wanted[1] == ("127.0.0.1", port)
        ends.clear()
