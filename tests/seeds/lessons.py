"""
RPyC's tutorial (parts 1 to 5), its how-tos and its demos, typed in our own words.

Run as a process of its own, with either library, at servers of either kind::

    python -m tests.seeds.lessons txremote|rpyc FOLDER NAME=PORT... CHECK...

The servers are those of ``lessons_server.py`` by name, with a classic server as
``classic``. For each check it says ``ok:`` or ``FAILED:``, and its name. Statements are
those that the documents have a user type; the values beside them are what RPyC gives
with both ends its own.
"""

from __future__ import annotations

import faulthandler
import importlib
import io
import os
import select
import socket
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interop.peer_processes import Checks

check = Checks()
rpyc: Any = None
library = ""


def raises(kind, function, *args):
    """
    Return the exception that a call raises; it must be of this kind.
    """
    try:
        value = function(*args)
    except kind as error:
        return error
    raise AssertionError(f"no {kind} but {value!r}")


def until(condition, serving=None):
    """
    Wait until something holds; serve a connection meanwhile.
    """
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never comes"
        if serving is not None:
            serving.poll_all(0.01)
        else:
            time.sleep(0.002)


class Stage:
    """
    Where the servers of one kind are.
    """

    def __init__(self, ports, folder):
        self.ports = ports
        self.folder = folder
        self._open = []

    def connect(self, name, **kwargs):
        """
        Connect to a service.
        """
        return self._kept(rpyc.connect("127.0.0.1", self.ports[name], **kwargs))

    def classic(self, **kwargs):
        """
        Connect to the classic server.
        """
        return self._kept(rpyc.classic.connect("127.0.0.1", self.ports["classic"], **kwargs))

    def _kept(self, conn):
        self._open.append(conn)
        if library == "rpyc":  # or two messages in a row take 40 ms, and hundreds do here
            conn._channel.stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return conn

    def close(self):
        """
        Close all that are open.
        """
        while self._open:
            self._open.pop().close()


# -- part 1: classic mode


@check
def part_1_modules(at):
    c = at.classic()
    c.modules.sys.path.append("a_place")
    assert "a_place" in c.modules.sys.path
    c.modules.sys.path.remove("a_place")
    assert "a_place" not in c.modules.sys.path and "a_place" not in sys.path
    rsys, rpath = c.modules.sys, c.modules["os.path"]
    assert "module 'sys'" in repr(rsys) and rsys is not sys
    assert rpath.basename("/one/two") == "two"
    assert c.modules.os.path.join("a", "b") == os.path.join("a", "b")
    minidom = c.modules["xml.dom.minidom"]
    tree = minidom.parseString("<a><b/></a>")
    assert tree.firstChild.nodeName == "a"
    assert tree.toxml().endswith("<a><b/></a>")
    assert "xml.dom.minidom.Document" in repr(type(tree))
    assert rsys.version_info[:2] == tuple(sys.version_info[:2])
    assert rsys.platform == sys.platform
    rsys.a_new_name = "set"
    assert rsys.a_new_name == "set"
    del rsys.a_new_name
    raises(AttributeError, lambda: rsys.a_new_name)


@check
def part_1_builtins(at):
    c = at.classic()
    name = str(at.folder / "written")
    f = c.builtins.open(name, "w")
    assert f.write("line 1\nline 2\n") == 14
    f.close()
    assert f.closed is True
    assert [line.strip() for line in c.builtins.open(name)] == ["line 1", "line 2"]
    with c.builtin.open(name) as f:
        assert f.readline() == "line 1\n"
    assert f.closed
    assert c.builtins.hex(255) == "0xff"
    assert list(c.builtins.list("abc")) == ["a", "b", "c"]
    assert str(c.builtins.dict(a=1)) == "{'a': 1}"
    assert c.modules.builtins.range(3)[1] == 1
    assert c.builtins.type(c.builtins.object()) == c.builtins.object


@check
def part_1_eval_execute_namespace(at):
    c = at.classic()
    assert c.execute("import math") is None
    assert c.eval("2 * math.pi") == 6.283185307179586
    assert c.eval("math").floor(2.5) == 2
    c.execute("x = 1")
    c.namespace["y"] = 2
    assert c.eval("x + y") == 3
    assert c.namespace["x"] == 1 and "x" in c.namespace
    assert c.namespace.get("z", "none") == "none"
    del c.namespace["y"]
    raises(NameError, c.eval, "y")
    raises(KeyError, lambda: c.namespace["y"])
    c.execute("def area(r):\n    return math.pi * r ** 2")
    assert c.namespace["area"](1) == 3.141592653589793
    assert c.eval("lambda n: n + 1")(1) == 2
    assert sorted(name for name in c.namespace if not name.startswith("_")) == ["area", "math", "x"]


@check
def part_1_functions_go_there(at):
    """
    By their source with either library; RPyC's teleport moves the code itself.
    """
    c = at.classic()
    source = "def square(x):\n    import os\n    return x ** 2, os.getpid()"
    c.execute(source)
    square = c.namespace["square"]
    assert square(2) == (4, c.modules.os.getpid()) != (4, os.getpid())
    assert c.eval("square(3)[0]") == 9
    if library == "rpyc":
        there = c.teleport(raises_nothing)
        assert there(3) == (9, c.modules.os.getpid())
    else:
        error = raises(NotImplementedError, lambda: c.teleport(raises_nothing))
        assert "execute(source)" in str(error)
        raises(NotImplementedError, rpyc.classic.teleport_function, c, raises_nothing)


def raises_nothing(x):
    import os

    return x**2, os.getpid()


# -- part 2: references and exceptions


@check
def part_2_netrefs(at):
    c = at.classic()
    path = c.modules.sys.path
    assert isinstance(path, list) and type(path) is not list
    assert isinstance(path, rpyc.BaseNetref)
    assert "netref" in repr(type(path)) or "list" in repr(type(path))
    assert len(path) == c.eval("len(__import__('sys').path)")
    assert path.__len__() == len(path)
    numbers = c.builtins.list(range(5))
    assert list(numbers[1:3]) == [1, 2] and numbers[-1] == 4 and 3 in numbers
    numbers[0] = "zero"
    numbers.append("five")
    del numbers[1]
    assert list(numbers) == ["zero", 2, 3, 4, "five"]
    assert list(numbers + c.builtins.list((6,))) == ["zero", 2, 3, 4, "five", 6]
    raises(TypeError, lambda: numbers.__add__([6]))  # a list does not take a reference
    assert type(c.eval("(1, 'two', 3.0, None, True)")) is tuple
    assert type(c.eval("'text'")) is str and type(c.eval("b'bytes'")) is bytes
    assert c.eval("10 ** 30") == 10**30 and c.eval("1 + 2j") == 1 + 2j
    assert c.eval("slice(1, 2)") == slice(1, 2) and c.eval("...") is ...
    assert c.eval("frozenset('a')") == frozenset("a")
    c.namespace["mine"] = mine = [1]
    c.execute("mine.append(2)")
    assert mine == [1, 2] and c.namespace["mine"] is mine
    day = c.modules.datetime.date(2020, 2, 29)
    assert day.year == 2020 and str(day) == "2020-02-29"
    assert day < c.modules.datetime.date(2020, 3, 1)
    assert {day: "leap"}[day] == "leap"
    if c.modules.os.name == "posix":
        popen = c.modules.subprocess.Popen(["echo", "one two"], stdout=-1)
        out, _err = popen.communicate()
        assert out.split() == [b"one", b"two"] and popen.returncode == 0


@check
def part_2_exceptions(at):
    c = at.classic()
    error = raises(IndexError, lambda: c.modules.sys.path[300])
    assert "list index out of range" in str(error) and "Remote Traceback" in str(error)
    assert error.args == ("list index out of range",)
    c.execute("def f():\n    g()\ndef g():\n    raise ValueError('deep', 7)")
    error = raises(ValueError, c.namespace["f"])
    assert error.args == ("deep", 7)
    assert "in f" in error._remote_tb and "in g" in error._remote_tb
    assert "in g" in "".join(traceback.format_exception(error))
    error = raises(ModuleNotFoundError, lambda: c.modules["no.such"])
    assert error.name == "no"
    raises(FileNotFoundError, c.builtins.open, "/no/such/file")
    error = raises(OSError, c.modules.os.stat, "/no/such/file")
    assert error.errno == 2 and error.filename == "/no/such/file"
    raises(StopIteration, c.builtins.next, c.builtins.iter(()))
    raises(TypeError, c.builtins.len, 5)
    raises(SyntaxError, c.eval, "1 +")
    raises(UnicodeDecodeError, c.eval, "b'\\xff'.decode()")
    error = raises(Exception, c.execute, "class Own(Exception): pass\nraise Own('mine')")
    assert "Own" in type(error).__name__ or "Own" in str(error)
    try:
        c.eval("1 / 0")
    except ZeroDivisionError:
        here = traceback.format_exc()
    assert "Remote Traceback (1)" in here and "division by zero" in here


@check
def part_2_copies(at):
    c = at.classic()
    there = rpyc.classic.deliver(c, {"a": [1, 2], "b": (3, {4})})
    assert isinstance(there, rpyc.BaseNetref) and there["a"][1] == 2
    here = rpyc.classic.obtain(there)
    assert type(here) is dict and here == {"a": [1, 2], "b": (3, {4})}
    assert type(here["a"]) is list
    names = rpyc.classic.obtain(c.builtins.list(c.builtins.dict(x=1, y=2).keys()))
    assert names == ["x", "y"]
    assert rpyc.classic.obtain(7) == 7
    day = c.modules.datetime.date(2020, 2, 29)
    copied = rpyc.classic.obtain(day, **({"unpickle": True} if library == "txremote" else {}))
    import datetime

    assert copied == datetime.date(2020, 2, 29) and type(copied) is datetime.date


@check
def part_2_files_and_folders(at):
    c = at.classic()
    base = at.folder / "folders"
    (base / "src" / "sub").mkdir(parents=True)
    (base / "src" / "one.txt").write_text("one")
    (base / "src" / "sub" / "two.bin").write_bytes(bytes(range(256)) * 90)
    rpyc.classic.upload(c, str(base / "src"), str(base / "up"))
    assert (base / "up" / "sub" / "two.bin").read_bytes() == bytes(range(256)) * 90
    rpyc.classic.download(c, str(base / "up"), str(base / "down"))
    assert (base / "down" / "one.txt").read_text() == "one"
    rpyc.classic.upload_file(c, str(base / "src" / "one.txt"), str(base / "up.txt"))
    rpyc.classic.download_file(c, str(base / "up.txt"), str(base / "down.txt"))
    assert (base / "down.txt").read_text() == "one"
    module = base / "uploaded_lesson.py"
    module.write_text("def here():\n    import os\n    return os.getpid()\n")
    c.modules.sys.path.insert(0, str(base / "there"))
    (base / "there").mkdir()
    rpyc.classic.upload(c, str(module), str(base / "there" / "uploaded_lesson.py"))
    try:
        assert c.modules.uploaded_lesson.here() == c.modules.os.getpid()
    finally:
        c.modules.sys.path.remove(str(base / "there"))
        c.modules.sys.modules.pop("uploaded_lesson", None)


# -- the how-tos


@check
def how_to_redirect_stdio(at):
    """
    By assignment, which wants a client that is open, as RPyC's is; and with the function.
    """
    c = at.classic()
    opened = at.classic(service=rpyc.ClassicService) if library == "txremote" else at.classic()
    real, sys.stdout = sys.stdout, io.StringIO()
    heard = sys.stdout
    try:
        with assigned(opened):
            opened.execute("print('hello', 'from there')")
        with rpyc.classic.redirected_stdio(c):
            c.execute("print('again')")
        if library == "txremote":
            with assigned(c):
                raises(AttributeError, c.execute, "print('to a closed client')")
    finally:
        sys.stdout = real
    assert heard.getvalue() == "hello from there\nagain\n"


@contextmanager
def assigned(conn):
    """
    Have the server print here, meanwhile.
    """
    before = conn.modules.sys.stdout
    conn.modules.sys.stdout = sys.stdout
    try:
        yield
    finally:
        conn.modules.sys.stdout = before
    assert conn.modules.sys.stdout == before


@check
def part_2_remote_bases(at):
    """
    No class here can inherit from one there, with either library; it is defined there.
    """
    c = at.classic()

    def derive(base):
        class Mine(base):
            pass

    for base in (c.modules.threading.Thread, c.builtins.Exception, c.modules.fractions.Fraction):
        error = raises((TypeError, AttributeError), derive, base)
        assert library == "rpyc" or "define the class at" in str(error)
    c.execute("import fractions\nclass Half(fractions.Fraction): pass")
    assert c.namespace["Half"](1, 2) * 2 == 1


@check
def how_to_patch_a_module(at):
    """
    A local module that works with a remote one: here it opens files of the server's.
    """
    c = at.classic()
    import linecache
    import tokenize

    name = str(at.folder / "patched.py")
    c.builtins.open(name, "w").write("x = 1\n")
    with c.builtins.open(name, "rb") as file:
        tokens = [token.string for token in tokenize.tokenize(file.readline)]
    assert tokens == ["utf-8", "x", "=", "1", "\n", ""]
    real, linecache.os = linecache.os, c.modules.os
    try:
        assert linecache.updatecache(name) == ["x = 1\n"]
    finally:
        linecache.os = real
    sock = c.modules.socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(1)
    near = socket.create_connection(sock.getsockname())
    far, _address = sock.accept()
    near.sendall(b"over the wire")
    assert far.recv(100) == b"over the wire"
    for each in (near, far, sock):
        each.close()


@check
def how_to_debug_after_the_fact(at):
    """
    RPyC's ``pm`` wants a debugger at a prompt; the remote traceback is in the exception.
    """
    c = at.classic()
    error = raises(ZeroDivisionError, c.eval, "1 // 0")
    assert "1 // 0" in str(error) or "<string>" in str(error)
    if library == "txremote":
        assert "traceback" in str(raises(NotImplementedError, rpyc.classic.pm, c))


@check
def how_to_start_a_server_of_one_s_own(at):
    # RPyC's looks for its command on the PATH
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    c = rpyc.classic.connect_subproc()
    assert c.modules.os.getpid() != os.getpid()
    c.close()
    assert c.closed


# -- part 3: services


@check
def part_3_a_service(at):
    c = at.connect("Answers")
    assert c.root.get_answer() == c.root.exposed_get_answer() == 42
    assert c.root.real_answer == c.root.exposed_real_answer == 43
    raises(AttributeError, lambda: c.root.get_question())
    raises(AttributeError, lambda: c.root.question_mark)
    raises(AttributeError, lambda: c.root._name)
    raises(AttributeError, setattr, c.root, "real_answer", 44)
    raises(AttributeError, delattr, c.root, "real_answer")
    assert c.root.get_service_name() == "ANSWERS"
    assert "ANSWERS" in c.root.get_service_aliases()
    error = raises(IndexError, c.root.fail)
    assert "string index out of range" in str(error) and "exposed_fail" in str(error)
    assert c.ping() is None
    assert hasattr(c.root, "get_answer") and not hasattr(c.root, "get_question")


@check
def part_3_nested_classes(at):
    c = at.connect("Answers")
    counter = c.root.Counter()
    assert counter.step() == 1 and counter.step(by=5) == 6
    assert c.root.Counter(10).step() == 11
    raises(AttributeError, lambda: counter.hidden())
    raises(AttributeError, lambda: counter.count)
    raises(TypeError, c.root.Counter, 1, 2, 3)
    counter = at.connect("Open").root.Counter(3)
    assert counter.count == 3 and counter.hidden() == "hidden"


@check
def part_3_coming_and_going(at):
    """
    Each connection has a service of its own, which hears of its start and its end.
    """
    name = f"{library} {at.ports['Answers']}"
    c, other = at.connect("Answers"), at.connect("Answers")
    c.root.i_am(name)
    other.root.i_am(f"{name} other")
    assert not other.root.has_left(name)
    c.close()
    assert c.closed
    raises(EOFError, lambda: c.root.get_answer())
    raises(EOFError, c.fileno)  # so a select() of one's own ends
    raises(EOFError, c.poll)
    until(lambda: other.root.has_left(name))
    with at.connect("Answers") as third:
        third.root.i_am(f"{name} third")
    until(lambda: other.root.has_left(f"{name} third"))
    assert not other.root.has_left(f"{name} other")


@check
def part_3_decorators_and_views(at):
    c = at.connect("Marked")
    assert c.root.greet("ann") == "hello, ann"
    assert c.root.greet(name="bob") == "hello, bob"
    assert c.root.Point(3, 4).norm() == 25
    raises(AttributeError, lambda: c.root.unmarked())
    raises(AttributeError, lambda: c.root.Point(3, 4).x)
    view = c.root.view()
    assert view.owner == "ann" and view.pay_in(5) == "ann has 15"
    raises(AttributeError, lambda: view.balance)
    raises(AttributeError, setattr, view, "owner", "bob")
    assert view.owner == "ann"


@check
def part_3_one_for_all_and_arguments(at):
    one, two = at.connect("Shared"), at.connect("Shared")
    before = one.root.add(0)
    assert two.root.add(5) == before + 5 and one.root.add(1) == before + 6
    one.root.put(f"{library} was here")
    assert f"{library} was here" in two.root.items()
    assert at.connect("WithArguments").root.arguments() == (1, 2, 3)


@check
def part_3_the_client_s_service(at):
    class Doubling(rpyc.Service):
        def exposed_twice(self, number):
            return number * 2

    c = at.connect("Answers", service=Doubling)
    assert c.root.call_yours(4) == 9
    raises(AttributeError, at.connect("Answers").root.call_yours, 4)


# -- part 4: callbacks, both ways


@check
def part_4_classic_callbacks(at):
    c = at.classic()

    def f(x):
        return x**3

    numbers = c.builtins.list(range(5))
    assert list(c.builtins.map(f, numbers)) == [0, 1, 8, 27, 64]
    assert list(c.builtins.filter(lambda n: n % 2, numbers)) == [1, 3]
    assert c.modules.functools.reduce(lambda a, b: a + b, numbers) == 10
    assert list(c.builtins.sorted(["bb", "a"], key=len)) == ["a", "bb"]
    c.namespace["f"] = f
    assert c.eval("tuple(f(n) for n in range(3))") == (0, 1, 8)
    error = raises(ZeroDivisionError, c.builtins.list, c.builtins.map(lambda n: 1 / n, numbers))
    assert error.args == ("division by zero",)


@check
def part_4_callbacks(at):
    c = at.connect("Callbacks")
    assert list(c.root.cube_all((1, 2, 3), lambda n: n**3)) == [1, 8, 27]
    assert list(c.root.cube_all([1, 2], lambda n: n + 1)) == [2, 3]
    assert c.root.apply(lambda *a, **k: (a, sorted(k.items())), 1, b=2) == ((1,), [("b", 2)]) or (
        list(c.root.apply(lambda *a, **k: sorted(k), 1, b=2)) == ["b"]
    )
    assert c.root.catch(lambda: 1 / 0) == ("ZeroDivisionError", "division by zero")

    def down(depth, there):
        return depth if depth == 0 else there(depth - 1, down)

    assert c.root.there_and_back(10, down) == 0
    assert c.root.compose(lambda x: x + 1, lambda x: x * 10)(4) == 41
    thing = object()
    assert c.root.mirror(thing) is thing
    assert c.root.mirror(len) is len and c.root.mirror((thing, 1))[0] is thing
    error = raises(KeyError, c.root.apply, {}.__getitem__, "absent")
    assert error.args == ("absent",)
    assert c.root.sum_of([1, 2, 3]) == 6
    assert c.root.sum_of(n for n in range(4)) == 6
    assert list(c.root.countdown(3)) == [3, 2, 1]
    assert list(rpyc.buffiter(c.root.countdown(30), 7)) == list(range(30, 0, -1))


@check
def part_4_context_managers(at):
    c = at.connect("Callbacks")
    heard = []
    with c.root.open(heard.append) as door:
        assert door.name() == "a door"
    assert heard == ["opened", "closed"]
    door = c.root.open(heard.append)

    def fail():
        with door:
            raise RuntimeError("inside")

    assert raises(RuntimeError, fail).args == ("inside",)
    assert heard[2:] == ["opened", "closed after an error"]


# -- part 5 (the sessions are in test_part5.py; this is what stands around them)


@check
def part_5_asynchronous(at):
    c = at.connect("Callbacks")
    heard = []
    result = rpyc.async_(c.root.apply)(lambda: "called")
    result.wait()
    assert result.ready and not result.error and result.value == "called"
    apply = rpyc.async_(c.root.apply)
    results = [apply(lambda n=n: n * n) for n in range(20)]
    assert [each.value for each in results] == [n * n for n in range(20)]
    result = apply(int, "no number")
    result.wait()
    assert result.error
    raises(ValueError, lambda: result.value)
    result = apply(lambda: 5)
    result.add_callback(lambda done: heard.append(done.value))
    until(lambda: heard == [5], c)
    background = rpyc.BgServingThread(c)
    try:
        del heard[:]
        c.root.stream(3, heard.append)
        until(lambda: len(heard) == 3)
        assert heard == [0, 1, 2]
    finally:
        background.stop()
    slow = rpyc.timed(at.classic().modules.time.sleep, 0.05)
    raises(rpyc.AsyncResultTimeout, lambda: slow(1.0).value)


# -- the demos


@check
def demo_time(at):
    c = at.connect("Time")
    assert abs(c.root.get_utc() - time.time()) < 60
    assert time.strptime(c.root.get_time())


@check
def demo_chat(at):
    """
    What the windows do, without windows: one watches the descriptor, one has a thread.
    """
    ann, bob = at.connect("Chat"), at.connect("Chat")
    ann_hears, bob_hears = [], []
    raises(ValueError, ann.root.login, "ann", "wrong", ann_hears.append)
    raises(ValueError, ann.root.login, "nobody", "secret", ann_hears.append)
    one = ann.root.login("ann", "secret", ann_hears.append)
    raises(ValueError, ann.root.login, "ann", "secret", ann_hears.append)
    two = bob.root.login("bob", "word", bob_hears.append)
    background = rpyc.BgServingThread(bob)
    try:
        one.say("hello")
        two.say("good day")
        while "[bob] good day" not in ann_hears:
            assert select.select([ann], [], [], 20)[0] == [ann]
            ann.poll_all()
        until(lambda: "[bob] good day" in bob_hears)
        raises(AttributeError, lambda: one.broadcast)
        raises(AttributeError, lambda: one.callback)
        one.logout()
        raises(ValueError, one.say, "still here?")
        until(lambda: "* ann goes *" in bob_hears)
        assert bob_hears == ["[ann] hello", "[bob] good day", "* ann goes *"]
        assert ann_hears == ["* bob comes *", "[ann] hello", "[bob] good day"]
        one = ann.root.login("ann", "secret", ann_hears.append)
        until(lambda: bob_hears[-1] == "* ann comes *")
        ann.close()  # without a word
        until(lambda: bob_hears[-1] == "* ann goes *")
        two.logout()
    finally:
        background.stop()


class Toolkit:
    """
    As much of a toolkit as the page needs.
    """

    class Label:
        def __init__(self, text):
            self.text = text

        def set_text(self, text):
            self.text = text

        def get_label(self):
            return self.text

    class Button(Label):
        def connect(self, event, handler):
            self.handler = handler

        def click(self):
            self.handler(self)

    class Box:
        def __init__(self):
            self.children = []

        def pack(self, child):
            self.children.append(child)


@check
def demo_web8(at):
    """
    The server builds a page of the client's own things, and hears of clicks.
    """
    c = at.connect("Pages", config={"allow_all_attrs": True})
    content = Toolkit.Box()
    c.root.get_page(Toolkit, content, "main")
    (box,) = content.children
    label, button = box.children
    assert type(label) is Toolkit.Label and label.text == "no click yet"
    button.click()
    button.click()
    assert label.text == "2 by click"
    raises(LookupError, c.root.get_page, Toolkit, content, "other")


@check
def demo_web8_with_a_module(at):
    """
    RPyC's browser hands in the toolkit's module, with ``allow_all_attrs``.
    """
    import types

    toolkit = types.ModuleType("toolkit")
    vars(toolkit).update({name: vars(Toolkit)[name] for name in ("Label", "Button", "Box")})
    content = Toolkit.Box()
    c = at.connect("Pages", config={"allow_all_attrs": True})
    c.root.get_page(toolkit, content, "main")
    assert len(content.children[0].children) == 2


@check
def demo_filemon(at):
    c = at.connect("FileMonitors")
    heard = []
    name = at.folder / "monitored"
    name.write_text("")
    background = rpyc.BgServingThread(c)
    try:
        monitor = c.root.FileMonitor(str(name), lambda old, new: heard.append((old, new)))
        name.write_text("some text")
        until(lambda: heard)
        monitor.stop()
        name.write_text("more text than it had")
    finally:
        background.stop()
    assert heard == [(0, 9)]
    raises(AttributeError, lambda: monitor.filename)


@check
def demo_async_client(at):
    c = at.connect("Works")
    heard = []
    work = rpyc.async_(c.root.work)
    results = [work(number, heard.append) for number in range(3)]
    assert heard == []  # nobody has served yet
    assert [result.value for result in results] == [0, 2, 4]
    until(lambda: len(heard) == 6, c)
    assert sorted(heard) == sorted(f"{n} is {how}" for n in range(3) for how in ("begun", "done"))


def main():
    """
    Go through the checks.
    """
    global rpyc, library
    faulthandler.dump_traceback_later(90, exit=True)  # a hang shall say where
    library, folder, *words = sys.argv[1:]
    rpyc = importlib.import_module("txremote.blocking" if library == "txremote" else "rpyc")
    servers = [word.split("=") for word in words if "=" in word]
    at = Stage({name: int(port) for name, port in servers}, Path(folder))
    for name in words[len(servers) :]:
        started = time.monotonic()
        try:
            check[name](at)
            at.close()
        except BaseException:
            print(f"FAILED: {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok: {name}")
        if "LESSONS_TIMES" in os.environ:
            print(f"   {time.monotonic() - started:.2f} s")
    print("done", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
