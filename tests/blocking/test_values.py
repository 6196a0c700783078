"""
Values in threads that may block: scripts, lanes, `threaded` methods.

References in them are netrefs there, arguments that came by reference are fetched while the
thread waits, and netrefs know what their methods take.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

import txremote
import txremote.blocking as rpyc
from tests.blocking.script_threads import Tap, client, linked, run_script, scripted, serving
from txremote import Service, exposed, threaded
from txremote.errors import WrongValue
from txremote.refs.netref import is_base_netref
from txremote.wire.consts import HANDLE_CALLATTR, HANDLE_FETCH
from txremote.wire.record import Record


@dataclass
class Item:
    name: str
    price: Decimal


TEA = Item("tea", Decimal(2))
MILK = Item("milk", Decimal(1))
MILK_RECORD = Record("Item", name="milk", price=Decimal(1))


def kinds(value: Any) -> Any:
    """Return the shape of a received value: what is a netref, and what is not."""
    if is_base_netref(value):
        return "netref"
    if type(value) is dict:
        return {key: kinds(item) for key, item in value.items()}
    return [kinds(item) for item in value] if type(value) is list else type(value).__name__


class Account(Service, values=True):
    """An object below the root, whose class a netref asks about."""

    @exposed
    def add(self, items: list[Item]) -> int:
        return len(items)


class Shop(Service, values=True):
    threaded_service = True

    @exposed
    def cheapest(self, items: list[Item]) -> Item:
        return min(items, key=lambda item: item.price)

    @exposed
    def shape(self, value: Any) -> Any:
        return txremote.value(kinds(value))

    @exposed
    def declared_shape(self, value: dict[str, Any]) -> Any:
        return txremote.value(kinds(value))

    @exposed
    def called(self, about: dict[str, Any]) -> list[int]:
        return [about["call"](number) for number in (1, 2)]

    @exposed
    @threaded
    def in_thread(self, about: dict[str, Any]) -> list[int]:
        return [about["call"](number) for number in (1, 2)]

    @exposed
    def watch(self, item: Item, on_change: Callable[[Item], list[int]]) -> Any:
        given = on_change(item)
        assert type(given) is list, type(given)
        return sum(given)

    @exposed
    def stock(self, count: int) -> Iterator[Item]:
        for number in range(count):
            yield Item(str(number), Decimal(number))

    @exposed
    def account(self) -> Any:
        return Account()

    @exposed
    def numbers(self) -> Any:
        return [1, [2]]

    @exposed
    async def later(self, item: Item) -> Item:
        return item

    @exposed
    def echo(self, about: dict[str, Any]) -> dict[str, Any]:
        return about


class ReactorShop(Shop, values=True):
    """The same in a reactor's thread, but for what waits."""

    threaded_service = False


def use(conn: Any) -> None:
    """Call all of a shop that any of its hosts can do."""
    root = conn.root
    assert root.cheapest([TEA, MILK]) == MILK_RECORD
    assert root.later(MILK) == MILK_RECORD
    assert [item.name for item in root.stock(15)] == [str(number) for number in range(15)]
    assert rpyc.async_(root.cheapest)([TEA, MILK]).value == MILK_RECORD
    with pytest.raises(WrongValue, match=r"^items\[0\]\.price: expected Decimal, got str 'x'"):
        root.cheapest([Item("tea", "x")])  # type: ignore[arg-type]
    assert root.shape(rpyc.value([1, {"a": 2}])) == ["int", {"a": "int"}]

    def callback(number: int) -> int:
        return number * 2

    assert root.in_thread({"call": callback}) == [2, 4]
    about = root.echo({"call": callback, "list": [1]})
    assert about == {"call": callback, "list": [1]}
    assert rpyc.fetch(root.numbers()) == [1, [2]]
    assert rpyc.classic.obtain(root.numbers()) == [1, [2]]


def use_blocking(conn: Any) -> None:
    """Call what waits in its method."""
    root = conn.root
    assert root.called({"call": lambda number: number * 2}) == [2, 4]
    shape = root.declared_shape({"call": len, "list": [len]})
    assert shape == {"call": "netref", "list": ["netref"]}
    assert root.shape(rpyc.value([len, 1])) == ["netref", "int"]
    seen: list[Any] = []

    def on_change(item: Any) -> Any:
        seen.append(item)
        return [1, 2]  # by reference, for nothing is annotated here

    assert root.watch(MILK, on_change) == 3
    assert seen == [MILK_RECORD]


@scripted
def test_between_two_scripts() -> None:
    """Whose threads serve while they wait."""
    with linked(Shop) as conn:
        use(conn)
        use_blocking(conn)


@scripted
def test_a_script_and_a_server_with_lanes() -> None:
    """Its methods may block."""
    with serving(Shop) as server, client(server) as conn:
        use(conn)
        use_blocking(conn)


@pytest_twisted.ensureDeferred
async def test_a_script_and_a_reactor() -> None:
    """Whose methods may not."""
    port = await txremote.listen("tcp:0:interface=127.0.0.1", ReactorShop)

    def script() -> None:
        with rpyc.connect("127.0.0.1", port.getHost().port) as conn:
            use(conn)

    await run_script(script)
    await port.stopListening()


@scripted
def test_what_is_annotated_leaves_as_a_value_at_once() -> None:
    """Of the root, of an object below it, and by `async_`; what is not, as ever."""
    with linked(Shop) as conn:
        root = conn.root
        account = root.account()
        root.cheapest([TEA])
        tap = Tap(conn)
        root.cheapest([TEA])
        assert account.add([TEA, MILK]) == 2
        rpyc.async_(account.add)([TEA]).wait()
        assert tap.taken() == [HANDLE_CALLATTR] * 3


class Shelf(Service, values=True):
    exposed_numbers: list[int] = [1, 2]
    exposed_wrong: list[int] = 3  # type: ignore[assignment]

    @exposed
    @property
    def prop(self) -> dict[str, list[int]]:
        return {"a": [1]}

    @exposed
    @property
    def untold(self):  # type: ignore[no-untyped-def]
        return [1]


@scripted
def test_attributes_that_are_annotated_are_values() -> None:
    """A wrong one is an error, and one without an annotation a netref."""
    with linked(Shelf) as conn:
        root = conn.root
        for _ in range(2):
            assert type(root.prop) is dict and root.prop == {"a": [1]}
            assert type(root.numbers) is list and root.numbers == [1, 2]
        assert isinstance(root.untold, rpyc.BaseNetref)
        with pytest.raises(RuntimeError, match="a mistake of the service"):
            _ = root.wrong


@scripted
def test_a_script_s_references_are_fetched_while_it_waits() -> None:
    """By a peer that was told nothing."""
    with linked(Shop) as conn:
        root = conn.root
        root.____ref__._replace_call_prefixes({})
        assert root.cheapest([TEA, MILK]) == MILK_RECORD
        assert root.cheapest((TEA, MILK)) == MILK_RECORD


@scripted
def test_a_netref_s_method_inside_a_value_has_to_be_read_first() -> None:
    """The thread that boxes it must not wait."""
    with linked(Shop) as conn:
        method = conn.root.echo
        with pytest.raises(txremote.NotSendable, match="has not been read yet"):
            conn.root.shape(rpyc.value([method]))
        assert "echo" in repr(method)  # now it is
        assert conn.root.shape(rpyc.value([method])) == ["method"]
        assert conn.root.shape(rpyc.value([conn.root])) == ["Shop"]


@scripted
def test_fetch_takes_one_request() -> None:
    """Whatever is in the container."""
    with linked(Shop) as conn:
        numbers = conn.root.numbers()
        tap = Tap(conn)
        assert rpyc.fetch(numbers) == [1, [2]]
        assert tap.taken() == [HANDLE_FETCH]
        with pytest.raises(TypeError, match="no value"):
            rpyc.fetch(conn.root)


@scripted
def test_many_threads_convert_at_the_same_time() -> None:
    """Each call has its own arguments."""
    with serving(Shop) as server, client(server) as conn:
        found: list[Any] = []

        def work(number: int) -> None:
            mine = [Item(str(number), Decimal(number)), Item("x", Decimal(1000))]
            found.extend([(number, conn.root.cheapest(mine).name) for _ in range(10)])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 40 and all(str(number) == name for number, name in found)


class Far(Service):
    """Behind another server."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @exposed
    def echo(self, given: Any) -> Any:
        self.seen.append(given)
        return txremote.value({"seen": given})

    exposed_itself = property(lambda self: self)


@scripted
def test_values_go_on_as_values_through_a_server_with_lanes() -> None:
    """To the peer of another connection of its, and back; also to the end of a path."""
    far = Far()
    with linked(far) as behind:

        class Middle(rpyc.Service):
            exposed_far = behind.root

            def exposed_passed(self) -> Any:
                return behind.root

        with serving(Middle) as server, client(server) as conn:
            passed = conn.root.passed()
            assert passed.echo(rpyc.value([1, {2}])) == {"seen": [1, {2}]}
            assert conn.root.far.echo(rpyc.value([3])) == {"seen": [3]}
    assert far.seen == [[1, {2}], [3]]


@pytest_twisted.ensureDeferred
async def test_a_path_of_a_reactor_s_goes_on_through_a_server_with_lanes() -> None:
    """In one request of the caller's."""
    far = Far()

    def serve(ready: Any) -> Any:
        with linked(far) as behind:

            class Middle(rpyc.Service):
                exposed_far = behind.root

            with serving(Middle) as server:
                return ready(server.port)

    from twisted.internet import reactor
    from twisted.internet.threads import blockingCallFromThread, deferToThread

    async def use(port: int) -> Any:
        conn = await txremote.connect(f"tcp:127.0.0.1:{port}")
        found = await conn.root.far.itself.echo(txremote.value([4]))
        await conn.close()
        return found

    def call(port: int) -> Any:
        return blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(use(port)))

    found = await deferToThread(serve, call)
    assert found == {"seen": [4]} and far.seen == [[4]]
