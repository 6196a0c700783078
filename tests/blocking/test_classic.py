"""
Classic mode from a script: the peer's modules are at hand.
"""

from __future__ import annotations

import collections
import importlib
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import DEADLINE, linked, scripted, serving
from tests.peer.pairs import logged
from txremote.blocking import classic
from txremote.blocking.classic import (
    deliver,
    download,
    obtain,
    redirected_stdio,
    upload,
)
from txremote.blocking.core.service import ClassicClient


@contextmanager
def here() -> Iterator[Any]:
    """Give a connection to a thread of this process."""
    conn = classic.connect_thread()
    try:
        yield conn
    finally:
        conn.close()


# --- connecting -------------------------------------------------------------------


@scripted
def test_a_child_process_is_at_hand() -> None:
    conn = classic.connect_subproc()
    assert conn.modules.os.getpid() == conn.proc.pid
    assert conn.eval("__import__('os').getpid()") == conn.proc.pid
    conn.execute("answer = 6 * 7")
    assert conn.namespace["answer"] == 42
    conn.close()
    assert conn.proc.wait(DEADLINE) == 0


@scripted
def test_a_server_of_classic_mode_is_at_hand(tmp_path: Path) -> None:
    with serving(rpyc.SlaveService) as server:
        conn = classic.connect("127.0.0.1", server.port)
        assert conn.modules.sys.version == sys.version
        conn.close()
        plain = rpyc.connect("127.0.0.1", server.port)
        assert plain.root.eval("1 + 1") == 2
        assert not hasattr(plain, "modules")
        plain.close()
    path = str(tmp_path / "s")
    with serving(rpyc.SlaveService, socket_path=path):
        conn = classic.unix_connect(path)
        assert conn.builtins.len("four") == 4
        conn.close()


@scripted
def test_a_server_that_offers_no_classic_mode_is_an_error_that_says_so() -> None:
    with serving(rpyc.VoidService) as server:
        with pytest.raises(AttributeError, match="getmodule"):
            classic.connect("127.0.0.1", server.port)


@scripted
def test_the_script_itself_is_not_at_the_peers_mercy() -> None:
    """RPyC's classic client is; here that has to be asked for."""
    with here() as conn:
        conn.execute("def peek(conn): return conn.root.eval('1 + 1')")
        with pytest.raises(AttributeError):
            conn.namespace["peek"](conn.root.getconn())
    both = classic.connect_thread(service=rpyc.ClassicService)
    both.execute("def peek(conn): return conn.root.eval('1 + 1')")
    assert both.namespace["peek"](both.root.getconn()) == 2
    both.close()


def test_ports_are_rpycs() -> None:
    assert classic.DEFAULT_SERVER_PORT == 18812
    assert classic.DEFAULT_SERVER_SSL_PORT == 18821


# --- modules, eval, execute ---------------------------------------------------------


@scripted
def test_modules_by_attribute_by_item_and_by_in() -> None:
    with here() as conn:
        assert conn.modules.math.sqrt(16) == 4
        assert conn.modules["os.path"].join("a", "b") == os.path.join("a", "b")
        assert conn.modules.os.path.sep == os.path.sep
        assert "json" in conn.modules
        assert "no_such_module" not in conn.modules
        assert conn.modules["os.path"] is conn.modules["os.path"]
        with pytest.raises(AttributeError):
            _ = conn.modules.no_such_module
        with pytest.raises(ImportError):
            _ = conn.modules["no_such_module"]
        assert not hasattr(conn.modules, "__wrapped__")


@scripted
def test_builtins_go_by_two_names() -> None:
    with here() as conn:
        assert conn.builtins.abs(-5) == 5
        assert conn.builtin.max(1, 7) == 7
        assert conn.builtins.list((1, 2))[1] == 2
        with pytest.raises(ValueError, match="invalid literal"):
            conn.builtins.int("a8")


@scripted
def test_eval_execute_and_the_namespace_belong_together() -> None:
    with here() as conn:
        conn.execute("import math\nx = 3")
        assert conn.eval("x + math.floor(4.5)") == 7
        conn.namespace["y"] = 10
        assert conn.eval("x + y") == 13
        with pytest.raises(NameError, match="nothing"):
            conn.eval("nothing")
        with pytest.raises(SyntaxError):
            conn.execute("this is no Python")
        assert conn.eval("x") == 3


@scripted
def test_each_connection_has_a_namespace_of_its_own() -> None:
    with here() as one, here() as two:
        one.execute("x = 1")
        with pytest.raises(NameError):
            two.eval("x")


@scripted
def test_everything_of_an_object_can_be_reached_and_changed() -> None:
    with here() as conn:
        conn.execute("class A:\n    def __init__(self): self._private = 5")
        thing = conn.eval("A()")
        assert thing._private == 5
        thing._private = 6
        thing.new = "x"
        assert conn.namespace["A"].__name__ == "A"
        assert thing.__dict__["new"] == "x"
        del thing.new
        assert not hasattr(thing, "new")


@scripted
def test_local_functions_are_called_back() -> None:
    with here() as conn:
        assert sorted(conn.builtins.map(lambda a: a * 2, (3, 1))) == [2, 6]
        conn.execute("def twice(f): return f(f(1))")
        assert conn.namespace["twice"](lambda a: a + 5) == 11


# --- by value -----------------------------------------------------------------------


class Custom:
    """What has to be pickled."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Custom) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]


@scripted
def test_containers_are_obtained_without_unpickling(monkeypatch: Any) -> None:
    """Whatever the peer may send, nothing here is unpickled."""
    with here() as conn:
        items = conn.eval("[1, {'a': (2, [3])}, {4}]")
        monkeypatch.setattr(pickle, "loads", lambda data: pytest.fail("unpickled"))
        assert obtain(items) == [1, {"a": (2, [3])}, {4}]
        assert obtain(5) == 5
        assert obtain([6]) == [6]


@scripted
def test_other_things_are_obtained_by_unpickling_if_that_is_said() -> None:
    with here() as conn:
        thing = conn.modules["tests.blocking.test_classic"].Custom((1, 2))
        with pytest.raises(TypeError, match="if you trust it"):
            obtain(thing)
        copied = obtain(thing, unpickle=True)
        assert type(copied) is Custom
        assert copied == Custom((1, 2))
        counter = conn.modules.collections.Counter("aab")
        assert obtain(counter, unpickle=True) == collections.Counter("aab")


@scripted
def test_local_things_are_delivered_by_value() -> None:
    with here() as conn:
        mine = Custom([1, 2])
        theirs = deliver(conn, mine)
        assert theirs is not mine
        assert theirs.value[1] == 2
        theirs.value.append(3)
        assert mine.value == [1, 2]
        assert list(deliver(conn, [1, 2])) == [1, 2]


# --- files --------------------------------------------------------------------------


def tree(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder, by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with something in it."""
    made = tmp_path / "source"
    (made / "deep" / "deeper").mkdir(parents=True)
    (made / "empty").mkdir()
    (made / "a.txt").write_bytes(b"a" * 200_000)
    (made / "deep" / "b.bin").write_bytes(bytes(range(256)))
    (made / "deep" / "deeper" / "c.py").write_bytes(b"")
    return made


@scripted
@pytest.mark.parametrize("copying", [upload, download])
def test_files_and_folders_are_copied(copying: Any, folder: Path, tmp_path: Path) -> None:
    with here() as conn:
        target = tmp_path / "target"
        copying(conn, str(folder), str(target))
        assert tree(target) == tree(folder)
        assert (target / "empty").is_dir()
        copying(conn, str(folder), str(target))  # over what is there
        copying(conn, str(folder / "a.txt"), str(tmp_path / "one"), chunk_size=1000)
        assert (tmp_path / "one").read_bytes() == b"a" * 200_000


@scripted
@pytest.mark.parametrize("copying", [upload, download])
def test_a_filter_leaves_things_out(copying: Any, folder: Path, tmp_path: Path) -> None:
    with here() as conn:
        target = tmp_path / "target"
        copying(conn, str(folder), str(target), filter=lambda name: not name.endswith(".py"))
        assert set(tree(target)) == {"a.txt", os.path.join("deep", "b.bin")}


@scripted
@pytest.mark.parametrize("copying", [upload, download])
def test_what_is_neither_file_nor_folder_is_refused_or_passed_over(
    copying: Any, folder: Path, tmp_path: Path
) -> None:
    with here() as conn:
        with pytest.raises(ValueError, match=r"cannot (up|down)load"):
            copying(conn, str(tmp_path / "nothing"), str(tmp_path / "x"))
        copying(conn, str(tmp_path / "nothing"), str(tmp_path / "x"), ignore_invalid=True)
        assert not (tmp_path / "x").exists()
        os.mkfifo(folder / "fifo")
        copying(conn, str(folder), str(tmp_path / "target"))
        assert not (tmp_path / "target" / "fifo").exists()


@scripted
@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "..", ".", "", "a/b"])
def test_a_peer_cannot_write_outside_of_the_folder(name: str, tmp_path: Path) -> None:
    """It names the files; a name that leads elsewhere is refused."""

    class Path_:
        def isdir(self, path: str) -> bool:
            return path == "source"

        def isfile(self, path: str) -> bool:
            return True

        def join(self, *parts: str) -> str:
            return "/".join(parts)

    class Conn:
        modules = type(
            "Modules",
            (),
            {
                "__getitem__": lambda self, name: Path_(),
                "os": type("os", (), {"listdir": staticmethod(lambda path: ["fine", name])}),
            },
        )()
        builtins = type("b", (), {"open": staticmethod(lambda path, mode: io.BytesIO(b"evil"))})

    target = tmp_path / "target"
    with pytest.raises(ValueError, match="the peer named a file"):
        download(Conn(), "source", str(target))
    assert set(tree(tmp_path)) <= {os.path.join("target", "fine")}


# --- standard streams ---------------------------------------------------------------


@scripted
def test_what_the_peer_prints_and_reads_comes_from_here(monkeypatch: Any) -> None:
    conn = classic.connect_subproc()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stdin", io.StringIO("typed\n"))
    conn.execute("def echo():\n    print('it was', input())")
    with redirected_stdio(conn):
        conn.namespace["echo"]()
        conn.modules.sys.stdout.write("more")
        with pytest.raises(AttributeError, match="does not show it"):
            _ = conn.eval("__import__('sys').stdout.buffer")
    shown = sys.stdout.getvalue()  # type: ignore[attr-defined]
    monkeypatch.undo()
    conn.execute("print('not here')")
    assert shown == "it was typed\nmore"
    conn.close()
    conn.proc.wait(DEADLINE)


@scripted
def test_the_streams_are_put_back_after_an_error_too() -> None:
    conn = classic.connect_subproc()
    before = conn.eval("id(__import__('sys').stdout)")
    with pytest.raises(ZeroDivisionError):
        with redirected_stdio(conn):
            assert conn.eval("id(__import__('sys').stdout)") != before
            conn.eval("1 / 0")
    assert conn.eval("id(__import__('sys').stdout)") == before
    conn.close()
    conn.proc.wait(DEADLINE)


@scripted
def test_a_master_service_gets_it_all_on_connecting() -> None:
    with linked(rpyc.SlaveService, rpyc.MasterService) as conn:
        assert conn.modules.math.pi > 3
        assert conn.eval("2 ** 10") == 1024


# --- what else is RPyC's --------------------------------------------------------------


@scripted
def test_a_package_is_copied_to_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "parcel"
    source.mkdir()
    (source / "__init__.py").write_text("")
    (source / "inside.py").write_text("found = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    inside = importlib.import_module("parcel.inside")
    target = tmp_path / "there" / "parcel"
    with here() as conn:
        classic.upload_package(conn, inside, str(target))
        assert (target / "inside.py").read_text() == "found = 7\n"
        purelib = tmp_path / "purelib"
        monkeypatch.setattr("sysconfig.get_path", lambda name: str(purelib))
        classic.upload_module(conn, importlib.import_module("parcel"))
        assert (purelib / "parcel" / "inside.py").is_file()


@scripted
def test_a_prompt_there_with_the_input_and_output_of_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed, shown = io.StringIO("print(number * 6)\n"), io.StringIO()
    with here() as conn:
        monkeypatch.setattr(sys, "stdin", typed)
        monkeypatch.setattr(sys, "stdout", shown)
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        classic.interact(conn, {"number": 7})
    assert "42" in shown.getvalue()


def test_the_same_code_without_a_connection() -> None:
    conn = classic.MockClassicConnection()
    conn.execute("x = 5")
    assert conn.eval("x + 1") == 6
    assert conn.modules.os.path is os.path
    assert conn.namespace["x"] == 5


@pytest.mark.parametrize("name", ["teleport_function", "pm", "ssh_connect", "connect_multiprocess"])
def test_what_is_not_supported_refuses_when_it_is_called(name: str) -> None:
    with pytest.raises(NotImplementedError, match=f"{name} of RPyC is not supported: ..."):
        getattr(classic, name)(None)


# --- as a local program sees it -----------------------------------------------------------


@pytest.mark.parametrize("remote", [rpyc.SlaveService, rpyc.ClassicService])
@scripted
def test_exceptions_of_modules_that_are_loaded_here_are_caught_by_their_class(
    remote: Any,
) -> None:
    with rpyc.connect_thread(rpyc.MasterService, remote_service=remote) as conn:
        with pytest.raises(subprocess.CalledProcessError) as failed:
            conn.modules.subprocess.check_call("false")
        assert failed.value.returncode == 1
        with pytest.raises(json.JSONDecodeError, match="Expecting"):
            conn.modules.json.loads("{")
        conn.execute("class Odd(Exception): pass")
        with pytest.raises(rpyc.GenericException):
            conn.execute("raise Odd()")


@pytest.mark.parametrize("client", [rpyc.MasterService, ClassicClient, rpyc.ClassicService])
@scripted
def test_every_client_of_classic_mode_may_use_a_classic_service(client: Any) -> None:
    with rpyc.connect_thread(client, remote_service=rpyc.ClassicService) as conn:
        assert conn.eval("1 + 1") == 2


class Demanding(rpyc.SlaveService):
    """
    Wants of its client what RPyC's ClassicService wants. It asks when the client asks for a module:
    if it did so at the start, the client might be through before it hangs up.
    """

    def on_connect(self, conn: Any) -> None:
        self.client = conn

    def getmodule(self, name: Any) -> Any:
        try:
            return self.client.root.getmodule(name)
        except AttributeError:
            self.client.close()


@scripted
def test_a_server_that_wants_as_much_of_its_client_is_told_apart() -> None:
    with (
        logged(),
        pytest.raises(EOFError, match="works with service=ClassicService"),
    ):
        rpyc.connect_thread(rpyc.MasterService, remote_service=Demanding)


def signature(called: Any) -> list[Any]:
    """Return the parameters of what is called; a class would be asked for its metaclass."""
    if inspect.isclass(called):
        return []
    found = inspect.signature(called).parameters.values()
    return [(each.name, each.kind, each.default) for each in found]


INSPECTED = """
def plain(a, b=2, *args, c=3, **kwargs): pass
def hinted(a: int, b: str = 'x') -> float: return 1.0
async def waits(a): pass
def gives(a): yield a
class Robot:
    def walk(self, far): return far
    @classmethod
    def make(cls, name): return cls()
    @staticmethod
    def help(topic): return topic
robot = Robot()
"""


@scripted
def test_inspect_says_of_remote_things_what_it_says_there() -> None:
    """Of functions, methods, classes and builtins: each as a local program finds it."""
    local: dict[str, Any] = {}
    exec(INSPECTED, local)
    with here() as conn:
        conn.execute(INSPECTED)
        names = ["plain", "hinted", "waits", "gives", "Robot"]
        pairs = [(local[name], conn.namespace[name]) for name in names]
        mine, theirs = local["robot"], conn.namespace["robot"]
        pairs += [(getattr(mine, each), getattr(theirs, each)) for each in ("walk", "make", "help")]
        pairs += [(os.path.join, conn.modules.os.path.join), (len, conn.builtins.len)]
        pairs += [([].append, conn.eval("[].append"))]
        for ours, remote in pairs:
            for ask in (
                callable,
                inspect.ismethod,
                inspect.isfunction,
                inspect.isbuiltin,
                inspect.isroutine,
                inspect.isclass,
                inspect.iscoroutinefunction,
                inspect.isgeneratorfunction,
                signature,
                lambda each: sorted(getattr(each, "__annotations__", ())),
            ):
                assert ask(remote) == ask(ours), (ask, ours)
