"""Calls of methods whose annotations declare values, from end to end."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from tests.peer.pairs import logged
from txremote import Service, async_, exposed, threaded
from txremote.errors import RemoteProtocolError, WrongValue
from txremote.peer.turns import Turns
from txremote.refs.reference import RemoteReference
from txremote.refs.sharing import follow
from txremote.testing import Pair, connected_pair
from txremote.wire.record import Record
from txremote.wire.values import AsValue


@dataclass
class Item:
    name: str
    price: Decimal
    tags: list[str] = field(default_factory=list)


TEA = Item("tea", Decimal("2.50"), ["hot"])
MILK = Item("milk", Decimal("1.20"))
MILK_RECORD = Record("Item", name="milk", price=Decimal("1.20"), tags=[])


class Shop(Service, values=True):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @exposed
    def cheapest(self, items: list[Item], at: datetime.datetime | None = None) -> Item:
        self.seen.append((items, at))
        return min(items, key=lambda item: item.price)

    @exposed
    def doubled(self, numbers: list[int]) -> list[int]:
        self.seen.append(numbers)
        return numbers * 2

    @exposed
    async def later(self, item: Item) -> Item:
        await succeed(None)
        return item

    @exposed
    def deferred(self, item: Item) -> Deferred[Item]:
        return succeed(item)

    @exposed
    @threaded
    def in_thread(self, items: list[Item]) -> Item:
        self.seen.append(items)
        return items[0]

    @exposed
    def named(self, *, items: list[Item], **counts: dict[str, int]) -> dict[str, int]:
        self.seen.append(counts)
        return {item.name: 1 for item in items}

    @exposed
    def all_of(self, *items: Item) -> int:
        self.seen.append(items)
        return len(items)

    @exposed
    def unannotated(self, items: Any) -> Any:
        self.seen.append(items)
        return [1]

    @exposed
    def mixed(self, about: dict[str, Any]) -> dict[str, Any]:
        self.seen.append(about)
        return about

    @exposed
    def wrong_now(self) -> Item:
        return "tea"  # type: ignore[return-value]

    @exposed
    async def wrong_later(self) -> Item:
        return "tea"  # type: ignore[return-value]

    @exposed
    def wrong_items(self) -> Iterator[Item]:
        yield MILK
        yield "tea"  # type: ignore[misc]

    @exposed
    def stock(self, count: int) -> Generator[Item, None, None]:
        for number in range(count):
            yield Item(str(number), Decimal(number))

    @exposed
    async def stock_later(self, count: int) -> AsyncIterator[Item]:
        for number in range(count):
            yield Item(str(number), Decimal(number))

    @exposed
    def watch(self, item: Item, on_change: Callable[[Item], str]) -> Any:
        self.seen.append(on_change)
        return on_change(item)

    @exposed
    def watch_wrongly(self, on_change: Callable[[Item], str]) -> Any:
        return on_change("tea")  # type: ignore[arg-type]


class Hosted:
    """A pair with a shop."""

    def __init__(self, config: Any = None, **options: Any) -> None:
        self.shop = Shop()
        self.pair: Pair = connected_pair(server_root=self.shop, config=config, **options)
        self.root = self.pair.client.root

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.pair.result(self.root.callRemote(name, *args, **kwargs))


@pytest.fixture
def hosted() -> Hosted:
    return Hosted()


@pytest.fixture
def undescribed() -> Hosted:
    """As a peer has it that was told nothing of the annotations: it sends references."""
    hosted = Hosted()
    hosted.root._replace_call_prefixes({})
    return hosted


def test_annotated_arguments_and_results_are_values(hosted: Hosted) -> None:
    """With their classes at the annotated side, and as records at the other."""
    at = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    assert hosted.call("cheapest", [TEA, MILK], at=at) == MILK_RECORD
    assert hosted.shop.seen == [([TEA, MILK], at)]
    assert hosted.shop.seen[0][0][0] is not TEA


def test_references_at_annotated_places_are_fetched_first(undescribed: Hosted) -> None:
    """From a peer that does not know the annotations; in each way of calling."""
    assert undescribed.call("cheapest", [TEA, MILK]) == MILK_RECORD
    assert undescribed.call("named", items=[TEA], teas={"a": 1}) == {"tea": 1}
    assert undescribed.call("all_of", TEA, MILK) == 2
    assert undescribed.call("later", MILK) == MILK_RECORD
    assert undescribed.shop.seen == [([TEA, MILK], None), {"teas": {"a": 1}}, (TEA, MILK)]


def test_items_of_a_tuple_are_fetched_too(undescribed: Hosted) -> None:
    """RPyC sends a tuple with references in it."""
    assert undescribed.call("cheapest", (TEA, MILK)) == MILK_RECORD


@pytest.mark.parametrize("name", ["later", "deferred"])
def test_a_result_that_takes_its_time_is_a_value(hosted: Hosted, name: str) -> None:
    """Of a coroutine and of a Deferred."""
    assert hosted.call(name, MILK) == MILK_RECORD


def test_a_threaded_method_is_converted_in_its_thread(hosted: Hosted) -> None:
    """Here there is none, and all is done at once."""
    assert hosted.call("in_thread", [MILK]) == MILK_RECORD
    assert hosted.shop.seen == [[MILK]]


def test_named_arguments_and_all_others_are_converted(hosted: Hosted) -> None:
    """Keyword-only ones, ``*items`` and ``**counts``."""
    assert hosted.call("named", items=[TEA], a={"x": 1}, b={"y": 2}) == {"tea": 1}
    assert hosted.call("all_of", TEA, MILK) == 2
    assert hosted.shop.seen == [{"a": {"x": 1}, "b": {"y": 2}}, (TEA, MILK)]


def test_a_wrong_argument_fails_its_call_before_the_method_runs(hosted: Hosted) -> None:
    """The error names the path."""
    with pytest.raises(WrongValue, match=r"^items\[1\]\.price: expected Decimal, got str 'x'"):
        hosted.call("cheapest", [TEA, Item("milk", "x")])  # type: ignore[arg-type]
    with pytest.raises(WrongValue, match=r"^b\['y'\]: expected int"):
        hosted.call("named", items=[TEA], b={"y": "2"})
    assert hosted.shop.seen == []


def test_what_is_not_annotated_goes_by_reference_as_ever(hosted: Hosted) -> None:
    """Arguments and results."""
    assert type(hosted.call("unannotated", [1])) is RemoteReference
    assert type(hosted.shop.seen[0]) is RemoteReference


def test_a_value_by_hand_arrives_as_one(hosted: Hosted) -> None:
    """Whatever is annotated."""
    hosted.call("unannotated", AsValue([MILK, (1, {2})]))
    assert hosted.shop.seen == [[MILK_RECORD, (1, {2})]]


def test_what_is_no_value_goes_by_reference_within_one(hosted: Hosted) -> None:
    """And comes back as what it is."""

    def callback() -> None:
        """Do nothing."""

    about = hosted.call("mixed", {"call": callback, "numbers": [1, 2]})
    assert about == {"call": callback, "numbers": [1, 2]}
    seen = hosted.shop.seen[0]
    assert type(seen["call"]) is RemoteReference and seen["numbers"] == [1, 2]


@pytest.mark.parametrize("name", ["wrong_now", "wrong_later"])
def test_a_wrong_result_is_the_service_s_mistake(hosted: Hosted, name: str) -> None:
    """The log has it with its traceback; the caller gets a sentence."""
    with logged() as log, pytest.raises(RuntimeError) as raised:
        hosted.call(name)
    told = str(raised.value).splitlines()[0]
    assert told.endswith("a mistake of the service: result: expected Item, got str 'tea'")
    assert f"Shop.{name}" in told
    assert log.getvalue().count("Traceback") == 1


def test_the_items_of_generators_are_values(hosted: Hosted) -> None:
    """Of both kinds."""

    async def read(name: str) -> list[Any]:
        return [item.name async for item in await hosted.root.callRemote(name, 25)]

    for name in ("stock", "stock_later"):
        found = hosted.pair.result(Deferred.fromCoroutine(read(name)))
        assert found == [str(number) for number in range(25)]


def test_a_wrong_item_is_the_service_s_mistake(hosted: Hosted) -> None:
    """It comes where it stands, behind those before it."""

    async def read() -> list[Any]:
        found = []
        with pytest.raises(RuntimeError, match="an item: expected Item"):
            async for item in await hosted.root.wrong_items():
                found.append(item)  # those before it are wanted
        return found

    with logged() as log:
        assert hosted.pair.result(Deferred.fromCoroutine(read())) == [MILK_RECORD]
    assert log.getvalue().count("Traceback") == 1


def test_a_callback_s_arguments_leave_as_they_are_annotated(hosted: Hosted) -> None:
    """In its own call and in every later one."""
    seen = []

    def on_change(item: Any) -> str:
        seen.append(item)
        return "seen"

    assert hosted.call("watch", MILK, on_change) == "seen"
    assert hosted.pair.result(hosted.shop.seen[0](TEA)) == "seen"
    assert seen[0] == MILK_RECORD and type(seen[1]) is Record


def test_a_callback_is_not_called_with_what_is_not_annotated(hosted: Hosted) -> None:
    """The service is told, before anything is sent."""
    with pytest.raises(WrongValue, match="expected Item, got str 'tea'"):
        hosted.call("watch_wrongly", lambda item: "seen")


def test_a_stock_peer_s_results_are_as_ever() -> None:
    """What it sends is copied from it: `tests.interop.test_values` has the real ones."""
    hosted = Hosted()
    hosted.pair.server.features = frozenset()
    hosted.root._replace_call_prefixes({})
    found = hosted.call("doubled", [1, 2])
    assert type(found) is RemoteReference
    assert hosted.shop.seen == [[1, 2]]
    assert type(hosted.call("stock", 2)) is RemoteReference


def test_a_call_that_is_cancelled_fetches_no_more(undescribed: Hosted) -> None:
    """Its references are given back, and the method never runs."""
    pair = undescribed.pair
    call = undescribed.root.cheapest([TEA])
    failed: list[Any] = []
    call.addErrback(failed.append)
    pair._carry(pair.client, pair.server, None)  # type: ignore[attr-defined]
    call.cancel()
    pair.pump()
    assert undescribed.shop.seen == [] and len(failed) == 1
    pair.advance(1)
    assert len(pair.server._tables.imports) == 0
    assert len(pair.client._tables.exports) == 0
    assert len(pair.server.inbound) == 0


def test_a_peer_that_never_answers_costs_the_call(undescribed: Hosted) -> None:
    """After sync_request_timeout."""
    pair = undescribed.pair
    call = undescribed.root.cheapest([TEA])
    failed: list[Any] = []
    call.addErrback(failed.append)
    pair._carry(pair.client, pair.server, None)  # type: ignore[attr-defined]
    transport: Any = pair.server.transport
    transport.written.clear()  # FETCH is lost
    pair.advance(29)
    assert failed == []
    pair.advance(2)
    assert "no answer within 30 s" in str(failed[0].value)
    assert undescribed.shop.seen == []


def test_a_result_to_come_is_used_as_ever(hosted: Hosted) -> None:
    """By `async_`, too."""
    result = async_(hosted.root.cheapest)([TEA, MILK])
    hosted.pair.pump()
    assert result.value == MILK_RECORD


def test_values_in_a_path_of_names_arrive(hosted: Hosted) -> None:
    """CALLPATH, which a peer's own objects are reached by."""

    class Deep(Service, values=True):
        exposed_shop = hosted.shop

    pair = connected_pair(server_root=Deep)
    assert pair.result(pair.client.root.shop.cheapest([TEA, MILK])) == MILK_RECORD
    pair.result(pair.client.root.shop.unannotated(AsValue([1])))
    assert hosted.shop.seen[1] == [1]


def test_the_switch_does_it_for_every_service() -> None:
    """Of a listener, say."""

    class Plain(Service):
        @exposed
        def total(self, numbers: list[int]) -> int:
            return sum(numbers)

    pair = connected_pair(server_root=Plain, server_config={"values": True}, clock=Clock())
    assert pair.result(pair.client.root.total([1, 2])) == 3
    with pytest.raises(WrongValue, match=r"numbers\[1\]: expected int"):
        pair.result(pair.client.root.total([1, "2"]))


class Many(Service, values=True):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @exposed
    def total(self, numbers: list[int]) -> int:
        self.seen.append(len(numbers))
        return sum(numbers)


class Stepper:
    """A reactor that takes one turn at a time."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def callLater(self, _seconds: float, function: Any, *args: Any) -> None:
        self.calls.append((function, args))

    def step(self, pair: Pair) -> bool:
        """Take a turn, and carry across what that brings about."""
        pair.pump()
        if not self.calls:
            return False
        function, args = self.calls.pop(0)
        function(*args)
        pair.pump()
        return True


def stepped(pair: Pair) -> Stepper:
    """Have the server of a pair do its long work by steps."""
    stepper = Stepper()
    transport: Any = pair.server.transport
    transport.pauseProducing = transport.resumeProducing = lambda: None
    pair.server.executor.turns = Turns(stepper)  # type: ignore[arg-type]
    return stepper


def test_long_arguments_are_converted_in_turns() -> None:
    """The peer's later calls begin after this one, as it has made them."""
    service = Many()
    pair = connected_pair(server_root=service)
    stepper = stepped(pair)
    numbers = [*range(20_000)]
    long = pair.client.root.total(numbers)
    while not len(pair.server.inbound):
        assert stepper.step(pair)  # it is decoded
    short = pair.client.root.total([1, 2])
    stepper.step(pair)
    assert service.seen == []
    while stepper.step(pair):
        pass
    assert pair.result(long) == sum(numbers)
    assert pair.result(short) == 3
    assert service.seen == [20_000, 2]


@pytest.mark.parametrize("end", ["answered", "wrong", "cancelled"])
def test_a_call_whose_arguments_are_fetched_is_not_overtaken(end: str) -> None:
    """However its preparation ends; a peer may well count on the order of its calls."""
    service = Many()
    pair = connected_pair(server_root=service)
    pair.client.root._replace_call_prefixes({})  # as of an object that is not described
    first = pair.client.root.total([1, "x" if end == "wrong" else 2, 3])
    first.addErrback(lambda _failure: None)
    second = pair.client.root.total((1, 2))
    if end == "cancelled":
        first.cancel()
    assert pair.result(second) == 3
    assert service.seen == ([3, 2] if end == "answered" else [2])


def test_a_stock_peer_is_served_while_its_objects_are_copied() -> None:
    """What it runs for that may call here, and wait for the answer."""
    service = Many()
    pair = connected_pair(server_root=service)
    pair.server.features = frozenset()
    pair.client.root._replace_call_prefixes({})
    first = pair.client.root.total([1, 2, 3])
    assert pair.result(pair.client.root.total((1, 2))) == 3
    assert pair.result(first) == 6
    assert service.seen == [2, 3]


def test_long_arguments_that_were_fetched_are_converted_in_turns() -> None:
    """From a peer that sent a reference."""
    pair = connected_pair(server_root=Many)
    pair.client.root._replace_call_prefixes({})
    stepper = stepped(pair)
    long = pair.client.root.total([*range(20_000)])
    steps = 0
    while stepper.step(pair):
        steps += 1
    assert pair.result(long) == sum(range(20_000)) and steps > 4


def test_short_arguments_that_were_fetched_take_no_turn() -> None:
    """Else the calls of all connections would be made one by one, each in a turn of its own."""
    pair = connected_pair(server_root=Many)
    pair.client.root._replace_call_prefixes({})
    stepper = stepped(pair)
    call = pair.client.root.total([1, 2, 3])
    pair.pump()
    assert not stepper.calls
    assert pair.result(call) == 6


def test_a_wrong_item_far_back_is_found_in_turns() -> None:
    """As anywhere."""
    pair = connected_pair(server_root=Many)
    stepper = stepped(pair)
    call = pair.client.root.total([*range(20_000), "x"])
    failed: list[Any] = []
    call.addErrback(failed.append)
    while stepper.step(pair):
        pass
    assert str(failed[0].value).startswith("numbers[20000]: expected int, got str 'x'")


def test_a_long_conversion_ends_with_its_call() -> None:
    """When it is cancelled."""
    service = Many()
    pair = connected_pair(server_root=service)
    stepper = stepped(pair)
    call = pair.client.root.total([*range(20_000)])
    call.addErrback(lambda _failure: None)
    while not len(pair.server.inbound):
        assert stepper.step(pair)
    call.cancel()
    while stepper.step(pair):
        pass
    assert service.seen == [] and len(pair.server.inbound) == 0


class Two(Service, values=True):
    def __init__(self) -> None:
        self.go: Deferred[None] = Deferred()

    @exposed
    async def total(self, first: list[int], second: list[int]) -> int:
        await follow(self.go)
        return sum(first) + sum(second)


def test_what_is_fetched_for_one_call_is_no_longer_than_a_message() -> None:
    """However many references it has."""
    pair = connected_pair(server_root=Two, server_config={"max_inflated": 3000})
    pair.client.root._replace_call_prefixes({})
    numbers = [*range(1000, 1300)]
    with pytest.raises(RemoteProtocolError, match="max_inflated"):
        pair.result(pair.client.root.total(numbers, numbers))
    assert len(pair.server.inbound) == 0 and pair.server.inbound.ledger.size == 0


def test_what_is_fetched_counts_as_long_as_its_call_runs() -> None:
    """As the arguments of a call do that came in its message."""
    service = Two()
    pair = connected_pair(server_root=service, server_config={"max_unanswered": 2000})
    pair.client.root._replace_call_prefixes({})
    numbers = [*range(1000, 1200)]
    first = pair.client.root.total(numbers, [1])
    pair.pump()
    ledger = pair.server.inbound.ledger
    assert 1200 < ledger.size < 2000
    with pytest.raises(RemoteProtocolError, match="max_unanswered"):
        pair.result(pair.client.root.total(numbers, [1]))
    service.go.callback(None)
    assert pair.result(first) == sum(numbers) + 1
    assert ledger.size == 0


class Shelf(Service, values=True):
    exposed_items: list[Item]
    exposed_count: int = 7
    exposed_other = (1,)
    exposed_wrong: list[int]

    def __init__(self) -> None:
        self.exposed_items = [MILK]
        self.exposed_wrong = [1, "2"]  # type: ignore[list-item]
        self.exposed_loose = [1]
        self.labels = {"a": 1}

    @exposed
    @property
    def prop(self) -> dict[str, int]:
        return self.labels

    @exposed
    @property
    def later(self) -> Deferred[list[int]]:
        return succeed([1])

    @exposed
    @property
    def untold(self):  # type: ignore[no-untyped-def]
        return self.labels

    @exposed
    @property
    def wrong_prop(self) -> list[int]:
        return 3  # type: ignore[return-value]


class Reader:
    """A pair with a shelf, whose attributes are read."""

    def __init__(self, root: Any = Shelf, **options: Any) -> None:
        self.pair: Pair = connected_pair(server_root=root, **options)
        self.root = self.pair.client.root

    def read(self, name: str) -> Any:
        return self.pair.result(getattr(self.root, name)._read())


def test_properties_and_attributes_that_are_annotated_are_values() -> None:
    """And those without an annotation are as ever."""
    reader = Reader()
    for _ in range(2):
        assert reader.read("prop") == {"a": 1}
        assert reader.read("items") == [MILK_RECORD]
    assert reader.read("later") == [1]
    assert reader.read("count") == 7 and reader.read("other") == (1,)
    assert type(reader.read("untold")) is RemoteReference
    assert type(reader.read("loose")) is RemoteReference


def test_an_attribute_s_value_in_a_path_is_itself() -> None:
    """What is called on the way is called on what the object has."""
    shelf = Shelf()
    reader = Reader(shelf)
    assert reader.pair.result(reader.root.prop.get("a")) == 1
    assert reader.pair.result(reader.root.items.append(TEA)) is None
    assert len(shelf.exposed_items) == 2 and type(shelf.exposed_items[1]) is RemoteReference
    with pytest.raises(TypeError, match="'dict' object is not callable"):
        reader.pair.result(reader.root.callRemote("prop"))
    with pytest.raises(TypeError, match="not callable"):
        reader.pair.result(reader.root.prop())


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("wrong", "Shelf.exposed_wrong .* service: result.1.: expected int, got str '2'"),
        ("wrong_prop", "Shelf.wrong_prop .* service: result: expected list.int., got int 3"),
    ],
)
def test_a_wrong_attribute_is_the_service_s_mistake(name: str, problem: str) -> None:
    reader = Reader()
    with logged() as log, pytest.raises(RuntimeError, match=problem):
        reader.read(name)
    assert log.getvalue().count("Traceback") == 1


def test_a_stock_peer_s_attributes_are_as_ever() -> None:
    reader = Reader()
    reader.pair.server.features = frozenset()
    assert type(reader.read("prop")) is RemoteReference
    assert type(reader.read("items")) is RemoteReference
    assert reader.read("count") == 7


def test_the_switch_reads_the_annotations_of_attributes_too() -> None:
    class Plain(Service):
        exposed_numbers: list[int] = [1]

    assert type(Reader(Plain).read("numbers")) is RemoteReference
    assert Reader(Plain, server_config={"values": True}).read("numbers") == [1]
