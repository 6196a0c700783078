"""
What a script holds: calls, AsyncResults, the face RPyC's programs know.
"""

from __future__ import annotations

import select
import threading
import time
from typing import Any

import pytest
import pytest_twisted
from twisted.python import threadable

import txremote.blocking as rpyc
from tests.blocking.script_threads import (
    DEADLINE,
    Script,
    Tap,
    by_hand,
    client,
    linked,
    run_script,
    scripted,
    serving,
    wait_until,
)
from tests.peer.pairs import logged
from txremote import WouldBlockReactor
from txremote.wire.consts import (
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_CANCEL,
    HANDLE_DEADLINE,
    HANDLE_DESCRIBE,
    HANDLE_GETATTR,
    HANDLE_PING,
    HANDLE_RELEASE,
)


class Thing:
    """Something that travels by reference."""

    def __init__(self, number: int) -> None:
        self.exposed_number = number

    def exposed_double(self) -> int:
        return self.exposed_number * 2


class Shop(rpyc.Service):
    """A bit of everything."""

    exposed_name = "shop"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.items = [1, 2]

    def exposed_add(self, a: Any, b: Any = 1) -> Any:
        return a + b

    def exposed_things(self, count: int) -> tuple[Any, ...]:
        return tuple(Thing(number) for number in range(count))

    def exposed_list(self) -> list[int]:
        return self.items

    def exposed_wait(self) -> str:
        self.go.wait(DEADLINE)
        return "waited"

    def exposed_fail(self) -> None:
        raise KeyError("gone")

    def exposed_adder(self) -> Any:
        return lambda a: a + 1


# --- what is sent -----------------------------------------------------------------


@scripted
def test_reading_a_methods_name_sends_nothing_and_calling_it_one_request() -> None:
    with linked(Shop) as conn:
        root = conn.root
        tap = Tap(conn)
        method = root.add
        assert callable(method)
        assert tap.taken() == []
        assert method(1, b=2) == 3
        assert root.add(2) == 3
        assert tap.taken() == [HANDLE_CALLATTR] * 2


@scripted
def test_the_root_is_fetched_once() -> None:
    with linked(Shop) as conn:
        tap = Tap(conn)
        assert conn.root is conn.root
        assert tap.taken() == [HANDLE_DESCRIBE]


@scripted
def test_a_thousand_objects_of_a_class_are_asked_about_once() -> None:
    """RPyC asks for each one of them."""
    with linked(Shop) as conn:
        _ = conn.root
        tap = Tap(conn)
        things = conn.root.things(1000)
        assert tap.taken() == [HANDLE_CALLATTR, HANDLE_DESCRIBE]
        assert [thing.double() for thing in things[:3]] == [0, 2, 4]
        assert tap.taken() == [HANDLE_CALLATTR] * 3
        assert things[7].number == 7
        assert tap.taken() == [HANDLE_GETATTR]
        more = conn.root.things(5)
        assert tap.taken() == [HANDLE_CALLATTR]
        assert len(more) == 5


@scripted
def test_builtin_types_are_never_asked_about() -> None:
    with linked(Shop) as conn:
        _ = conn.root
        tap = Tap(conn)
        items = conn.root.list()
        assert items[0] == 1
        assert HANDLE_DESCRIBE not in tap.taken()


# --- AsyncResult ------------------------------------------------------------------


@scripted
def test_an_async_call_is_pending_then_ready() -> None:
    service = Shop()
    with linked(service) as conn:
        result = rpyc.async_(conn.root.wait)()
        assert (result.ready, result.error, result.expired) == (False, False, False)
        assert "(pending)" in repr(result)
        service.go.set()
        result.wait()
        assert (result.ready, result.error, result.expired) == (True, False, False)
        assert "(ready)" in repr(result)
        assert result.value == "waited"


@scripted
def test_asking_whether_it_is_ready_is_enough_to_get_it() -> None:
    with linked(Shop) as conn:
        result = rpyc.async_(conn.root.add)(1, b=5)
        wait_until(lambda: result.ready)
        assert result.value == 6


@scripted
def test_an_async_call_that_fails_says_so() -> None:
    with linked(Shop) as conn:
        result = rpyc.async_(conn.root.fail)()
        result.wait()
        assert (result.ready, result.error) == (True, True)
        assert "(error)" in repr(result)
        with pytest.raises(KeyError, match="gone"):
            _ = result.value


@scripted
def test_a_timed_call_expires_and_fires() -> None:
    service = Shop()
    with linked(service) as conn:
        seen: list[Any] = []
        result = rpyc.timed(conn.root.wait, 0.05)()
        result.add_callback(seen.append)
        with pytest.raises(rpyc.AsyncResultTimeout):
            result.wait()
        assert seen == [result]
        assert (result.ready, result.error, result.expired) == (False, False, True)
        assert "(expired)" in repr(result)
        with pytest.raises(rpyc.AsyncResultTimeout):
            _ = result.value
        service.go.set()
        assert conn.root.add(1) == 2
        assert result.expired
        assert seen == [result]


@scripted
@pytest.mark.parametrize(
    "look",
    [
        lambda conn, result: result.expired,
        lambda conn, result: not result.ready,
        lambda conn, result: conn.poll_all() or True,
        lambda conn, result: not conn.ping(),
    ],
)
def test_an_expiry_is_noticed_at_the_next_look_poll_or_wait(look: Any) -> None:
    service = Shop()
    with serving(service) as server, client(server) as conn:
        seen: list[Any] = []
        result = rpyc.timed(conn.root.wait, 0.02)()
        result.add_callback(seen.append)
        time.sleep(0.03)
        assert seen == []
        assert look(conn, result)
        assert seen == [result]
        assert "(expired)" in repr(result)
        service.go.set()


@scripted
def test_callbacks_run_where_the_script_waits_in_the_order_of_the_answers() -> None:
    where: list[Any] = []
    with linked(Shop) as conn:
        results = [rpyc.async_(conn.root.add)(number) for number in range(5)]
        for result in results:
            result.add_callback(lambda r: where.append((r.value, threading.get_ident())))
        assert conn.root.add(0) == 1
        me = threading.get_ident()
        assert where == [(number + 1, me) for number in range(5)]
        results[0].add_callback(lambda r: where.append("at once"))
        assert where[-1] == "at once"


@scripted
def test_a_callback_may_call_the_peer() -> None:
    seen: list[int] = []
    with linked(Shop) as conn:
        result = rpyc.async_(conn.root.add)(1)
        result.add_callback(lambda r: seen.append(conn.root.add(r.value, 10)))
        result.wait()
        assert seen == [12]


@scripted
def test_a_callback_that_fails_costs_nobody_the_answer() -> None:
    with linked(Shop) as conn:
        result = rpyc.async_(conn.root.add)(1)
        result.add_callback(lambda r: 1 / 0)
        assert result.value == 2
        assert conn.root.add(2) == 3


@scripted
def test_async_takes_a_netref_a_method_and_a_callable_of_ones_own() -> None:
    with linked(Shop) as conn:
        adder = conn.root.adder()
        tap = Tap(conn)
        assert rpyc.async_(adder)(1).value == 2
        assert tap.taken() == [HANDLE_CALL]
        assert rpyc.async_(conn.root.add)(1, b=2).value == 3
        assert tap.taken() == [HANDLE_CALLATTR]
        assert rpyc.async_(lambda a: a * 2)(4).value == 8
        assert getattr(rpyc, "async")(adder)(2).value == 3
        assert rpyc.timed(adder, DEADLINE)(3).value == 4
        tap.taken()
        with pytest.raises(TypeError, match="takes a callable"):
            rpyc.async_(5)  # type: ignore[arg-type]


@scripted
def test_async_results_may_be_references() -> None:
    with linked(Shop) as conn:
        result = rpyc.async_(conn.root.list)()
        items = result.value
        assert items[1] == 2
        assert result.value is items


@scripted
def test_many_async_calls_are_on_their_way_at_once() -> None:
    with linked(Shop) as conn:
        results = [rpyc.async_(conn.root.add)(number) for number in range(500)]
        assert [result.value for result in results] == list(range(1, 501))


@scripted
def test_a_result_that_another_thread_waits_for_may_be_given_an_expiry() -> None:
    """The waiting thread serves on; looking at the result ends its wait, too."""
    service = Shop()
    with linked(service) as conn:
        result = rpyc.async_(conn.root.wait)()
        waiting = Script(result.wait)
        wait_until(conn._pump.io.reading.locked)
        service.go.set()
        waiting.result()
        assert result.value == "waited"


@scripted
def test_a_lost_connection_ends_every_result() -> None:
    """They are errors, looking at them raises nothing, and their callbacks run."""
    seen: list[Any] = []
    with by_hand(Shop) as (conn, remote):
        results = [rpyc.async_(conn.root.wait)() for _ in range(3)]
        for result in results:
            result.add_callback(seen.append)
        remote._pump.io.channel.shutdown()
        wait_until(lambda: results[0].ready)
        assert [result.error for result in results] == [True] * 3
        assert seen == results
        with pytest.raises(EOFError):
            _ = results[1].value
        with pytest.raises(EOFError):
            conn.root.add(1)
        late = rpyc.async_(conn.root.add)(1)
        assert late.error


@scripted
def test_a_call_that_is_given_up_is_cancelled_at_the_peer() -> None:
    service = Shop()
    with linked(service, config={"sync_request_timeout": 0.05}) as conn:
        wait = conn.root.wait
        tap = Tap(conn)
        with pytest.raises(rpyc.AsyncResultTimeout):
            wait()
        assert tap.taken() == [HANDLE_CALLATTR, HANDLE_CANCEL]
        service.go.set()


# --- the connection ---------------------------------------------------------------


@scripted
def test_ping_is_answered() -> None:
    with linked(Shop) as conn:
        tap = Tap(conn)
        conn.ping()
        conn.ping("data", timeout=DEADLINE)
        assert tap.taken() == [HANDLE_PING] * 2


@scripted
def test_ping_gives_up_in_time() -> None:
    with by_hand(Shop) as (conn, _remote):
        with pytest.raises(rpyc.AsyncResultTimeout):
            conn.ping(timeout=0.05)


@scripted
def test_the_descriptor_tells_when_there_is_something_to_serve() -> None:
    with by_hand(Shop) as (conn, remote):
        assert select.select([conn], [], [], 0)[0] == []
        remote.async_request(HANDLE_PING, b"?")
        assert select.select([conn], [], [], DEADLINE)[0] == [conn]
        conn.poll_all()


@scripted
def test_a_txremote_peer_is_told_how_long_a_timed_call_may_take() -> None:
    """It can end what runs for it; async_ alone has all the time there is."""
    with linked(Shop) as conn:
        root, adder = conn.root, conn.root.adder()
        tap = Tap(conn)
        assert rpyc.timed(root.add, 20)(1).value == 2
        assert rpyc.timed(adder, 20)(1).value == 2
        assert rpyc.async_(root.add)(1).value == 2
        assert tap.taken() == [
            *(HANDLE_DEADLINE, HANDLE_CALLATTR),
            *(HANDLE_DEADLINE, HANDLE_CALL),
            HANDLE_CALLATTR,
        ]


@scripted
def test_requests_by_their_number_as_rpycs_helpers_send_them() -> None:
    with linked(Shop) as conn:
        assert conn.sync_request(HANDLE_GETATTR, conn.root, "name") == "shop"
        result = conn.async_request(HANDLE_CALLATTR, conn.root, "add", (1,), (("b", 4),))
        assert result.value == 5
        slow = conn.async_request(HANDLE_CALLATTR, conn.root, "wait", (), (), timeout=0.01)
        with pytest.raises(rpyc.AsyncResultTimeout):
            slow.wait()


@scripted
def test_its_configuration_can_be_read_and_but_for_one_switch_not_changed() -> None:
    with linked(Shop, config={"sync_request_timeout": 7}) as conn:
        config = conn._config
        assert config["sync_request_timeout"] == 7
        assert config["allow_public_attrs"] is False
        assert config["connid"]
        assert set(config) >= {"credentials", "endpoints", "allow_pickle"}
        assert len(config) == len(list(config))
        for change in (
            lambda: config.update(allow_all_attrs=True),
            lambda: config.__setitem__("allow_all_attrs", True),
            lambda: config.pop("allow_pickle"),
        ):
            with pytest.raises(TypeError, match="the configuration of a live connection"):
                change()


@scripted
def test_how_long_calls_wait_may_be_set_on_a_live_connection() -> None:
    shop = Shop()
    with linked(shop) as conn:
        conn._config["sync_request_timeout"] = 0.01
        assert conn._config["sync_request_timeout"] == 0.01
        with pytest.raises(rpyc.AsyncResultTimeout):
            conn.root.wait()
        shop.go.set()
        conn._config.update(sync_request_timeout=None)
        assert conn.root.add(1, 2) == 3


@scripted
def test_it_is_a_context_manager_and_says_what_it_is() -> None:
    with rpyc.connect_thread(remote_service=Shop) as conn:
        assert not conn.closed
        assert "(open)" in repr(conn)
    assert conn.closed
    assert "(closed)" in repr(conn)


@scripted
def test_serve_all_serves_until_the_end() -> None:
    with by_hand(Shop, Shop) as (conn, remote):
        there = rpyc.BgServingThread(remote)
        serving_all = Script(conn.serve_all)
        assert remote.root.add(1) == 2
        assert serving_all.runs
        there.stop()
        remote.close()
        serving_all.result()
        assert conn.closed


@scripted
def test_references_are_given_back_with_the_next_request() -> None:
    with linked(Shop) as conn:
        root = conn.root
        tap = Tap(conn)
        things = root.things(3)
        tap.taken()
        del things
        assert root.add(1) == 2
        assert tap.taken() == [HANDLE_RELEASE, HANDLE_CALLATTR]


@scripted
def test_references_are_given_back_by_a_poll() -> None:
    with linked(Shop) as conn:
        things = conn.root.things(3)
        tap = Tap(conn)
        del things
        conn.poll()
        assert tap.taken() == [HANDLE_RELEASE]


# --- the reactor's thread -----------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_blocking_calls_in_the_reactors_thread_are_refused_at_once() -> None:
    """The sentence says what to do instead."""
    conn = await run_script(rpyc.connect_thread, rpyc.VoidService, None, Shop)
    root, result = await run_script(lambda: (conn.root, rpyc.async_(conn.root.add)(1)))
    assert threadable.isInIOThread()
    for blocks in (
        lambda: root.add(1),
        lambda: root.name,
        lambda: repr(root),
        lambda: conn.ping(),
        lambda: conn.poll(),
        lambda: conn.serve(1),
    ):
        with pytest.raises(WouldBlockReactor, match="would stop the reactor"):
            blocks()
    with pytest.raises(WouldBlockReactor):
        result.wait()
    assert await run_script(lambda: result.value) == 2
    await run_script(conn.close)


@pytest_twisted.ensureDeferred
async def test_connecting_from_the_reactors_thread_is_refused_at_once() -> None:
    with pytest.raises(WouldBlockReactor):
        rpyc.connect_thread(remote_service=Shop)


@pytest_twisted.ensureDeferred
async def test_a_script_in_a_thread_may_use_a_server_of_the_reactor() -> None:
    """txremote.listen serves it; blocking calls are made in a thread."""
    from tests.net.servers import served
    from txremote import Service, exposed

    class Plain(Service):
        @exposed
        async def call(self, function: Any) -> Any:
            return await function(20)

    async with served(Plain) as port:

        def script() -> Any:
            with rpyc.connect("127.0.0.1", port.getHost().port) as conn:
                return conn.root.call(lambda number: number + 1)

        assert await run_script(script) == 21


# --- before_closed ----------------------------------------------------------------


class Guestbook(rpyc.Service):
    """Notes who says what."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def exposed_say(self, word: str) -> int:
        self.said.append(word)
        return len(self.said)


@scripted
def test_before_closed_gets_a_netref_whose_calls_are_waited_for() -> None:
    book = Guestbook()
    seen: list[Any] = []

    def before_closed(root: Any) -> None:
        seen.append((isinstance(root, rpyc.BaseNetref), root.say("bye"), threading.get_ident()))
        conn.close()  # it is being closed already

    with linked(book, config={"before_closed": before_closed}) as conn:
        conn.close()
        assert conn.closed
    assert book.said == ["bye"]
    assert seen == [(True, 1, threading.get_ident())]


@scripted
def test_before_closed_may_not_keep_a_script_open() -> None:
    def before_closed(_root: Any) -> None:
        raise RuntimeError("not yet")

    with logged() as log, linked(config={"before_closed": before_closed}) as conn:
        conn.close()
        assert conn.closed
    assert "not yet" in log.text()


@scripted
def test_before_closed_of_a_lost_connection_is_not_called() -> None:
    seen: list[Any] = []
    with linked(config={"before_closed": seen.append}) as conn:
        conn._pump.io.channel.shutdown()
        with pytest.raises(EOFError):
            conn.ping()
        conn.close()
    assert seen == []
