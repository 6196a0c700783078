"""
What is done with a classic server, with either library.

Run as a process of its own, with whatever RPyC is on its path::

    python -m tests.interop.blocking_classic PORT txremote|rpyc FOLDER

The checks are those of a program written for RPyC; ``rpyc`` is what the second word
says. What differs, for a reason, stands below them.
"""

from __future__ import annotations

import faulthandler
import fcntl
import importlib
import io
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from tests.interop.peer_processes import Checks

check = Checks()
ours = Checks()
rpyc: Any = None


def raises(kind, function, *args):
    """Return the exception that a call raises; it must be of this kind."""
    try:
        value = function(*args)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} but {value!r}")


@check
def modules(conn, folder):
    """The server's modules, by either spelling."""
    assert conn.modules.os.getpid() != os.getpid()
    assert conn.modules["os.path"].join("a", "b") == os.path.join("a", "b")
    assert conn.modules.os is conn.modules["os"]
    assert "zipfile" in conn.modules
    raises(AttributeError, getattr, conn.modules, "no_such_module")
    raises(ImportError, lambda: conn.modules["no_such_module"])


@check
def builtins(conn, folder):
    assert conn.builtins.len("four") == 4
    assert conn.builtin.sum(conn.builtins.range(5)) == 10
    assert repr(conn.builtins.int) == "<class 'int'>"
    assert conn.builtins.isinstance(conn.builtins.list(), conn.builtins.list)


@check
def eval_execute_and_namespace(conn, folder):
    assert conn.execute("x = 5") is None
    assert conn.eval("x + 2") == 7
    assert conn.namespace["x"] == 5
    conn.namespace["y"] = 10
    conn.execute("def twice(number):\n    return number * 2")
    assert conn.eval("twice(x + y)") == 30
    assert conn.namespace["twice"](4) == 8
    raises(SyntaxError, conn.eval, "1 +")


@check
def each_connection_has_its_own_namespace(conn, folder):
    conn.execute("mine = 1")
    other = connect()
    raises(NameError, other.eval, "mine")
    other.close()


@check
def attributes_are_read_set_and_deleted(conn, folder):
    conn.execute("class Thing: pass")
    thing = conn.eval("Thing()")
    thing.size = 3
    thing._secret = "known"
    assert thing.size == 3 and thing._secret == "known"
    assert conn.eval("Thing").__name__ == "Thing"
    del thing.size
    raises(AttributeError, lambda: thing.size)
    assert "_secret" in dir(thing)
    assert isinstance(thing, conn.namespace["Thing"])


@check
def remote_objects_behave(conn, folder):
    """Operators, iteration, with, comparison."""
    numbers = conn.eval("list(range(5))")
    numbers.append(5)
    numbers[0] = 10
    assert [number + 1 for number in numbers] == [11, 2, 3, 4, 5, 6]
    assert sorted(conn.builtins.dict(a=1, b=2)) == ["a", "b"]
    with conn.builtins.open(str(folder / "with.txt"), "w") as file:
        file.write("text")
    assert (folder / "with.txt").read_text() == "text"
    text = conn.modules.io.StringIO("one\ntwo\n")
    assert list(text) == ["one\n", "two\n"]
    assert list(rpyc.buffiter(conn.eval("(n * n for n in range(500))"))) == [
        number * number for number in range(500)
    ]
    assert conn.modules.decimal.Decimal("1.5") + 1 == conn.modules.decimal.Decimal("2.5")


@check
def our_functions_are_called_by_the_server(conn, folder):
    assert list(conn.builtins.map(lambda number: number * 2, (1, 2, 3))) == [2, 4, 6]
    words = conn.builtins.sorted(("bb", "a", "ccc"), key=lambda word: -len(word))
    assert list(words) == ["ccc", "bb", "a"]


@check
def exceptions(conn, folder):
    """They come with their class and the remote traceback."""
    error = raises(ZeroDivisionError, conn.eval, "1 / 0")
    assert "Remote Traceback" in str(error)
    conn.execute("def fail():\n    raise KeyError('lost')")
    error = raises(KeyError, conn.namespace["fail"])
    assert error.args == ("lost",)
    assert "in fail" in str(error)


@check
def obtain_and_deliver(conn, folder):
    value = {"a": [1, 2, (3, {4})], "b": "text"}
    there = rpyc.classic.deliver(conn, value)
    assert there["a"][1] == 2
    assert conn.builtins.type(there) == conn.builtins.dict
    here = rpyc.classic.obtain(there)
    assert type(here) is dict and here == value
    assert type(here["a"][2][1]) is set
    there["a"].append("there")
    assert here == value == {"a": [1, 2, (3, {4})], "b": "text"}
    assert rpyc.classic.obtain("a value") == "a value"


@check
def upload_and_download(conn, folder):
    """A file, and a folder with what is in it."""
    source = folder / "source"
    (source / "deeper").mkdir(parents=True)
    content = os.urandom(200_000)
    (source / "blob.bin").write_bytes(content)
    (source / "deeper" / "note.txt").write_text("a note")
    (source / "skipped.tmp").write_text("not this")

    def wanted(name):
        return not name.endswith(".tmp")

    rpyc.classic.upload(conn, str(source), str(folder / "there"), filter=wanted)
    assert (folder / "there" / "blob.bin").read_bytes() == content
    assert not (folder / "there" / "skipped.tmp").exists()
    rpyc.classic.download(conn, str(folder / "there"), str(folder / "back"))
    assert (folder / "back" / "deeper" / "note.txt").read_text() == "a note"
    assert (folder / "back" / "blob.bin").read_bytes() == content
    rpyc.classic.upload(conn, str(source / "blob.bin"), str(folder / "one.bin"), chunk_size=999)
    assert (folder / "one.bin").read_bytes() == content
    raises(ValueError, rpyc.classic.upload, conn, str(folder / "nothing"), "x")
    raises(ValueError, rpyc.classic.download, conn, str(folder / "nothing"), "x")


@check
def redirected_stdio(conn, folder):
    """What the server prints appears here, and is its own again afterwards."""
    # the server's streams are its whole process's: one client at a time
    with open(folder.parent / "streams.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _redirect(conn)


def _redirect(conn):
    real = sys.stdout, sys.stdin
    sys.stdout, sys.stdin = heard, _typed = io.StringIO(), io.StringIO("typed here\n")
    before = conn.modules.sys.stdout
    try:
        with rpyc.classic.redirected_stdio(conn):
            conn.execute("print('hello from there')")
            conn.execute("line = input()")
    finally:
        sys.stdout, sys.stdin = real
    assert heard.getvalue() == "hello from there\n"
    assert conn.namespace["line"] == "typed here"
    assert conn.modules.sys.stdout == before


@check
def async_calls(conn, folder):
    """Pending, then ready; an error; a callback."""
    sleep = rpyc.async_(conn.modules.time.sleep)
    result = sleep(0.2)
    assert not result.ready and not result.error and "(pending)" in repr(result)
    heard = []
    result.add_callback(heard.append)
    assert result.value is None
    assert result.ready and heard == [result] and "(ready)" in repr(result)
    number = rpyc.async_(conn.builtins.int)
    result = number("8")
    assert result.value == 8
    result = number("eight")
    result.wait()
    assert result.ready and result.error
    raises(ValueError, lambda: result.value)
    power = rpyc.async_(conn.builtins.pow)
    assert [result.value for result in [power(n, 2) for n in range(50)]] == [
        n * n for n in range(50)
    ]


@check
def timed_calls(conn, folder):
    """One in time, one that expires; its late answer does no harm."""
    assert rpyc.timed(conn.modules.time.sleep, 20)(0.01).value is None
    # what takes too long ends when another connection says so
    name = f"gate_of_{os.getpid()}"
    gate = conn.modules.threading.Event()
    setattr(conn.modules.sys, name, gate)
    other = connect()
    opened = getattr(other.modules.sys, name).set
    result = rpyc.timed(gate.wait, 0.05)(20)
    raises(rpyc.AsyncResultTimeout, lambda: result.value)
    assert result.expired and not result.ready and "(expired)" in repr(result)
    opened()
    other.close()
    assert conn.eval("1 + 1") == 2
    delattr(conn.modules.sys, name)


@check
def events_in_a_BgServingThread(conn, folder):
    """The server calls while this side does something else."""
    heard = []
    complete = threading.Event()

    def listener(number):
        heard.append(number)
        if len(heard) == 5:
            complete.set()

    conn.namespace["listener"] = listener
    conn.execute(
        "import threading\n"
        "def fire():\n"
        "    for number in range(5):\n"
        "        listener(number)\n"
        "threading.Timer(0.02, fire).start()"
    )
    background = rpyc.BgServingThread(conn)
    try:
        assert complete.wait(20), heard
    finally:
        background.stop()
    assert heard == [0, 1, 2, 3, 4]


@check
def the_connection_s_own(conn, folder):
    conn.ping()
    assert not conn.closed and conn.fileno() > 0
    assert not conn.poll(0.001)


# -- txremote's alone


@ours
def nothing_is_unpickled_unasked(conn, folder):
    """The server could send a pickle that runs anything here."""
    error = raises(TypeError, rpyc.classic.obtain, conn.eval("object()"))
    assert "unpickle=True" in str(error)
    conn.execute("import datetime\nwhen = datetime.date(2026, 11, 21)")
    when = rpyc.classic.obtain(conn.namespace["when"], unpickle=True)
    assert when.isoformat() == "2026-11-21" and type(when).__module__ == "datetime"


@ours
def a_download_stays_where_it_belongs(conn, folder):
    """A server that names a file ``../evil`` is refused."""
    conn.execute(
        "import os\n"
        "real = os.listdir\n"
        "os.listdir = lambda path: ['../evil'] if path.endswith('trap') else real(path)"
    )
    (folder / "trap").mkdir()
    try:
        raises(
            *(ValueError, rpyc.classic.download, conn),
            *(str(folder / "trap"), str(folder / "caught")),
        )
    finally:
        conn.execute("os.listdir = real")
    assert not (folder / "evil").exists()


@ours
def the_server_cannot_use_this_side(conn, folder):
    """RPyC's classic.connect opens the client to its server; ours if it is told to."""
    conn.namespace["server_side"] = conn.root.getconn()
    error = raises(AttributeError, conn.eval, "server_side.root.getmodule('os')")
    assert "getmodule" in str(error)
    other = rpyc.classic.connect("127.0.0.1", int(sys.argv[1]), service=rpyc.ClassicService)
    other.namespace["server_side"] = other.root.getconn()
    assert other.eval("server_side.root.getmodule('os').getpid()") == os.getpid()
    other.close()


def connect():
    """Return a new connection."""
    return rpyc.classic.connect("127.0.0.1", int(sys.argv[1]))


def main():
    """Go through the checks."""
    global rpyc
    faulthandler.dump_traceback_later(45, exit=True)  # a hang shall say where
    _port, library, folder = sys.argv[1:]
    rpyc = importlib.import_module("txremote.blocking" if library == "txremote" else "rpyc")
    print("library", getattr(rpyc, "__version__", "txremote"))
    conn = connect()
    for name, function in {**check, **(ours if library == "txremote" else {})}.items():
        started = time.monotonic()
        try:
            function(conn, Path(folder))
        except BaseException:
            print(f"FAILED: {name}")
            traceback.print_exc(file=sys.stdout)
            if conn.closed:
                conn = connect()
        else:
            print(f"ok: {name}")
        if "BLOCKING_CLASSIC_TIMES" in os.environ:
            print(f"   {time.monotonic() - started:.2f} s")
    conn.close()
    print("done", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
