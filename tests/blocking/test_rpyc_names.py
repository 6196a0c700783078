"""
RPyC's module paths and names in txremote.blocking, all of them.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import txremote.blocking
from tests.rpyc_names import INSIDES, PAGE, modules, names_of, page_with


def test_the_page_has_every_name_and_every_switch() -> None:
    """As they are now: ``python -m tests.rpyc_names`` writes them."""
    text = PAGE.read_text("utf-8")
    assert text == page_with(text)


def test_no_module_of_rpyc_s_is_missing() -> None:
    """But for its insides and its commands."""
    for module, _path in modules():
        if INSIDES.get(module, ("", ""))[0] != "*" and module != "rpyc.cli":
            importlib.import_module(module.replace("rpyc", "txremote.blocking", 1))


def test_what_a_module_says_that_it_has_is_there() -> None:
    """So that ``from ... import *`` works."""
    for module, _path in modules():
        name = module.replace("rpyc", "txremote.blocking", 1)
        if name in sys.modules:
            found = sys.modules[name]
            assert all(hasattr(found, each) for each in getattr(found, "__all__", ()))


PATHS = (
    *("core.protocol.DEFAULT_CONFIG", "core.netref.BaseNetref", "core.service.ModuleNamespace"),
    *("core.stream.SocketStream", "core.async_.AsyncResult", "utils.server.ThreadedServer"),
    *("utils.classic.obtain", "utils.helpers.BgServingThread", "utils.factory.unix_connect"),
    *("utils.authenticators.SSLAuthenticator", "classic.DEFAULT_SERVER_PORT", "lib.spawn"),
)


def test_submodules_are_there_without_being_imported() -> None:
    """As those of RPyC are: each path in a process that has imported nothing else."""
    program = (
        "import os, sys, txremote.blocking as rpyc\n"
        "for path in sys.argv[1:]:\n"
        "    if not os.fork():\n"
        "        eval(f'rpyc.{path}')\n"
        "        os._exit(0)\n"
        "    assert os.wait()[1] == 0, path\n"
    )
    subprocess.run([sys.executable, "-c", program, *PATHS], check=True)


def test_a_reactor_is_loaded_with_servers_only() -> None:
    """A script that connects needs none."""
    program = (
        "import sys, txremote.blocking as rpyc, txremote.blocking.utils.helpers\n"
        "assert 'txremote.net' not in sys.modules\n"
        "assert 'twisted.internet.epollreactor' not in sys.modules\n"
        "rpyc.OneShotServer\n"
        "assert 'txremote.net' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_names_of_a_module_are_those_that_it_defines() -> None:
    """Whoever reads the table relies on that."""
    found = dict(modules())
    assert names_of(found["rpyc.utils.authenticators"]) == [
        "AuthenticationError",
        "SSLAuthenticator",
    ]
    assert "connect_by_service" in names_of(found["rpyc"])
    assert isinstance(txremote.blocking.utils.server, ModuleType)
