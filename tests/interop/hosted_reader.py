"""
A client of ``hosted_library.py``, with either library.

Run as a process of its own, with whatever RPyC is on its path::

    python -m tests.interop.hosted_reader PORT txremote|rpyc txremote|rpyc

The second word says which library this is, the third whose server.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import sys
import threading
import time
import traceback
from typing import Any

from tests.interop.peer_processes import Checks

check = Checks()
at_txremote = Checks()
rpyc: Any = None

#: What this client says it is called; others use the server at the same time.
NAME = f"ann {os.getpid()}"


def raises(kind, function, *args):
    """Return the exception that a call raises; it must be of this kind."""
    try:
        value = function(*args)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} but {value!r}")


@check
def on_connect_may_ask_the_client(conn):
    wait_until_it_knows_us(conn)


def wait_until_it_knows_us(conn):
    deadline = time.monotonic() + 20
    while (reader := conn.root.reader()) is None:
        assert time.monotonic() < deadline
    assert reader == NAME.upper()


@check
def names(conn):
    assert conn.root.get_service_name() == "LIBRARY"
    assert tuple(conn.root.get_service_aliases()) == ("LIBRARY", "BOOKS")


@check
def decorators_and_prefixes(conn):
    """``@rpyc.exposed``, ``@rpyc.service``, ``exposed_``: for methods, classes and values."""
    assert conn.root.town() == conn.root.exposed_town() == "nowhere"
    assert conn.root.by_its_prefixed_name() == "nowhere"
    assert conn.root.opened == 1895
    shelf = conn.root.Shelf("Emma")
    assert shelf.add("Ulysses") == 2
    assert shelf.titles() == ("Emma", "Ulysses")
    assert conn.root.Catalogue.edition == 3
    assert conn.root.Catalogue.find("Emma").title == "Emma"
    book = conn.root.book()
    assert (book.lend("ann"), book.lend("bob")) == (1, 2)


@check
def what_is_not_exposed_is_not_there(conn):
    for target, name in [
        (conn.root, "private"),
        (conn.root, "_town"),
        (conn.root, "on_disconnect"),
        (conn.root.book(), "burn"),
        (conn.root.book(), "_readers"),
    ]:
        raises(AttributeError, getattr, target, name)
    raises(AttributeError, setattr, conn.root, "opened", 1)
    raises(AttributeError, delattr, conn.root, "opened")


@check
def restricted_views(conn):
    """``rpyc.restricted``: some names to read, fewer to set."""
    file = conn.root.restricted()
    assert file.read() == "its text"
    assert file.name == "a file"
    file.name = "another"
    assert file.name == "another"
    raises(AttributeError, getattr, file, "erase")
    raises(AttributeError, setattr, file, "read", 1)


@check
def objects_that_decide_themselves(conn):
    """``_rpyc_getattr`` and ``_rpyc_setattr``."""
    guarded = conn.root.guarded()
    assert guarded.open_to_all.startswith("open_to_all, asked ")
    raises(AttributeError, getattr, guarded, "asked")
    guarded.colour = "red"
    raises(AttributeError, setattr, guarded, "size", 3)


@check
def proxies_have_what_helpers_look_for(conn):
    """``____conn__``, ``____id_pack__`` and ``____refcount__``."""
    things = ["one"]
    same, name, size, count = conn.root.look(things)
    assert (same, name, size) == (True, "builtins.list", 3)
    assert count >= 1


@check
def proxies_behave_as_what_they_stand_for(conn):
    numbers = [1, 2, 3]
    assert conn.root.use(numbers) == (
        *(4, 10, (2, 3, 4), 19, True, 10),
        *(True, "[10, 2, 3, 4]", True, True),
        (2, 3),
    )
    assert numbers == [10, 2, 3, 4]


@check
def buffiter_within_the_service(conn):
    """``rpyc.buffiter`` over a list of the client's, and over nothing."""
    assert conn.root.buffered(list(range(500))) == 124750
    assert conn.root.buffered([]) == 0


@check
def with_within_the_service(conn):
    lock = threading.Lock()

    class Manager:
        def __enter__(self):
            lock.acquire()
            return self

        def __exit__(self, *error):
            lock.release()

    assert conn.root.exposed_with(Manager()) is True
    assert not lock.locked()


@check
def async_within_the_service(conn):
    """``rpyc.async_``: a result that is waited for, and many."""
    assert conn.root.by_async(lambda number: number + 1) == (True, False, False, 21, (21,))
    assert conn.root.by_async_many(lambda number: number * number, 30) == tuple(
        number * number for number in range(30)
    )


@check
def timed_within_the_service(conn):
    assert conn.root.timed(lambda number: "in time", 20) == "in time"
    gate = threading.Event()
    # no thread of this side answers before it is too late
    threading.Timer(1.0, gate.set).start()
    assert conn.root.timed(lambda number: gate.wait(20) and "?", 0.05) == "too late"


@check
def errors_of_the_client(conn):
    """What a callback raises, the service can catch."""
    assert conn.root.error_of(lambda number: number / 0) is True


@check
def the_connection_within_a_request(conn):
    """``conn.root``, ``ping``, ``poll_all``."""
    assert conn.root.own_requests() == (NAME, 3, False)


@check
def events_from_a_thread_of_the_service(conn):
    """``rpyc.async_(callback)`` kept in a thread; served by a BgServingThread here."""
    for waits in (False, True):
        heard = []
        complete = threading.Event()

        def listener(number, heard=heard, complete=complete):
            heard.append(number)
            if len(heard) == 20:
                complete.set()

        background = rpyc.BgServingThread(conn, sleep_interval=0.005)
        try:
            conn.root.subscribe(listener, 20, waits)
            assert complete.wait(20), heard
        finally:
            background.stop()
        assert sorted(heard) == list(range(20))
    assert conn.root.join() == 2


@check
def events_wait_until_they_are_asked_for(conn):
    """Without a thread for them they come with the next request, or poll."""
    heard = []
    conn.root.subscribe(heard.append, 3)
    deadline = time.monotonic() + 20
    while len(heard) < 3:
        assert time.monotonic() < deadline
        conn.poll_all()
        time.sleep(0.005)
    assert heard == [0, 1, 2]


@check
def requests_of_a_connection_come_one_after_the_other(conn):
    """Those that were sent at once too."""
    slow = rpyc.async_(conn.root.slow)
    results = [slow(0.02) for _ in range(5)]
    assert [result.value for result in results] == [True] * 5


@check
def the_configuration_can_be_read(conn):
    assert conn.root.config() == (
        *(False, 30, None),
        *("exposed_", True, True),
        "str",
        "127.0.0.1",
    )


@check
def on_disconnect_is_told_once(conn):
    """When a client has gone there is nobody to ask."""
    other = connect()
    wait_until_it_knows_us(other)
    other.close()
    deadline = time.monotonic() + 20
    while not (left := [who for who in conn.root.who_left() if who[0] == NAME.upper()]):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert left == [(NAME.upper(), True, "gone")]


@check
def proxies_are_of_rpyc_s_class(conn):
    """Services copy what is one."""
    assert conn.root.is_netref([]) is True
    assert conn.root.is_netref(5) is False


@at_txremote
def the_configuration_cannot_be_changed(conn):
    """RPyC's services may open a live connection. Here that is refused with a sentence."""
    for how in ("item", "update"):
        error = raises(TypeError, conn.root.change_config, how)
        assert "the configuration of a live connection does not change" in str(error)
    raises(AttributeError, getattr, conn.root, "private")
    assert conn.root.config()[0] is False


def connect():
    """Return a new connection, of a client that offers a service too."""

    class Client(rpyc.Service):
        def exposed_name(self):
            return NAME

        def exposed_add(self, a, b):
            return a + b

    return rpyc.connect("127.0.0.1", int(sys.argv[1]), service=Client)


def checks(server: str) -> Checks:
    """Return what is checked at a server of a kind."""
    return Checks({**check, **(at_txremote if server == "txremote" else {})})


def main():
    """Go through the checks."""
    global rpyc
    faulthandler.dump_traceback_later(45, exit=True)  # a hang shall say where
    _port, library, server = sys.argv[1:]
    rpyc = importlib.import_module("txremote.blocking" if library == "txremote" else "rpyc")
    conn = connect()
    for name, function in checks(server).items():
        try:
            function(conn)
        except BaseException:
            print(f"FAILED: {name}")
            traceback.print_exc(file=sys.stdout)
            if conn.closed:
                conn = connect()
        else:
            print(f"ok: {name}")
    conn.close()
    print("done", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
