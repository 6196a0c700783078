"""
Every handler, asked by hand: what it gives, and that none of them goes around the
gate.
"""

from __future__ import annotations

import gc
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.peer.pairs import Local, RawPeer, Remote, RemoteError
from txremote import Service, exposed, threaded
from txremote.peer.calling import MOST_NAMED
from txremote.peer.handlers import (
    HANDLERS,
    LARGEST_CHUNK,
    MOST_RELEASED,
    RequestKind,
)
from txremote.wire.consts import (
    FEATURES,
    HANDLE_BUFFITER,
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_CANCEL,
    HANDLE_CLOSE,
    HANDLE_CMP,
    HANDLE_CREDIT,
    HANDLE_CTXEXIT,
    HANDLE_DEL,
    HANDLE_DELATTR,
    HANDLE_DIR,
    HANDLE_EVENT_CREDIT,
    HANDLE_EVENTS,
    HANDLE_FORGET,
    HANDLE_GETATTR,
    HANDLE_GETROOT,
    HANDLE_HASH,
    HANDLE_HELLO,
    HANDLE_INSPECT,
    HANDLE_INSTANCECHECK,
    HANDLE_ITEMS,
    HANDLE_KEEP,
    HANDLE_OLDSLICING,
    HANDLE_PICKLE,
    HANDLE_PING,
    HANDLE_RELEASE,
    HANDLE_REPR,
    HANDLE_SETATTR,
    HANDLE_STR,
    HANDLE_TRACE,
    HELLO_MARK,
)


class Thing:
    def __init__(self) -> None:
        self.exposed_value = 7
        self.secret = "secret"

    def exposed_get(self, *args: Any, **kwargs: Any) -> Any:
        return args, tuple(kwargs.items())

    @exposed
    def itself(self) -> Any:
        return self

    def hidden(self) -> str:
        return "secret"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    def __hash__(self) -> int:
        return 5


class Plain:
    """Nothing exposed, no method of its own."""


class Manager:
    """A context that is not exposed, but for the operators."""

    def __init__(self) -> None:
        self.left: list[Any] = []

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: Any) -> bool:
        self.left.append(args)
        return True


class Closed:
    """Decides for itself that nothing is open."""

    def __init__(self) -> None:
        self.exposed_value = 1

    def _rpyc_getattr(self, name: str) -> Any:
        raise AttributeError(f"no {name}")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: Any) -> bool:
        raise AssertionError("left")

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("iterated")

    def __next__(self) -> int:
        raise AssertionError("advanced")


def numbers() -> Iterator[int]:
    yield from range(25)


def failing() -> Iterator[int]:
    yield from range(3)
    raise LookupError("the end of the paper")


class Hosted(Service):
    exposed_thing = Thing()
    exposed_other = Thing()
    exposed_plain = Plain()
    exposed_manager = Manager()
    exposed_closed = Closed()
    exposed_Thing = Thing
    exposed_list = [1, 2, 3]
    exposed_str_type = str

    def exposed_numbers(self) -> Any:
        return numbers()

    def exposed_failing(self) -> Any:
        return failing()

    def exposed_function(self) -> Any:
        return numbers

    def exposed_method(self) -> Any:
        return self.exposed_thing.hidden

    @exposed
    def reply(self, value: Any) -> Any:
        return value

    def not_open(self) -> str:
        return "secret"


class Asker(RawPeer):
    """A peer with a name for each object it was given."""

    def __init__(self, **config: Any) -> None:
        super().__init__(Hosted, **config)
        self.service = self.root()

    def get(self, name: str) -> Local:
        found = self.ask(HANDLE_GETATTR, self.service, name)
        assert isinstance(found, Local), found
        return found

    def call(self, name: str, *args: Any) -> Any:
        return self.ask(HANDLE_CALLATTR, self.service, name, args, ())


@pytest.fixture
def peer() -> Asker:
    return Asker()


# --- what each gives --------------------------------------------------------------


def test_ping_gives_back_what_came(peer: Asker) -> None:
    assert peer.ask(HANDLE_PING, "data") == "data"
    assert peer.ask(HANDLE_PING) is None
    assert peer.ask(HANDLE_PING, (1, b"x")) == (1, b"x")
    assert peer.ask(HANDLE_PING, peer.service) == peer.service
    mine = Remote(("a.B", 1, 2))
    assert peer.ask(HANDLE_PING, mine) == mine


def test_getroot_gives_the_service(peer: Asker) -> None:
    assert peer.ask(HANDLE_GETROOT) == peer.service
    assert peer.service.pack[0].endswith(".Hosted")


def test_getattr_takes_str_and_bytes(peer: Asker) -> None:
    thing = peer.get("thing")
    for name in ("value", b"value", "exposed_value"):
        assert peer.ask(HANDLE_GETATTR, thing, name) == 7


def test_setattr_and_delattr() -> None:
    peer = Asker(allow_setattr=True, allow_delattr=True)
    thing = peer.call("Thing")
    assert peer.ask(HANDLE_SETATTR, thing, "value", 8) is None
    assert peer.ask(HANDLE_GETATTR, thing, "value") == 8
    assert peer.ask(HANDLE_DELATTR, thing, "value") is None
    assert peer.ask(HANDLE_GETATTR, thing, "value").name == "AttributeError"


def test_call_and_callattr_take_arguments_and_pairs_of_named_ones(peer: Asker) -> None:
    thing = peer.get("thing")
    expected = ((1, "b"), (("c", 3),))
    assert peer.ask(HANDLE_CALLATTR, thing, "get", (1, "b"), (("c", 3),)) == expected
    assert peer.ask(HANDLE_CALLATTR, thing, "get") == ((), ())
    method = peer.ask(HANDLE_GETATTR, thing, "get")
    assert peer.ask(HANDLE_CALL, method, (1, "b"), (("c", 3),)) == expected
    assert peer.ask(HANDLE_CALL, method) == ((), ())


def test_callpath_calls_or_reads(peer: Asker) -> None:
    root = peer.service
    assert peer.ask(HANDLE_CALLPATH, root, ("thing", "value"), None, ()) == 7
    assert peer.ask(HANDLE_CALLPATH, root, ("thing", "itself", "__call__"), None, ()) == (
        RemoteError("AttributeError", "cannot access '__call__' of method")
    )
    assert peer.ask(HANDLE_CALLPATH, root, ("thing", "get"), (1,), ()) == ((1,), ())
    assert peer.ask(HANDLE_CALLPATH, root, (), None, ()) == root
    function = peer.call("function")
    assert isinstance(peer.ask(HANDLE_CALLPATH, function, (), (), ()), Local)


def test_repr_and_str_and_hash_and_dir(peer: Asker) -> None:
    a_list = peer.get("list")
    assert peer.ask(HANDLE_REPR, a_list) == "[1, 2, 3]"
    assert peer.ask(HANDLE_STR, a_list) == "[1, 2, 3]"
    assert "append" in peer.ask(HANDLE_DIR, a_list)
    assert peer.ask(HANDLE_HASH, peer.get("thing")) == 5
    plain = peer.get("plain")
    number = plain.pack[2]
    assert peer.ask(HANDLE_REPR, plain) == f"<{__name__}.Plain object #{number}>"
    assert peer.ask(HANDLE_STR, plain) == f"<{__name__}.Plain object #{number}>"
    assert peer.ask(HANDLE_HASH, plain) == peer.ask(HANDLE_HASH, plain)


def test_comparing_by_the_six_operators(peer: Asker) -> None:
    thing, other = peer.get("thing"), peer.get("other")
    assert peer.ask(HANDLE_CMP, thing, other, "__eq__") is True
    assert peer.ask(HANDLE_CMP, thing, 3, "__eq__") is False
    assert peer.ask(HANDLE_CMP, thing, other, "__lt__") is NotImplemented
    assert peer.ask(HANDLE_CMP, peer.get("list"), peer.get("list"), b"__le__") is True


def test_pickling_is_refused_unless_it_is_allowed(peer: Asker) -> None:
    refusal = peer.ask(HANDLE_PICKLE, peer.get("list"), 2)
    assert refusal.name == "ValueError"
    assert refusal.text.startswith("pickling is disabled: whoever has the object must be given")
    trusting = Asker(allow_pickle=True)
    assert pickle.loads(trusting.ask(HANDLE_PICKLE, trusting.get("list"), 2)) == [1, 2, 3]


def test_del_gives_references_back(peer: Asker) -> None:
    exports = peer.connection._tables.exports
    thing = peer.get("thing")
    peer.get("thing")
    assert len(exports) == 2
    assert peer.ask(HANDLE_DEL, thing, 2) is None
    assert len(exports) == 1
    assert peer.ask(HANDLE_REPR, thing).name == "KeyError"
    assert peer.ask(HANDLE_DEL, peer.get("thing")) is None  # the count may be left out
    assert len(exports) == 1


@pytest.mark.parametrize("count", [3, 1 << 40, 0, -1, True, 1.0, "2", None])
def test_a_del_for_more_than_was_given_is_refused_and_changes_nothing(
    peer: Asker, count: Any
) -> None:
    thing = peer.get("thing")
    peer.get("thing")
    assert peer.ask(HANDLE_DEL, thing, count).name == "ValueError"
    refusal = peer.ask(HANDLE_RELEASE, ((thing.pack, count),))
    assert refusal.name == "ValueError"
    assert peer.connection._tables.exports.of(Hosted.exposed_thing).count == 2  # type: ignore[union-attr]
    assert peer.ask(HANDLE_DEL, thing, 2) is None


def test_release_is_many_dels_in_one(peer: Asker) -> None:
    thing, other = peer.get("thing"), peer.get("other")
    peer.get("other")
    assert peer.ask(HANDLE_RELEASE, ((thing.pack, 1), (other.pack, 2))) is None
    assert len(peer.connection._tables.exports) == 1


def test_one_wrong_pair_of_a_release_does_not_keep_the_others(peer: Asker) -> None:
    thing, other = peer.get("thing"), peer.get("other")
    pairs = ((thing.pack, 5), (("no.Such", 77, 78), 1), (other.pack, 1))
    refusal = peer.ask(HANDLE_RELEASE, pairs)
    assert refusal.name == "ValueError"
    assert "5" in refusal.text
    assert "no.Such" in refusal.text
    assert len(peer.connection._tables.exports) == 2


def test_inspect_lists_methods(peer: Asker) -> None:
    methods = dict(peer.ask(HANDLE_INSPECT, peer.get("thing").pack))
    assert {"exposed_get", "itself"} <= set(methods)
    assert "hidden" not in methods
    assert "__call__" in dict(peer.ask(HANDLE_INSPECT, peer.call("function").pack))


def test_buffiter_gives_chunks(peer: Asker) -> None:
    it = peer.call("numbers")
    assert peer.ask(HANDLE_BUFFITER, it, 10) == tuple(range(10))
    assert peer.ask(HANDLE_BUFFITER, it, 10) == tuple(range(10, 20))
    assert peer.ask(HANDLE_BUFFITER, it, 10) == tuple(range(20, 25))
    assert peer.ask(HANDLE_BUFFITER, it, 10) == ()


def test_a_chunk_is_never_longer_than_the_largest(peer: Asker) -> None:
    it = peer.ask(HANDLE_CALLATTR, peer.get("list"), "__mul__", (10_000,), ())
    iterator = peer.ask(HANDLE_CALLATTR, it, "__iter__", (), ())
    assert len(peer.ask(HANDLE_BUFFITER, iterator, 1 << 60)) == LARGEST_CHUNK


@pytest.mark.parametrize("count", [0, -1, "3", None, 1.0, True])
def test_a_chunk_of_a_strange_size_is_refused(peer: Asker, count: Any) -> None:
    assert peer.ask(HANDLE_BUFFITER, peer.call("numbers"), count).name == "ValueError"


def test_an_exception_in_an_iterator_comes_after_the_items_before_it(peer: Asker) -> None:
    it = peer.call("failing")
    assert peer.ask(HANDLE_BUFFITER, it, 10) == (0, 1, 2)
    assert peer.ask(HANDLE_BUFFITER, it, 10).name == "LookupError"
    assert peer.ask(HANDLE_BUFFITER, it, 10) == ()


def test_next_at_the_end_is_a_bare_stop_iteration(peer: Asker) -> None:
    it = peer.call("numbers")
    peer.ask(HANDLE_BUFFITER, it, 100)
    assert peer.ask(HANDLE_CALLATTR, it, "__next__", (), ()) == RemoteError("StopIteration", "")


def test_oldslicing_tries_the_new_way_first(peer: Asker) -> None:
    a_list = peer.get("list")
    answer = peer.ask(HANDLE_OLDSLICING, a_list, "__getitem__", "__getslice__", 1, None, ())
    assert peer.ask(HANDLE_REPR, answer) == "[2, 3]"


def test_oldslicing_falls_back(peer: Asker) -> None:
    class Old:
        def exposed___getslice__(self, start: int, stop: int) -> Any:
            return start, stop

    peer.connection.service.exposed_old = Old()
    old = peer.get("old")
    ask = (HANDLE_OLDSLICING, old, "__getitem__", "__getslice__", 1)
    assert peer.ask(*ask, 2, ()) == (1, 2)
    assert peer.ask(*ask, None, ()) == (1, (1 << 63) - 1)


def test_oldslicing_runs_a_threaded_method_where_it_belongs(peer: Asker) -> None:
    """A peer chooses the names: it must not get a blocking method into the reactor."""
    where = []
    peer.connection.service.exposed_block = threaded(lambda *args: where.append(args))
    started = []
    executor: Any = peer.connection.executor
    executor.in_thread = lambda _connection, call: started.append(call) or Deferred()
    peer.send_request(HANDLE_OLDSLICING, peer.service, "block", "block", 1, 2, ())
    assert (len(started), where) == (1, [])


# --- classes ----------------------------------------------------------------------


def test_a_class_is_handed_out_by_a_name_that_is_open(peer: Asker) -> None:
    """``exposed_Thing = Thing`` declares it; so does what a path leads to."""
    kind = peer.get("Thing")
    assert kind.pack == (f"{__name__}.Thing", kind.pack[1], 0)
    assert peer.ask(HANDLE_CALLPATH, peer.service, ("Thing",), None, ()) == kind
    assert isinstance(peer.ask(HANDLE_CALL, kind, (), ()), Local)
    assert isinstance(peer.call("Thing"), Local)


def test_a_class_that_a_method_returns_needs_a_mark_of_its_own(peer: Asker) -> None:
    """Whoever holds a class can make objects of it; the error names what is missing."""

    class Inner:
        pass

    service = peer.connection.service
    for returned in (Inner, (1, Inner), type(Inner)):
        service.exposed_kind = lambda it=returned: it
        answer = peer.call("kind")
        assert answer.name.endswith("NotSendable"), answer
        assert "mark it with @exposed" in answer.text
    assert len(peer.connection._tables.exports) == 1  # the service
    service.exposed_kind = lambda: exposed(Inner)
    assert isinstance(peer.call("kind"), Local)


def test_no_path_leads_through_a_module() -> None:
    """A service's public ``log = logging`` would else lead to ``log.os.system``."""
    public = Asker(access="public")
    public.connection.service.tools = re
    for args in (None, ("a", "a")):
        answer = public.ask(HANDLE_CALLPATH, public.service, ("tools", "match"), args, ())
        assert isinstance(answer, RemoteError), answer
        assert "a module leads to everything" in answer.text
    classic = Asker(access="classic")
    classic.connection.service.tools = re
    found = classic.ask(HANDLE_CALLPATH, classic.service, ("tools", "escape"), ("a.",), ())
    assert found == r"a\."


def test_a_module_is_not_handed_out_by_any_name(peer: Asker) -> None:
    """Nor is what leads to one: only classic mode hands these out."""
    peer.connection.service.exposed_re = re
    answer = peer.ask(HANDLE_GETATTR, peer.service, "re")
    assert "a module leads to everything" in answer.text
    classic = Asker(access="classic")
    classic.connection.service.exposed_re = re
    assert classic.get("re").pack[0] == "re"


def test_a_context_is_left_with_nothing_or_an_exception_of_that_class(peer: Asker) -> None:
    manager = Hosted.exposed_manager
    manager.left.clear()
    it = peer.get("manager")
    for error in ((), (None,), (False,), (Remote(("builtins.ValueError", 5, 0)),)):
        assert peer.ask(HANDLE_CTXEXIT, it, *error) is True
    peer.ask(HANDLE_CTXEXIT, it, Remote(("builtins.UnicodeDecodeError", 6, 0)))
    peer.ask(HANDLE_CTXEXIT, it, Remote(("my.module.Custom", 7, 0)))
    peer.ask(HANDLE_CTXEXIT, it, Remote(("builtins.SystemExit", 8, 0)))
    peer.ask(HANDLE_CTXEXIT, it, Remote(("builtins.len", 9, 0)))
    peer.ask(HANDLE_CTXEXIT, it, Remote(("builtins.ExceptionGroup", 10, 0)))
    assert len(manager.left) == 9
    assert manager.left[:3] == [(None, None, None)] * 3
    names = [kind.__name__ for kind, _error, _traceback in manager.left[3:]]
    assert names[:3] == ["ValueError", "UnicodeDecodeError", "my.module.Custom"]
    for kind, error, traceback in manager.left[3:]:
        assert isinstance(error, kind)
        assert traceback is None
    # no request went out meanwhile: the names came with the references
    assert peer.received() == []


def test_a_context_is_not_left_with_a_value(peer: Asker) -> None:
    for value in (
        2,
        "x",
        True,
        ("builtins.ValueError", 5, 0),
        (("builtins", "ValueError"), (), ()),
    ):
        assert peer.ask(HANDLE_CTXEXIT, peer.get("manager"), value).name == "TypeError"


def test_instancecheck(peer: Asker) -> None:
    kind, thing, plain = peer.get("Thing"), peer.get("thing"), peer.get("plain")
    assert peer.ask(HANDLE_INSTANCECHECK, kind, thing.pack) is True
    assert peer.ask(HANDLE_INSTANCECHECK, kind, plain.pack) is False
    assert peer.ask(HANDLE_INSTANCECHECK, kind, kind.pack) is False
    assert peer.ask(HANDLE_INSTANCECHECK, kind, ("builtins.list", 900, 901)) is False
    assert peer.ask(HANDLE_INSTANCECHECK, thing, thing.pack).name == "TypeError"


def test_hello_gives_our_features_and_is_noted(peer: Asker) -> None:
    assert not peer.connection.is_txremote
    assert peer.ask(HANDLE_HELLO, 1, ("cancel", "later", 3)) == (1, (*FEATURES, "keepalive"))
    assert peer.connection.is_txremote
    assert peer.connection.features == {"cancel"}
    assert peer.ask(HANDLE_HELLO, "1", ("cancel",)).name == "TypeError"
    assert peer.ask(HANDLE_HELLO, 1, "cancel").name == "TypeError"


def test_a_hello_may_come_as_a_ping_which_a_stock_peer_sends_back(peer: Asker) -> None:
    for other in (("hello", 1, ()), (HELLO_MARK, 1), HELLO_MARK):
        assert peer.ask(HANDLE_PING, other) == other
    assert not peer.connection.is_txremote
    said = (HELLO_MARK, 1, ("cancel", "later", 3))
    assert peer.ask(HANDLE_PING, said) == (1, (*FEATURES, "keepalive"))
    assert peer.connection.features == {"cancel"}
    assert peer.ask(HANDLE_PING, (HELLO_MARK, "1", ("cancel",))).name == "TypeError"


def test_cancel_of_nothing_is_no_error(peer: Asker) -> None:
    for number in (99, -1, "x", None):
        assert peer.ask(HANDLE_CANCEL, number) is None


def test_a_handler_that_nobody_knows_is_a_key_error_and_the_connection_lives(
    peer: Asker,
) -> None:
    for handler in (0, 21, 63, 90, 1000, -1, 1 << 70):
        assert peer.ask(handler, peer.service) == RemoteError("KeyError", str(handler))
    assert peer.ask(HANDLE_PING, 1) == 1


def test_every_handler_of_the_protocol_is_there() -> None:
    assert set(HANDLERS) == {*range(1, 21), *range(64, 83)}
    unanswered = [number for number, kind in HANDLERS.items() if not kind.answered]
    assert unanswered == [
        *(HANDLE_CLOSE, HANDLE_TRACE, HANDLE_ITEMS, HANDLE_CREDIT),
        *(HANDLE_KEEP, HANDLE_FORGET, HANDLE_EVENTS, HANDLE_EVENT_CREDIT),
    ]


def test_a_request_whose_entry_says_nothing_is_counted_runs_as_calls_do_and_stays_here(
    peer: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HANDLERS, 100, RequestKind(lambda _serving, obj: repr(type(obj))))
    before = peer.connection.inbound.received
    mine = Remote(("builtins.str", 1, 2))
    assert peer.ask(100, mine) == "<class 'txremote.refs.reference.RemoteReference'>"
    assert peer.connection.inbound.received == before + 1


@pytest.mark.parametrize("number", HANDLERS)
def test_a_request_that_is_passed_on_or_not_answered_fits_its_other_flags(number: int) -> None:
    kind = HANDLERS[number]
    assert not (kind.forwarded and kind.in_order)
    assert kind.in_order or kind.answered
    assert kind.in_order or not kind.forwarded_by_pack


# --- none goes around the gate ----------------------------------------------------

SECRETS = [
    "not_open",
    "hidden",
    "secret",
    "_private",
    "__class__",
    "__dict__",
    "__globals__",
    "__func__",
    "__self__",
    "__code__",
    "__getattribute__",
    "__setattr__",
    "__reduce_ex__",
    "__init__",
    "__new__",
    "__subclasses__",
    "__call__",
    "__bases__",
    "gi_frame",
]

ATTEMPTS: dict[str, Callable[[Any, Any], tuple[Any, ...]]] = {
    "getattr": lambda obj, name: (HANDLE_GETATTR, obj, name),
    "callattr": lambda obj, name: (HANDLE_CALLATTR, obj, name, (), ()),
    "callattr with kwargs": lambda obj, name: (HANDLE_CALLATTR, obj, name, (), (("a", 1),)),
    "setattr": lambda obj, name: (HANDLE_SETATTR, obj, name, 1),
    "delattr": lambda obj, name: (HANDLE_DELATTR, obj, name),
    "cmp": lambda obj, name: (HANDLE_CMP, obj, "__class__", name),
    "callpath": lambda obj, name: (HANDLE_CALLPATH, obj, (name,), None, ()),
    "callpath call": lambda obj, name: (HANDLE_CALLPATH, obj, (name,), (), ()),
    "callpath deep": lambda obj, name: (HANDLE_CALLPATH, obj, ("__iter__", name), None, ()),
    "oldslicing attempt": lambda obj, name: (HANDLE_OLDSLICING, obj, name, name, 0, 1, ()),
    "oldslicing fallback": lambda obj, name: (HANDLE_OLDSLICING, obj, "no", name, 0, 1, ()),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("which", ["service", "thing", "plain", "numbers", "function", "method"])
def test_no_handler_reaches_a_name_that_is_closed(attempt: str, which: str) -> None:
    peer = Asker(allow_setattr=True, allow_delattr=True)
    if which == "service":
        obj = peer.service
    elif which in ("thing", "plain"):
        obj = peer.get(which)
    else:
        obj = peer.call(which)
    for name in (*SECRETS, *(name.encode() for name in SECRETS)):
        answer = peer.ask(*ATTEMPTS[attempt](obj, name))
        assert isinstance(answer, RemoteError), (name, answer)
        assert answer.name == "AttributeError", (name, answer)
        assert "secret" != answer.text


def test_a_generators_frame_is_closed_even_if_public_names_are_open() -> None:
    peer = Asker(allow_public_attrs=True)
    it = peer.call("numbers")
    for attempt in ATTEMPTS.values():
        answer = peer.ask(*attempt(it, "gi_frame"))
        assert isinstance(answer, RemoteError), answer


VALUES = ["{0.__class__}", b"%r", 3, 1.5, None, True, (1,), frozenset({1}), slice(1)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda value, thing: (HANDLE_GETATTR, value, "format"),
        lambda value, thing: (HANDLE_CALLATTR, value, "format", (thing,), ()),
        lambda value, thing: (HANDLE_CALLATTR, value, "__mod__", (thing,), ()),
        lambda value, thing: (HANDLE_CALLATTR, value, "__add__", (value,), ()),
        lambda value, thing: (HANDLE_CALLPATH, value, ("format",), (thing,), ()),
        lambda value, thing: (HANDLE_CALLPATH, value, (), (thing,), ()),
        lambda value, thing: (HANDLE_CALL, value, (thing,), ()),
        lambda value, thing: (HANDLE_SETATTR, value, "x", 1),
        lambda value, thing: (HANDLE_DELATTR, value, "x"),
        lambda value, thing: (HANDLE_CMP, value, thing, "__eq__"),
        lambda value, thing: (HANDLE_REPR, value),
        lambda value, thing: (HANDLE_STR, value),
        lambda value, thing: (HANDLE_HASH, value),
        lambda value, thing: (HANDLE_DIR, value),
        lambda value, thing: (HANDLE_PICKLE, value, 2),
        lambda value, thing: (HANDLE_DEL, value, 1),
        lambda value, thing: (HANDLE_BUFFITER, value, 3),
        lambda value, thing: (HANDLE_OLDSLICING, value, "__getitem__", "format", thing, 1, ()),
        lambda value, thing: (HANDLE_CTXEXIT, value, None),
        lambda value, thing: (HANDLE_INSTANCECHECK, value, thing.pack),
    ],
)
@pytest.mark.parametrize("switch", ["allow_safe_attrs", "allow_public_attrs", "allow_all_attrs"])
def test_no_handler_works_on_a_value_that_was_sent_along(ask: Any, switch: str) -> None:
    """Else ``"{0.__class__}".format(thing)`` reads what it likes of the thing."""
    peer = Asker(**{switch: True}, allow_pickle=True, allow_setattr=True, allow_delattr=True)
    thing = peer.get("thing")
    for value in VALUES:
        answer = peer.ask(*ask(value, thing))
        assert isinstance(answer, RemoteError), (value, answer)
        assert answer.name == "TypeError", (value, answer)


def test_a_peers_own_object_is_not_worked_on_here(peer: Asker) -> None:
    mine = Remote(("builtins.str", 1, 2))
    for handler in [number for number, kind in HANDLERS.items() if kind.forwarded]:
        answer = peer.ask(handler, mine, "x", "y", 1, 2, ())
        assert answer.name == "TypeError", handler
        assert "yours" in answer.text
    assert peer.ask(HANDLE_INSTANCECHECK, mine, mine.pack) is False
    assert peer.ask(HANDLE_DEL, mine).name == "TypeError"


@pytest.mark.parametrize("operator", [*SECRETS, "__len__", "__repr__", "__iter__", "value", 3])
def test_cmp_takes_only_comparisons(peer: Asker, operator: Any) -> None:
    answer = peer.ask(HANDLE_CMP, peer.get("thing"), "secret", operator)
    assert answer.name == "AttributeError"
    assert "no comparison" in answer.text


def test_a_context_exit_is_asked_of_the_policy() -> None:
    manager = Hosted.exposed_manager
    manager.left.clear()
    peer = Asker(safe_attrs={"__len__"})
    assert peer.ask(HANDLE_CTXEXIT, peer.get("manager"), None).name == "AttributeError"
    assert manager.left == []


def test_an_iteration_is_asked_of_the_policy() -> None:
    peer = Asker(safe_attrs={"__len__"})
    # a generator's table opens send, throw and close
    assert peer.ask(HANDLE_BUFFITER, peer.call("numbers"), 3).name == "AttributeError"
    peer = Asker()
    assert peer.ask(HANDLE_BUFFITER, peer.get("plain"), 3).name == "AttributeError"
    assert peer.ask(HANDLE_BUFFITER, peer.get("list"), 3).name == "AttributeError"


def test_a_type_that_decides_for_itself_is_asked_by_every_handler(peer: Asker) -> None:
    closed = peer.get("closed")
    for attempt in ATTEMPTS.values():
        answer = peer.ask(*attempt(closed, "value"))
        assert answer.name == "AttributeError", answer
    assert peer.ask(HANDLE_CTXEXIT, closed, None).name == "AttributeError"
    assert peer.ask(HANDLE_BUFFITER, closed, 3).name == "AttributeError"


def test_dir_and_inspect_show_nothing_that_is_closed(peer: Asker) -> None:
    for name in ("thing", "plain", "manager", "list", "Thing"):
        obj = peer.get(name)
        listed = set(peer.ask(HANDLE_DIR, obj)) | set(dict(peer.ask(HANDLE_INSPECT, obj.pack)))
        assert not listed & (set(SECRETS) - {"__call__"}), name


# --- no address -------------------------------------------------------------------

ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


@pytest.mark.parametrize("name", ["__repr__", "__str__", b"__repr__", b"__str__"])
@pytest.mark.parametrize("which", ["plain", "list of plain", "class"])
def test_the_methods_that_show_an_object_tell_no_address_either(
    peer: Asker, name: Any, which: str
) -> None:
    """A stock peer sends ``repr(x)`` as REPR, but may ask for ``x.__repr__``."""
    if which == "plain":
        obj, args = peer.get("plain"), ()
    elif which == "list of plain":
        a_list = peer.ask(HANDLE_CALLATTR, peer.get("list"), "copy", (), ())
        peer.ask(HANDLE_CALLATTR, a_list, "append", (peer.get("plain"),), ())
        obj, args = a_list, ()
    else:
        peer.connection.service.exposed_Plain = Plain
        obj, args = peer.get("Plain"), (peer.get("plain"),)
    text = peer.ask(HANDLE_CALLATTR, obj, name, args, ())
    assert isinstance(text, str)
    assert not ADDRESS.search(text)
    assert "Plain" in text
    method = peer.ask(HANDLE_GETATTR, obj, name)
    assert peer.ask(HANDLE_CALL, method, args, ()) == text
    assert peer.ask(HANDLE_CALLPATH, obj, (name,), args, ()) == text


def test_formatting_an_object_tells_no_address(peer: Asker) -> None:
    """A stock peer's ``f"{x}"`` is CALLATTR ``__format__``."""
    plain = peer.get("plain")
    expected = f"<{__name__}.Plain object #{plain.pack[2]}>"
    assert peer.ask(HANDLE_CALLATTR, plain, "__format__", ("",), ()) == expected
    assert peer.ask(HANDLE_CALLATTR, plain, "__format__", (">9",), ()).name == "TypeError"
    assert peer.ask(HANDLE_CALLATTR, peer.get("list"), "__format__", ("",), ()) == "[1, 2, 3]"


def test_hashing_an_object_by_its_method_is_hash(peer: Asker) -> None:
    plain = peer.get("plain")
    assert peer.ask(HANDLE_CALLATTR, plain, "__hash__", (), ()) == peer.ask(HANDLE_HASH, plain)
    assert peer.ask(HANDLE_CALLATTR, peer.get("thing"), "__hash__", (), ()) == 5
    assert peer.ask(HANDLE_CALLATTR, peer.get("list"), "__hash__", (), ()).name == "TypeError"


def test_an_id_of_one_connection_means_nothing_on_another(peer: Asker) -> None:
    plain = peer.get("plain")
    assert Asker().ask(HANDLE_REPR, plain).name == "KeyError"
    assert Asker().ask(HANDLE_INSPECT, plain.pack).name == "KeyError"


def test_ids_tell_no_address(peer: Asker) -> None:
    first = peer.get("Thing").pack[1]  # from anywhere, and counted from there
    for name in ("thing", "plain", "list", "Thing"):
        _name, kind, number = peer.get(name).pack
        assert 0 < kind < 2**31 + 1000
        assert abs(kind - first) < 1000
        assert 0 <= number < 1000


# --- results that are still to come -----------------------------------------------


def test_a_result_that_is_a_deferred_answers_when_it_fires(peer: Asker) -> None:
    waiting: Deferred[Any] = Deferred()
    peer.connection.service.exposed_wait = lambda: waiting
    number = peer.send_request(HANDLE_CALLATTR, peer.service, "wait", (), ())
    assert peer.received() == []
    waiting.callback("done")
    ((_kind, answered, args),) = peer.received()
    assert (answered, args) == (number, (1, "done"))


def test_an_object_that_is_given_back_while_it_runs_lives_until_it_is_done(peer: Asker) -> None:
    waiting: Deferred[Any] = Deferred()

    class Once:
        async def exposed_run(self) -> str:
            await waiting
            return "ran"

    peer.connection.service.exposed_once = lambda: Once()
    once = peer.call("once")
    number = peer.send_request(HANDLE_CALLATTR, once, "run", (), ())
    assert peer.ask(HANDLE_DEL, once, 1) is None
    gc.collect()
    waiting.callback(None)
    assert [answer[1:] for answer in peer.received()] == [(number, (1, "ran"))]


def test_a_call_and_a_release_have_so_many_parts_at_most() -> None:
    """Each is looked at, and a message may have a million."""

    class Named(Service):
        @exposed
        def get(self, **kwargs: Any) -> int:
            return len(kwargs)

    peer = RawPeer(Named())
    root = peer.root()
    named = tuple((f"a{i}", 1) for i in range(MOST_NAMED + 1))
    answer = peer.ask(HANDLE_CALLATTR, root, "get", (), named)
    assert answer.name == "ValueError"
    assert "named arguments" in answer.text
    assert peer.ask(HANDLE_CALLATTR, root, "get", (), named[1:]) == MOST_NAMED
    answer = peer.ask(HANDLE_RELEASE, ((root.pack, 1),) * (MOST_RELEASED + 1))
    assert answer.name == "ValueError"
    assert "RELEASE takes" in answer.text
