"""
`Service` and `exposed`: what a program writes to open a name to its peers.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest
import rpyc
from zope.interface import Attribute, Interface, implementer
from zope.interface.verify import verifyClass, verifyObject

from txremote import (
    Service,
    VoidService,
    dir_remote,
    expose,
    exposed,
    get_remote,
    len_remote,
    restricted,
    set_remote,
    threaded,
)
from txremote.interfaces import IRemoteService
from txremote.service import check_service, instantiate, is_service
from txremote.testing import connected_pair


def root_of(service: Any, **config: Any) -> Any:
    """Return a function that reads a name of a hosted service, or calls it."""
    pair = connected_pair(server_root=service, server_config=config)

    def read(name: str, *args: Any) -> Any:
        if args:
            return pair.result(pair.client.root.callRemote(name, *args))
        return pair.result(get_remote(pair.client.root, name))

    return read


# --- exposed ----------------------------------------------------------------------


def test_exposed_opens_methods_of_every_kind() -> None:
    class Kinds(Service):
        @exposed
        def plain(self, x: int) -> int:
            return x

        @exposed
        @staticmethod
        def static(x: int) -> int:
            return x + 1

        @staticmethod
        @exposed
        def static_too(x: int) -> int:
            return x + 1

        @exposed
        @classmethod
        def of_class(cls, x: int) -> str:
            return f"{cls.__name__}{x}"

        @classmethod
        @exposed
        def of_class_too(cls, x: int) -> str:
            return f"{cls.__name__}{x}"

        @exposed
        async def coroutine(self, x: int) -> int:
            return x * 2

        @exposed
        @functools.lru_cache(maxsize=2)  # noqa: B019
        def cached(self, x: int) -> int:
            return x * 3

    read = root_of(Kinds)
    assert read("plain", 1) == 1
    assert read("static", 1) == 2
    assert read("static_too", 1) == 2
    assert read("of_class", 1) == "Kinds1"
    assert read("of_class_too", 1) == "Kinds1"
    assert read("coroutine", 1) == 2
    assert read("cached", 1) == 3


def test_a_decorator_above_or_below_keeps_the_mark() -> None:
    def doubled(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return 2 * function(*args)

        return wrapper

    class Decorated(Service):
        @doubled
        @exposed
        def above(self) -> int:
            return 1

        @exposed
        @doubled
        def below(self) -> int:
            return 1

    pair = connected_pair(server_root=Decorated)
    assert pair.result(pair.client.root.above()) == 2
    assert pair.result(pair.client.root.below()) == 2


def test_exposed_opens_properties_also_those_with_a_setter() -> None:
    class Knobs(Service):
        def __init__(self) -> None:
            self._volume = 1

        @exposed
        @property
        def volume(self) -> int:
            return self._volume

        @volume.setter
        def volume(self, value: int) -> None:
            self._volume = value

        @property
        @exposed
        def loudness(self) -> int:
            return self._volume * 10

        @exposed
        @functools.cached_property
        def cached(self) -> int:
            return 5

        @property
        def hidden(self) -> int:
            return 1

    read = root_of(Knobs)
    assert read("volume") == 1
    assert read("loudness") == 10
    assert read("cached") == 5
    with pytest.raises(AttributeError):
        read("hidden")


def test_a_setter_works_on_an_object_where_setting_is_allowed() -> None:
    class Knob:
        def __init__(self) -> None:
            self.now = 1

        @exposed
        @property
        def volume(self) -> int:
            return self.now

        @volume.setter
        def volume(self, value: int) -> None:
            self.now = value

    class Radio(Service):
        def __init__(self) -> None:
            self.exposed_knob = Knob()

    pair = connected_pair(server_root=Radio, server_config={"allow_setattr": True})
    pair.result(set_remote(pair.client.root.knob, "volume", 7))
    assert pair.server.service.exposed_knob.now == 7


def test_a_getter_that_is_no_accessor_is_not_opened_with_its_property() -> None:
    class Knobs(Service):
        def read_volume(self) -> int:
            return 3

        volume = exposed(property(read_volume))

    read = root_of(Knobs)
    assert read("volume") == 3
    with pytest.raises(AttributeError):
        read("read_volume")


def test_the_prefix_opens_methods_and_values() -> None:
    class Prefixed(Service):
        exposed_pi = 3.14

        def exposed_add(self, a: int, b: int) -> int:
            return a + b

    read = root_of(Prefixed)
    for name in ("pi", "exposed_pi"):
        assert read(name) == 3.14
    for name in ("add", "exposed_add"):
        assert read(name, 1, 2) == 3


def test_a_marked_method_is_reached_under_both_names() -> None:
    class Marked(Service):
        @exposed
        def add(self, a: int, b: int) -> int:
            return a + b

    read = root_of(Marked)
    for name in ("add", "exposed_add"):
        assert read(name, 1, 2) == 3


def test_exposed_takes_a_prefix_as_rpycs_does() -> None:
    class Other(Service):
        @exposed("open_")
        def add(self, a: int, b: int) -> int:
            return a + b

    assert root_of(Other, exposed_prefix="open_")("add", 1, 2) == 3


def test_another_prefix_can_be_configured() -> None:
    class Other(Service):
        open_pi = 3.14
        exposed_e = 2.72

    read = root_of(Other, exposed_prefix="open_")
    assert read("pi") == 3.14
    with pytest.raises(AttributeError):
        read("e")


def test_nested_classes_and_functions_can_be_exposed() -> None:
    class Nested(Service):
        @exposed
        class Point:
            def __init__(self, x: int) -> None:
                self.exposed_x = x

            @exposed
            def double(self) -> int:
                return 2 * self.exposed_x

        class exposed_Line:
            exposed_length = 9

        class Hidden:
            pass

    pair = connected_pair(server_root=Nested)
    point = pair.result(pair.client.root.Point(4))
    assert pair.result(point.double()) == 8
    line = pair.result(pair.client.root.Line())
    assert pair.result(get_remote(line, "length")) == 9
    with pytest.raises(AttributeError):
        pair.result(pair.client.root.Hidden())


def test_the_subclass_of_an_exposed_class_is_not_exposed_by_it() -> None:
    @exposed
    class Open:
        pass

    class Inner(Open):
        pass

    class Nested(Service):
        shown = Open
        not_shown = Inner
        instance = Open()

    read = root_of(Nested)
    assert read("shown")
    for name in ("not_shown", "instance"):
        with pytest.raises(AttributeError):
            read(name)


def test_an_overriding_method_is_not_exposed_by_the_one_it_overrides() -> None:
    class Base(Service):
        @exposed
        def look(self) -> str:
            return "base"

        @exposed
        def keep(self) -> str:
            return "kept"

    class Derived(Base):
        def look(self) -> str:
            return "derived"

    pair = connected_pair(server_root=Derived)
    assert pair.result(pair.client.root.keep()) == "kept"
    with pytest.raises(AttributeError):
        pair.result(pair.client.root.look())


@pytest.mark.parametrize("value", [3.14, [1], None])
def test_a_plain_value_is_exposed_by_its_name_and_the_error_says_so(value: Any) -> None:
    with pytest.raises(TypeError, match=r"exposed_\.\.\. = value"):
        exposed(value)


def test_exposed_leaves_a_function_as_it_is() -> None:
    def function() -> int:
        return 1

    assert exposed(function) is function


# --- Service ----------------------------------------------------------------------


def test_its_name_is_the_classs_without_service_in_capitals() -> None:
    class CalculatorService(Service):
        pass

    class Shop(Service):
        pass

    class Aliased(Service):
        ALIASES = ("calc", "sums")

    assert CalculatorService.get_service_name() == "CALCULATOR"
    assert Shop.get_service_name() == "SHOP"
    assert Aliased.get_service_name() == "CALC"
    assert Aliased.get_service_aliases() == ("CALC", "SUMS")


def test_a_peer_may_ask_for_the_name() -> None:
    class Shop(Service):
        ALIASES = ("shop", "store")

    pair = connected_pair(server_root=Shop)
    assert pair.result(pair.client.root.get_service_name()) == "SHOP"
    assert pair.result(pair.client.root.get_service_aliases()) == ("SHOP", "STORE")


@pytest.mark.parametrize("name", ["on_connect", "on_disconnect", "ALIASES", "__class__"])
def test_nothing_else_of_a_service_is_open(name: str) -> None:
    with pytest.raises(AttributeError):
        root_of(VoidService)(name)


def test_a_peer_cannot_change_a_service() -> None:
    class Shop(Service):
        exposed_open = True

    pair = connected_pair(
        server_root=Shop,
        server_config={"allow_setattr": True, "allow_delattr": True, "allow_all_attrs": True},
    )
    with pytest.raises(AttributeError, match="its own"):
        pair.result(set_remote(pair.client.root, "open", False))


def test_it_provides_the_interface() -> None:
    assert verifyClass(IRemoteService, Service)
    assert verifyObject(IRemoteService, VoidService())


# --- what can be hosted -----------------------------------------------------------


class Shaped:
    """Has RPyC's service shape and no base of ours."""

    def on_connect(self, conn: Any) -> None:
        pass

    def on_disconnect(self, conn: Any) -> None:
        pass

    def exposed_add(self, a: int, b: int) -> int:
        return a + b


def test_anything_of_rpycs_service_shape_can_be_hosted() -> None:
    assert is_service(Shaped)
    assert check_service(Shaped) is Shaped
    shaped = Shaped()
    assert check_service(shaped) is shaped
    pair = connected_pair(server_root=Shaped)
    assert pair.result(pair.client.root.add(1, 2)) == 3


@pytest.mark.parametrize("candidate", [dict, 3, None, object(), lambda conn: None])
def test_anything_else_is_refused_by_name(candidate: Any) -> None:
    assert not is_service(candidate)
    with pytest.raises(TypeError, match=r"is no service: derive it from txremote\.Service"):
        check_service(candidate)


@pytest.mark.parametrize("hook", ["_connect", "_protocol"])
def test_a_service_that_makes_rpyc_s_connection_itself_is_refused(hook: str) -> None:
    """The hook would never be called; RPyC's own classes have it and are served."""
    kind = type("Lab", (rpyc.Service,), {hook: lambda *_args: None})
    for service in (kind, kind()):
        with pytest.raises(TypeError, match=f"Lab overrides {hook}.*on_connect"):
            check_service(service)
    assert check_service(rpyc.Service) is rpyc.Service


def test_a_class_has_an_instance_for_each_connection_and_an_instance_is_shared() -> None:
    class Counter(Service):
        def __init__(self) -> None:
            self.count = 0

        @exposed
        def bump(self) -> int:
            self.count += 1
            return self.count

    shared = Counter()
    assert instantiate(shared) is shared
    assert type(instantiate(Counter)) is Counter
    for root, last in ((Counter, 1), (shared, 2)):
        first, second = connected_pair(server_root=root), connected_pair(server_root=root)
        assert first.result(first.client.root.bump()) == 1
        assert second.result(second.client.root.bump()) == last


def test_a_void_service_offers_nothing() -> None:
    pair = connected_pair()
    with pytest.raises(AttributeError):
        pair.result(pair.client.root.anything())
    with pytest.raises(AttributeError):
        pair.result(len_remote(pair.client.root))


# --- an interface -----------------------------------------------------------------


class ICalculator(Interface):
    pi = Attribute("A number.")

    def add(a: Any, b: Any = 0) -> Any:
        """Add two numbers."""

    def crunch(n: Any) -> Any:
        """Take a while."""


expose(ICalculator)


@implementer(ICalculator)
class Calculator(Service):
    pi = 3.14

    def add(self, a: Any, b: Any = 0) -> Any:
        return a + b

    @threaded
    def crunch(self, n: Any) -> Any:
        return n * n

    @exposed
    def shutdown(self) -> None:
        raise AssertionError("run")


def test_a_service_is_exposed_by_an_interface() -> None:
    """By its names, and by no others."""
    pair = connected_pair(server_root=Calculator)
    root = pair.client.root
    assert pair.result(root.add(2, b=3)) == 5
    assert pair.result(root.add(2)) == 2
    assert pair.result(get_remote(root, "pi")) == 3.14
    assert pair.result(dir_remote(root)) == ("add", "crunch", "pi")
    assert pair.result(ICalculator(root).add(1, 1)) == 2
    with pytest.raises(AttributeError, match="Calculator is exposed by ICalculator"):
        pair.result(root.shutdown())
    with pytest.raises(AttributeError):
        pair.result(root.get_service_name())


def test_a_wrong_call_of_an_interface_is_refused_with_its_signature() -> None:
    """However it comes: by name, through a path, as a method that was read before."""
    pair = connected_pair(server_root=Calculator)
    root = pair.client.root
    sentence = r"ICalculator\.add\(a, b=0\): "
    method = pair.result(get_remote(root, "add"))
    assert pair.result(method(2, 3)) == 5
    for call in (
        lambda: root.add(),
        lambda: root.add(1, 2, 3),
        lambda: root.add(1, c=2),
        lambda: root.callRemote("add"),
        lambda: method(1, 2, 3),
    ):
        with pytest.raises(TypeError, match=sentence):
            pair.result(call())
    with pytest.raises(TypeError, match=r"ICalculator\.crunch\(n\): "):
        pair.result(root.crunch())


def test_a_threaded_method_of_an_interface_runs_in_a_thread() -> None:
    """Where the connection's executor has any: this one says so."""
    pair = connected_pair(server_root=Calculator)
    seen = []
    executor: Any = pair.server.executor
    executor.in_thread = lambda _connection, call: seen.append(call) or call()
    assert pair.result(pair.client.root.crunch(4)) == 16
    assert len(seen) == 1


def test_expose_stands_above_a_class_too() -> None:
    """There it says that the class implements the interface, with or without implementer."""

    class IBell(Interface):
        def ring() -> str: ...

    @expose(IBell)
    @implementer(IBell)
    class Bell(Service):
        def ring(self) -> str:
            return "ding"

    @expose(IBell)
    class Gong(Service):
        def ring(self) -> str:
            return "dong"

    for kind, sound in ((Bell, "ding"), (Gong, "dong")):
        assert IBell.implementedBy(kind)
        pair = connected_pair(server_root=kind)
        assert pair.result(pair.client.root.ring()) == sound


def test_what_is_no_interface_is_not_opened() -> None:
    """And what looks like the same is told apart in the error."""
    for other in (Calculator, Calculator(), len, None):
        with pytest.raises(TypeError, match="no zope"):
            expose(other)
    with pytest.raises(TypeError, match=r"expose\(ICalculator\)"):
        exposed(ICalculator)


# --- a part of an object ----------------------------------------------------------


class Account:
    def __init__(self) -> None:
        self.owner = "ann"
        self.balance = 5

    def deposit(self, amount: int) -> int:
        self.balance += amount
        return self.balance


class Bank(Service):
    def __init__(self) -> None:
        self._account = Account()

    @exposed
    def account(self) -> Any:
        return restricted(self._account, {"deposit", "balance"}, {"balance"})


def test_a_restricted_view_shows_the_names_that_it_was_given() -> None:
    """In a reactor as in a script; setting needs no other switch."""
    pair = connected_pair(server_root=Bank)
    account = pair.result(pair.client.root.account())
    assert pair.result(account.deposit(2)) == 7
    pair.result(set_remote(account, "balance", 100))
    assert pair.result(get_remote(account, "balance")) == 100
    with pytest.raises(AttributeError, match="this view does not show it"):
        pair.result(get_remote(account, "owner"))
    with pytest.raises(AttributeError, match="this view does not allow it"):
        pair.result(set_remote(account, "deposit", 1))
