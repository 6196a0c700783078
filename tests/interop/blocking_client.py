"""
The checks of ``stock_client.py`` with txremote's blocking facet as the library.

Run as a process of its own, at a server of either kind::

    python -m tests.interop.blocking_client PORT txremote|rpyc [CA_FILE]

Over TLS where it is given a CA file, over a UNIX socket where the port is a path.

What a stock server does otherwise than txremote's (`OTHERWISE`), and what the
blocking facet does otherwise than a stock client, is checked by what stands below.
"""

from __future__ import annotations

import copy
import pickle
import sys
import threading

import txremote.blocking as rpyc
from tests.interop import stock_client
from tests.interop.peer_processes import Checks
from tests.interop.stock_client import raises

#: What can only be checked from within a stock client.
NOT_OURS = {"pickling is refused", "nothing of txremotes own was sent to us", "good bye"}

#: What a stock server cannot do, or does in its own way: it opens of a list the
#: operators only, gives ``__exit__`` a class, shows addresses, lists private names, and
#: runs one request at a time.
OTHERWISE = {
    "lists by reference",
    "dicts by reference",
    "with and an exception",
    "async with 100 in flight",
    "dir",
    "repr and str",
    "private names are refused",
}

own = Checks()
at_stock = Checks()


@own
def pickling_is_refused_here_already(conn):
    """To unpickle what a peer sends is to run what it likes."""
    for attempt in (pickle.dumps, copy.deepcopy):
        error = raises(TypeError, attempt, conn.root.Basket("tea"))
        assert "unpickl" in str(error)
    # of builtin containers there is a copy without pickling
    assert rpyc.classic.obtain(conn.root.numbers(3)) == [0, 1, 2]
    assert copy.copy(conn.root.numbers(3)) == [0, 1, 2]


@own
def async_wrappers_need_not_be_kept(conn):
    assert rpyc.async_(conn.root.add)(1, 2).value == 3
    assert getattr(rpyc, "async")(conn.root.add)(1, b=2).value == 3


@own
def callbacks_of_results(conn):
    """They have run when a wait is over, and for an error and an expiry too."""
    heard = []
    for call in [
        rpyc.async_(conn.root.add),
        rpyc.async_(conn.root.divide),
        rpyc.timed(conn.root.later, 0.02),
    ]:
        result = call(1.0, 0)
        result.add_callback(heard.append)
        try:
            result.wait()
        except rpyc.AsyncResultTimeout:
            pass
        assert heard[-1] is result
    assert ["(ready)" in repr(heard[0]), "(error)" in repr(heard[1])] == [True, True]
    assert "(expired)" in repr(heard[2]) and heard[2].expired
    assert conn.root.add(1, 1) == 2  # the late answer came first, and was dropped


@own
def every_thread_gets_its_own_answer(conn):
    """Eight threads on one connection."""
    wrong = []

    def work(base):
        for number in range(25):
            if conn.root.add(base, number) != base + number:
                wrong.append((base, number))

    threads = [threading.Thread(target=work, args=(base,)) for base in range(0, 8000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not wrong


@own
def what_a_connection_has(conn):
    assert not conn.closed
    assert conn.fileno() > 0
    assert conn.poll_all() in (True, False)
    assert conn.poll(0.001) is False
    assert conn.serve(0.001) is False
    assert conn._config["sync_request_timeout"] == 30
    assert "does not change" in str(raises(TypeError, conn._config.update, allow_pickle=True))
    assert conn.root.____conn__ is conn
    assert conn.root.____refcount__ >= 1


@own
def one_look_at_a_class(conn):
    """What a class can do is asked once, whatever number of its objects comes."""
    sent = []
    asking = type(conn.protocol.outbound)
    real = asking.request_with_default_timeout
    asking.request_with_default_timeout = lambda self, handler, args: (
        sent.append(handler) or real(self, handler, args)
    )
    try:
        baskets = conn.root.baskets(20)
        assert sum(len(basket) for basket in baskets) == 20
    finally:
        asking.request_with_default_timeout = real
    assert sent.count(stock_client.consts.HANDLE_INSPECT) <= 1


@own
def closing(conn):
    """What was received cannot be used any more, and says so."""
    add = conn.root.add
    conn.close()
    assert conn.closed
    raises(EOFError, conn.ping)
    raises(EOFError, add, 1, 2)
    raises(EOFError, conn.serve)
    conn.close()


@at_stock
def lists_and_dicts_by_their_operators(conn):
    things = conn.root.Basket(1, 2, 3).things()
    things[0] = "one"
    del things[1]
    things += (4,)
    assert list(things) == ["one", 3, 4]
    assert len(things) == 3 and 4 in things
    assert list(things[1:]) == [3, 4]
    prices = conn.root.prices()
    prices["jam"] = 5
    assert sorted(prices) == ["cake", "jam", "tea"] and prices["jam"] == 5
    assert "cannot access 'append'" in str(raises(AttributeError, lambda: things.append(5)))


@at_stock
def async_with_100_waiting(conn):
    """They are answered one after the other, each with its own answer."""
    later = rpyc.async_(conn.root.later)
    results = [later(0.001, number) for number in range(100)]
    assert [result.value for result in results] == list(range(100))


@at_stock
def dir_lists_what_is_exposed(conn):
    assert {"exposed_add", "exposed_pi"} <= set(dir(conn.root))


@at_stock
def nothing_of_txremotes_own_is_sent(conn):
    """Behind HELLO, which a stock server answers with a KeyError."""
    assert not conn.protocol.is_txremote
    raises(KeyError, conn.sync_request, 66, conn.root, ("add",), (1, 2), ())
    assert conn.root.add(1, 2) == 3


def checks(kind: str) -> Checks:
    """Return what is checked at a kind of server."""
    without = NOT_OURS | (OTHERWISE if kind == "rpyc" else set())
    kept = {name: run for name, run in stock_client.check.items() if name not in without}
    more = at_stock if kind == "rpyc" else {}
    return Checks({**kept, **more, **own})


def main() -> None:
    """Go through them."""
    port, kind, *authorities = sys.argv[1:]

    def connect():
        if authorities:
            return rpyc.ssl_connect("127.0.0.1", int(port), ca_certs=authorities[0])
        if port.isdigit():
            return rpyc.connect("127.0.0.1", int(port))
        return rpyc.unix_connect(port)

    rpyc.__version__ = "of txremote"  # type: ignore[attr-defined]
    stock_client.rpyc = rpyc
    stock_client.buffiter = rpyc.buffiter
    stock_client.AsyncResultTimeout = rpyc.AsyncResultTimeout
    stock_client.connect = connect
    stock_client.check = checks(kind)
    stock_client.main()


if __name__ == "__main__":
    main()
