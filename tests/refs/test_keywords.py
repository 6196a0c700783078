"""
A keyword argument may have any name: none of ours, nor of Twisted's, is in its way.

One call sends all names at once: those of every parameter in this package's source, and
those that Twisted's own callers of functions have.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import defer, reactor, task, threads
from twisted.python import context
from twisted.python.threadpool import ThreadPool as TwistedThreadPool

import txremote
import txremote.blocking as rpyc
from txremote import Service, async_, exposed, run_async, threaded, timed
from txremote.testing import connected_pair
from txremote.work.offload import offloaded
from txremote.work.threads import ThreadPool

_TWISTEDS = (
    *(defer.maybeDeferred, defer.Deferred.addCallback, defer.Deferred.addBoth, context.call),
    *(threads.deferToThread, threads.deferToThreadPool, threads.blockingCallFromThread),
    *(task.deferLater, TwistedThreadPool.callInThread),
)


def _parameters() -> Iterator[str]:
    for path in Path(txremote.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.arguments):
                for each in (*node.posonlyargs, *node.args, *node.kwonlyargs):
                    yield each.arg
                for more in (node.vararg, node.kwarg):
                    if more is not None:
                        yield more.arg
    for function in _TWISTEDS:
        yield from inspect.signature(function).parameters


#: They are found when a test needs them: it takes a second.
NAMES: dict[str, int] = {}
#: `run_async`'s own, which its docs name.
OWN = inspect.signature(run_async).parameters.keys() - {"function", "args", "kwargs"}


def given(**names: int) -> tuple[str, ...]:
    """Return the names that came."""
    return tuple(sorted(names))


class Calls(Service):
    """Ways to a function that takes any name."""

    def __init__(self) -> None:
        self.exposed_inner = self

    @exposed
    @staticmethod
    def given(**names: int) -> tuple[str, ...]:
        return given(**names)

    @exposed
    @staticmethod
    def function() -> Callable[..., Any]:
        return given

    @exposed
    @staticmethod
    def callable() -> _Callable:
        return _Callable()

    exposed_in_thread = staticmethod(threaded(given))


class _Callable:
    """An object that is called."""

    @exposed
    def __call__(self, /, **names: int) -> tuple[str, ...]:
        return given(**names)


@pytest.fixture(scope="module", autouse=True)
def every_name() -> None:
    """Find the names."""
    NAMES.update(dict.fromkeys(sorted({*_parameters(), "key", "workers", "pure"}), 1))


def test_the_names_are_many() -> None:
    assert len(NAMES) > 300
    assert {"self", "name", "names", "args", "kwargs", "f", "func", "ctx", "timeout"} <= set(NAMES)


@pytest.mark.parametrize(
    "way",
    [
        lambda root, _call: root.given(**NAMES),
        lambda root, _call: root.inner.given(**NAMES),
        lambda root, _call: root.callRemote("given", **NAMES),
        lambda root, _call: root.inner.callRemote("given", **NAMES),
        lambda root, _call: async_(root.given)(**NAMES).deferred,
        lambda root, _call: async_(root.inner.given)(**NAMES).deferred,
        lambda root, _call: timed(root.given, 5)(**NAMES).deferred,
        lambda root, _call: root.in_thread(**NAMES),
        lambda root, call: call(root.function())(**NAMES),
        lambda root, call: call(root.callable())(**NAMES),
        lambda root, call: async_(call(root.function()))(**NAMES).deferred,
    ],
)
def test_a_reference_sends_every_name(way: Callable[[Any, Any], Any]) -> None:
    pair = connected_pair(server_root=Calls())
    assert pair.result(way(pair.client.root, pair.result)) == tuple(NAMES)


def test_async_of_a_local_function_takes_every_name() -> None:
    assert async_(given)(**NAMES).value == timed(given, 5)(**NAMES).value == tuple(NAMES)


def test_the_programs_own_call_of_a_threaded_method_takes_every_name() -> None:
    assert Calls().exposed_in_thread(**NAMES) == tuple(NAMES)


@pytest_twisted.ensureDeferred
async def test_a_pool_of_threads_takes_every_name() -> None:
    pool = ThreadPool(reactor, 1, 10, "threads:1")
    pool.start()
    try:
        assert await pool.submit(given, (), NAMES) == tuple(NAMES)
        in_context = context.call({"color": "red"}, pool.submit, given, (), NAMES)
        assert await in_context == tuple(NAMES)
    finally:
        await pool.stop()


@pytest_twisted.ensureDeferred
async def test_run_async_takes_every_name_but_its_own() -> None:
    names = {name: 1 for name in NAMES if name not in OWN}
    assert len(names) > 300
    assert await run_async(given, use_thread=True, **names) == tuple(names)


@pytest_twisted.ensureDeferred
async def test_an_offloaded_function_takes_every_name() -> None:
    assert await offloaded(given)(**NAMES) == tuple(NAMES)


def _by_netrefs() -> list[Any]:
    conn = rpyc.connect_thread(remote_service=Calls)
    try:
        root = conn.root
        return [
            root.given(**NAMES),
            root.inner.given(**NAMES),
            root.function()(**NAMES),
            root.callable()(**NAMES),
            root.callable().__call__(**NAMES),
            rpyc.async_(root.given)(**NAMES).value,
            rpyc.timed(root.function(), 5)(**NAMES).value,
        ]
    finally:
        conn.close()


@pytest_twisted.ensureDeferred
async def test_a_netref_sends_every_name() -> None:
    assert await threads.deferToThread(_by_netrefs) == [tuple(NAMES)] * 7
