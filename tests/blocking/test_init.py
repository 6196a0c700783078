"""
``import txremote.blocking as rpyc``: the names of RPyC's programs are there, and
no reactor.
"""

from __future__ import annotations

import subprocess
import sys

import txremote.blocking as rpyc

NAMES = """
    connect ssl_connect unix_connect connect_thread connect_subproc classic async_
    timed BgServingThread buffiter restricted exposed service Service VoidService
    SlaveService MasterService ClassicService ThreadedServer BaseNetref AsyncResult
    AsyncResultTimeout GenericException
""".split()


def test_it_has_rpycs_names() -> None:
    assert [name for name in NAMES if not hasattr(rpyc, name)] == []
    assert set(NAMES) - {"classic"} <= set(rpyc.__all__)
    assert [name for name in rpyc.__all__ if not hasattr(rpyc, name)] == []


def test_async_goes_by_its_old_name_too() -> None:
    assert getattr(rpyc, "async") is rpyc.async_


def test_its_classic_module_has_the_helpers() -> None:
    names = "connect connect_thread connect_subproc ssl_connect unix_connect obtain deliver"
    names += " upload download redirected_stdio"
    assert [name for name in names.split() if not hasattr(rpyc.classic, name)] == []


def test_a_script_that_uses_it_has_no_reactor() -> None:
    """Neither by importing it nor by calling something."""
    program = """if True:
        import sys, txremote.blocking as rpyc
        from txremote.blocking.utils.server import ThreadedServer

        class Adder(rpyc.Service):
            def exposed_add(self, a, b):
                return a + b

        conn = rpyc.connect_thread(remote_service=Adder)
        assert conn.root.add(1, 2) == 3
        assert rpyc.async_(conn.root.add)(1, 2).value == 3
        conn.close()
        assert "twisted.internet.reactor" not in sys.modules
        print("fine")
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
