"""
A plugin of pytest that lets ``--reactor`` choose more than pytest-twisted knows.

Not a test file::

    python -m pytest -p tests.reactors --reactor=uvloop

It has to be named with ``-p``: pytest then loads it before pytest-twisted reads which
reactors there are, and before anything can have installed one.
"""

import asyncio
from importlib import import_module

import pytest
import pytest_twisted
from twisted.internet.process import reapAllProcesses

#: Module and class of each reactor, and a function that makes its asyncio loop, if it has one.
REACTORS = {
    "epoll": ("epollreactor", "EPollReactor", None),
    "select": ("selectreactor", "SelectReactor", None),
    "asyncio": ("asyncioreactor", "AsyncioSelectorReactor", asyncio.new_event_loop),
    "uvloop": (
        "asyncioreactor",
        "AsyncioSelectorReactor",
        lambda: import_module("uvloop").new_event_loop(),
    ),
}


def install(name):
    """Install the reactor of this name for the whole run."""
    module_name, class_name, new_loop = REACTORS[name]
    module = import_module(f"twisted.internet.{module_name}")
    loop = () if new_loop is None else (new_loop(),)
    pytest_twisted._install_reactor(lambda: module.install(*loop), getattr(module, class_name))
    if name == "uvloop":
        _reap(*loop)


def _reap(loop):
    """Do what SIGCHLD would have Twisted do: uvloop keeps that signal for processes of its own."""
    reapAllProcesses()
    loop.call_later(0.05, _reap, loop)


for _name in REACTORS:
    pytest_twisted.reactor_installers[_name] = lambda name=_name: install(name)


@pytest.fixture(autouse=True)
def _no_loop_where_nothing_is_awaited(request):
    """
    Let a test that is no coroutine see no asyncio loop, as under every other reactor.

    All tests run within a turn of the reactor. Under asyncio's and uvloop's a loop is running
    then: coroutines would go on in its later turns, which such a test does not wait for, and no
    other loop could be run.
    """
    loop = asyncio._get_running_loop()
    if loop is None or pytest_twisted._get_mark(request.function):
        yield
        return
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)
