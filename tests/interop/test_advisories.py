"""
RPyC's two security advisories, and variations on them, tried on a real server.

CVE-2019-16328: a comparison names any attribute, say ``__getattribute__``, and so
goes around what may be reached. CVE-2024-27758: a method of the server makes a
numpy array of an object of the client's; RPyC's proxy has an ``__array__`` that
unpickles what the client sends. Both are told apart from ordinary calls by bytes
alone, so the attacker here writes its frames by hand.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import txremote.blocking as blocking
from tests.blocking.script_threads import scripted
from tests.interop.attacked_service import CARELESS
from tests.interop.peer_processes import Hosted
from tests.peer.pairs import Local, Remote, RemoteError, answer_of, boxed, request_payload
from txremote.wire.brine import dump, load
from txremote.wire.consts import (
    HANDLE_BUFFITER,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CMP,
    HANDLE_CTXEXIT,
    HANDLE_DELATTR,
    HANDLE_GETATTR,
    HANDLE_GETROOT,
    HANDLE_INSPECT,
    HANDLE_INSTANCECHECK,
    HANDLE_OLDSLICING,
    HANDLE_PICKLE,
    HANDLE_REPR,
    HANDLE_SETATTR,
    MSG_EXCEPTION,
    MSG_REPLY,
    MSG_REQUEST,
)
from txremote.wire.framing import FrameReader, frame

ARRAY = Remote(("numpy.ndarray", 501, 502))


class Attacker:
    """
    A client that says what it likes.

    Args:
        port: The server's.
        poison: What it sends wherever the server asks for anything.
    """

    def __init__(self, port: int, poison: bytes = b"") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = FrameReader()
        self._waiting: list[Any] = []
        self._number = 0
        self.poison = poison
        self.throws: Any = None
        self.asked: list[int] = []
        root = self.ask(HANDLE_GETROOT)
        assert isinstance(root, Local)
        self.root = root

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def get(self, name: str) -> Local:
        """Return an object of the server's."""
        found = self.ask(HANDLE_GETATTR, self.root, name)
        assert isinstance(found, Local), found
        return found

    def call(self, name: str, *args: Any) -> Any:
        """Call a method of the server."""
        return self.ask(HANDLE_CALLATTR, self.root, name, args, ())

    def ask(self, handler: int, *args: Any) -> Any:
        """Send a request, and serve the server's own until the answer is there."""
        self._number += 1
        self._socket.sendall(frame(request_payload(self._number, handler, *args)))
        while True:
            while not self._waiting:
                data = self._socket.recv(65536)
                assert data, "the server hung up"
                self._waiting.extend(self._reader.feed(data))
            payload = self._waiting.pop(0)
            kind, (number, content) = payload[0], load(payload[1:])
            if kind == MSG_REQUEST:
                self._serve(number, content[0])
            elif number == self._number:
                return answer_of(kind, number, content)

    def _serve(self, number: int, handler: int) -> None:
        self.asked.append(handler)
        if self.throws is not None:
            answer = bytes([MSG_EXCEPTION]) + dump((number, self.throws))
        else:
            value: Any = self.poison
            if handler == HANDLE_INSPECT:
                value = tuple((name, None) for name in METHODS)
            elif handler == HANDLE_REPR:
                value = "a harmless object"
            answer = bytes([MSG_REPLY]) + dump((number, boxed(value)))
        self._socket.sendall(frame(answer))


METHODS = [
    *("__array__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__copy__"),
    *("__deepcopy__", "__getnewargs__", "__float__", "__int__", "__bytes__", "__index__"),
    *("__len__", "__getitem__", "__iter__", "__next__", "__enter__", "__exit__", "__call__"),
    *("__eq__", "__lt__", "__add__", "__hash__", "__str__", "__format__", "__bool__"),
    *("__array_interface__", "__array_struct__", "__class__", "tobytes"),
]


@contextmanager
def hosted(service: str) -> Iterator[Hosted]:
    server = Hosted(f"tests.interop.attacked_service.{service}")
    try:
        yield server
        server.stop_cleanly()
    finally:
        server.kill()


@pytest.fixture(scope="module")
def vault() -> Iterator[Hosted]:
    with hosted("Vault") as server:
        yield server


@pytest.fixture(scope="module")
def lane() -> Iterator[Hosted]:
    with hosted("Lane") as server:
        yield server


@pytest.fixture
def attacker(vault: Hosted) -> Iterator[Attacker]:
    it = Attacker(vault.port)
    yield it
    assert it.call("state") is True
    assert it.call("add", 2, 3) == 5
    it.close()


# -- CVE-2019-16328


# The first is the advisory's own; the others are what comes to mind next.
OPERATORS: list[Any] = [
    *("__getattribute__", b"__getattribute__", "__getattr__", "__setattr__", "__delattr__"),
    *("__class__", "__init__", "__new__", "__reduce_ex__", "__reduce__", "__format__", "__dir__"),
    *("__call__", "__init_subclass__", "__subclasshook__", "__instancecheck__", "__mro__", "mro"),
    *("__subclasses__", "__iter__", "__getitem__", "__exit__", "__hash__", "__sizeof__", "__get__"),
    *("open", "secret", "exposed_knock", "knock", "__EQ__", " __eq__", "__eq__ ", "__eq__\x00"),
    *("_eq_", "eq", "__cmp__", "", "__eq____getattribute__", "__éq__", "__eq__.__self__"),
    *(b"__eq__\xff", None, 3, 1.5, ("__eq__",), frozenset({"__eq__"}), True, ..., slice(1)),
]

TARGETS = ["root", "safe", "dial", "list", "Safe", "numbers", "function", "knock"]


def target_of(attacker: Attacker, name: str) -> Local:
    if name == "root":
        return attacker.root
    if name in ("numbers", "function"):
        found = attacker.call(name)
    elif name == "knock":
        found = attacker.ask(HANDLE_GETATTR, attacker.get("safe"), "knock")
    else:
        found = attacker.get(name)
    assert isinstance(found, Local), found
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_a_comparison_reaches_no_attribute(attacker: Attacker, target: str) -> None:
    """Of an instance, a class, a function, a generator; by whatever it is named."""
    obj = target_of(attacker, target)
    for name in (*OPERATORS, obj, ARRAY):
        for other in ("__class__", "secret", obj, ARRAY):
            answer = attacker.ask(HANDLE_CMP, obj, other, name)
            assert isinstance(answer, RemoteError), (name, other, answer)
            assert answer.name == "AttributeError", (name, answer)


def test_a_comparison_of_a_value_reaches_nothing(attacker: Attacker) -> None:
    """``str.__mod__`` and ``str.format`` would read what they like of the other side."""
    safe = attacker.get("safe")
    for value in ("{0.secret}", "%(secret)s", b"%r", 3, (1,), None):
        for name in ("format", "__mod__", "__eq__", "__getattribute__"):
            answer = attacker.ask(HANDLE_CMP, value, safe, name)
            assert isinstance(answer, RemoteError), (value, name, answer)
            assert answer.name == "TypeError", answer


# What a comparison was for the advisory, another request may be for the next one.
WAYS = {
    "getattr": lambda obj, name: (HANDLE_GETATTR, obj, name),
    "getattr by bytes": lambda obj, name: (HANDLE_GETATTR, obj, name.encode()),
    "setattr": lambda obj, name: (HANDLE_SETATTR, obj, name, ARRAY),
    "delattr": lambda obj, name: (HANDLE_DELATTR, obj, name),
    "callattr": lambda obj, name: (HANDLE_CALLATTR, obj, name, ("__class__",), ()),
    "callattr by name": lambda obj, name: (HANDLE_CALLATTR, obj, name, (), (("name", "x"),)),
    "path": lambda obj, name: (HANDLE_CALLPATH, obj, (name, "__class__"), None, ()),
    "path to a call": lambda obj, name: (HANDLE_CALLPATH, obj, (name,), ("__class__",), ()),
    "path through a safe operator": lambda obj, name: (
        *(HANDLE_CALLPATH, obj, ("__eq__", name), None, ()),
    ),
    "old slicing": lambda obj, name: (HANDLE_OLDSLICING, obj, name, name, 0, 1, ()),
    "old slicing's fallback": lambda obj, name: (HANDLE_OLDSLICING, obj, "no", name, 0, 1, ()),
}
NAMES = [
    *("__getattribute__", "__setattr__", "__class__", "__dict__", "__init__", "__reduce_ex__"),
    *("__globals__", "__func__", "__self__", "__code__", "__subclasses__", "__closure__", "open"),
    *("secret", "_rpyc_getattr", "__array__", "__exposed__", "__providedBy__", "gi_frame"),
]


@pytest.mark.parametrize("way", WAYS)
def test_no_other_request_goes_around_the_gate(attacker: Attacker, way: str) -> None:
    """Each has the same objects and names as a comparison."""
    for target in TARGETS:
        obj = target_of(attacker, target)
        for name in NAMES:
            answer = attacker.ask(*WAYS[way](obj, name))
            assert isinstance(answer, RemoteError), (target, name, answer)
            assert answer.name == "AttributeError", (target, name, answer)


def test_requests_without_a_name_reach_nothing_either(attacker: Attacker) -> None:
    """Pickling, iterating, leaving a context, asking for an id that was not given."""
    safe = attacker.get("safe")
    name, kind, number = safe.pack
    for request in (
        (HANDLE_PICKLE, safe, 2),
        (HANDLE_PICKLE, attacker.get("list"), 2),
        (HANDLE_BUFFITER, safe, 3),
        (HANDLE_CTXEXIT, safe, None),
        (HANDLE_CTXEXIT, safe, ARRAY),
        (HANDLE_CALL, safe, (), ()),
        (HANDLE_INSPECT, (name, kind, number + 1000)),
        (HANDLE_INSTANCECHECK, safe, safe.pack),
        (HANDLE_CALL, attacker.get("Safe"), (), (("secret", 1),)),
    ):
        assert isinstance(attacker.ask(*request), RemoteError), request


# -- CVE-2024-27758


class Poison:
    """Unpickling it makes a folder: whoever finds one was had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._folder),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "had"


def test_the_poison_works(folder: Path) -> None:
    """Where somebody unpickles it: the tests below would notice."""
    pickle.loads(pickle.dumps(Poison(folder)))
    assert folder.exists()


# What unpickles, or would have to; the rest may well succeed, with a harmless value.
REFUSED = [name for name in CARELESS if "array" in name or "pickle" in name]
REFUSED += ["copy", "deepcopy", "deepcopy in a list", "reduce_ex", "obtain"]


@pytest.mark.parametrize("method", ["in_thread", "natively", "in a lane"])
def test_nothing_that_is_done_to_a_peers_object_unpickles_what_the_peer_sends(
    vault: Hosted, lane: Hosted, method: str, folder: Path
) -> None:
    """In a worker thread, in the reactor, in a lane; whatever a careless method does."""
    port = lane.port if method == "in a lane" else vault.port
    attacker = Attacker(port, pickle.dumps(Poison(folder)))
    for what in CARELESS:
        outcome = attacker.call("natively" if method == "in a lane" else method, what, ARRAY)
        assert isinstance(outcome, str), (what, outcome)
        if method != "natively":  # where a reference has nothing of what is looked for
            assert outcome != "done" or what not in REFUSED, what
        assert not folder.exists(), what
    assert HANDLE_PICKLE not in attacker.asked
    assert attacker.call("state") is True
    attacker.close()


@pytest.mark.parametrize(
    "name",
    [
        *("numpy.ndarray", "builtins.list", "builtins.dict", "builtins.bytes", "builtins.type"),
        *("pickle.Unpickler", "collections.OrderedDict", "array.array", "builtins.bytearray"),
        *("tests.interop.attacked_service.Safe", "builtins.ValueError", "builtins.mappingproxy"),
    ],
)
def test_no_name_that_a_peer_gives_its_object_makes_it_another(
    lane: Hosted, name: str, folder: Path
) -> None:
    """A proxy of a builtin type has that type's methods made ready: none unpickles."""
    attacker = Attacker(lane.port, pickle.dumps(Poison(folder)))
    for instance in (7, 0):
        for what in REFUSED:
            outcome = attacker.call("natively", what, Remote((name, 600, instance)))
            assert isinstance(outcome, str), (what, outcome)
            assert not folder.exists(), what
    assert HANDLE_PICKLE not in attacker.asked
    attacker.close()


@pytest.mark.parametrize(
    "name",
    [
        *(("os", "mkdir"), ("builtins", "eval"), ("builtins", "exec"), ("posix", "mkdir")),
        *(("pickle", "loads"), ("subprocess", "Popen"), ("tests.interop.attacked_service", "Safe")),
        *(("builtins", "type"), ("builtins", "SystemExit"), ("nonsense", "mkdir"), ("", "")),
    ],
)
def test_no_exception_that_a_peer_names_is_anything_else(
    vault: Hosted, name: tuple[str, str], folder: Path
) -> None:
    """An exception's class is looked up, its arguments are given, its attributes set."""
    attacker = Attacker(vault.port)
    text = f"__import__('os').mkdir({str(folder)!r})"
    for args in ((str(folder),), (text,), (pickle.dumps(Poison(folder)),)):
        attacker.throws = (name, args, (("__class__", "x"), ("__reduce__", "y")), "no traceback")
        answer = attacker.call("awaiting", ARRAY)
        assert isinstance(answer, RemoteError), answer
        assert not folder.exists(), name
    attacker.throws = None
    assert attacker.call("add", 2, 3) == 5
    attacker.close()


@scripted
def test_a_client_is_as_safe_from_its_server(tmp_path: Path) -> None:
    """The proxies of a script are those of a worker thread."""
    folder = tmp_path / "had"
    poison = pickle.dumps(Poison(folder))

    class Evil(blocking.Service):
        exposed_poison = poison

        class exposed_Array:
            def __array__(self, *_args: Any) -> Any:
                return poison

            def __reduce_ex__(self, _protocol: Any) -> Any:
                return pickle.loads, (poison,)

    conn = blocking.connect_thread(remote_service=Evil, remote_config={"access": "classic"})
    try:
        array = conn.root.Array()
        for what in REFUSED:
            with pytest.raises(Exception):  # noqa: B017  # each has its own; none may pass
                CARELESS[what](array)
            assert not folder.exists(), what
    finally:
        conn.close()
