"""
Classic mode's services: what they open, and that nothing opens them by itself.
"""

from __future__ import annotations

import os.path
from typing import Any

import pytest
import pytest_twisted

import txremote
from tests.blocking.script_threads import linked, run_script, scripted, wait_until
from tests.net.servers import endpoint_of, served
from txremote import ClassicService, MasterService, SlaveService, connect, fetch, listen
from txremote.classic import ModuleNamespace, install, obtain, opens_everything
from txremote.config import ConnectionConfig
from txremote.service import config_of, is_threaded

OPEN = (
    "allow_all_attrs allow_pickle allow_getattr allow_setattr allow_delattr "
    "instantiate_custom_exceptions import_custom_exceptions"
).split()


def test_a_slave_opens_every_door_and_a_master_none() -> None:
    given = ConnectionConfig(max_calls=5)
    for service in (SlaveService, ClassicService, SlaveService()):
        config = config_of(service, given)
        assert all(getattr(config, name) for name in OPEN)
        assert config.max_calls == 5
    mine = config_of(MasterService, given)
    assert mine == given.replace(instantiate_custom_exceptions=True)  # and never imports for them
    assert not given.allow_all_attrs


def test_their_requests_run_in_worker_threads() -> None:
    assert is_threaded(SlaveService)
    assert is_threaded(MasterService)
    assert is_threaded(ClassicService())


def test_which_services_open_everything() -> None:
    class Mine(SlaveService):
        pass

    for service in (SlaveService, SlaveService(), ClassicService, Mine, Mine()):
        assert opens_everything(service)
    for service in (MasterService, txremote.Service, txremote.VoidService(), object()):
        assert not opens_everything(service)


def test_a_slave_does_as_it_is_told() -> None:
    slave = SlaveService()
    slave.execute("x = 1\ndef f(a): return a + x")
    assert slave.eval("f(2)") == 3
    assert slave.namespace["x"] == 1
    assert slave.getmodule("os.path") is os.path
    assert slave.getmodule(("os", "path")) is os.path
    assert slave.getconn() is None
    conn: Any = object()
    slave.on_connect(conn)
    assert slave.getconn() is conn


def test_modules_are_asked_for_once() -> None:
    asked: list[str] = []

    def getmodule(name: str) -> str:
        asked.append(name)
        if name == "missing":
            raise ImportError(name)
        return f"module {name}"

    modules = ModuleNamespace(getmodule)
    assert (modules["a.b"], modules.a, modules["a"]) == ("module a.b", "module a", "module a")
    assert asked == ["a.b", "a"]
    with pytest.raises(AttributeError, match="missing"):
        _ = modules.missing
    with pytest.raises(AttributeError):
        _ = modules.__wrapped__
    with pytest.raises(ImportError):
        _ = modules["missing"]
    assert asked == ["a.b", "a", "missing", "missing"]


def test_a_connection_is_given_its_helpers() -> None:
    class Conn:
        class root:
            eval = "eval"
            execute = "execute"
            namespace = "namespace"
            getmodule = str

    conn: Any = Conn()
    install(conn)
    assert (conn.eval, conn.execute, conn.namespace) == ("eval", "execute", "namespace")
    assert conn.modules.os == "os"
    assert conn.builtins == conn.builtin == "builtins"


@scripted
def test_two_classic_services_use_each_other() -> None:
    there = ClassicService()
    with linked(there, ClassicService) as conn:
        conn.execute("import sys")
        wait_until(lambda: hasattr(there.getconn(), "modules"))
        assert conn.eval("6 * 7") == 42
        theirs = conn.root.getconn()
        assert theirs.eval("1 + 1") == 2


@scripted
def test_a_classic_service_puts_up_with_a_client_that_offers_nothing() -> None:
    with linked(ClassicService) as conn:
        assert conn.root.eval("1 + 1") == 2


# --- served by a reactor --------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_the_reactor_facet_may_use_a_classic_server() -> None:
    async with served(SlaveService) as port:
        conn = await connect(endpoint_of(port))
        assert await conn.root.eval("6 * 7") == 42
        await conn.root.execute("x = [1, 2]")
        names = await conn.root.namespace
        assert await (await names["x"])[1] == 2
        assert await obtain(await names["x"]) == await fetch(await names["x"]) == [1, 2]
        assert await obtain(3) == 3
        path = await conn.root.getmodule("os.path")
        assert await path.join("a", "b") == os.path.join("a", "b")
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_a_classic_service_is_not_listened_for_off_loopback() -> None:
    for root in (SlaveService, ClassicService()):
        with pytest.raises(ValueError, match="loopback"):
            await listen("tcp:0", root)


@pytest_twisted.ensureDeferred
async def test_a_classic_client_of_a_reactors_classic_server() -> None:
    import txremote.blocking as rpyc

    async with served(ClassicService) as port:

        def script() -> None:
            conn = rpyc.classic.connect("127.0.0.1", port.getHost().port)
            assert conn.modules.math.sqrt(9) == 3
            conn.execute("def run(f): return f(20) + 1")
            assert conn.namespace["run"](lambda a: a * 2) == 41
            assert rpyc.classic.obtain(conn.eval("[1, [2]]")) == [1, [2]]
            conn.close()

        await run_script(script)
