"""
Our netrefs in a process that has RPyC's modules: in one of its own, which changes RPyC.
"""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

PROGRAM = """
    import rpyc
    from rpyc.utils.server import ThreadedServer

    import txremote.blocking
    from txremote.daemon.rpyc_netrefs import make_known

    server = ThreadedServer(rpyc.SlaveService, hostname="127.0.0.1", port=0)
    server._start_in_thread()
    ours = txremote.blocking.classic.connect("127.0.0.1", server.port)
    theirs = rpyc.classic.connect("127.0.0.1", server.port)
    mine, other = ours.eval("[1]"), theirs.eval("[2]")
    for known in (False, True, True):
        if known:
            make_known()
        assert isinstance(mine, rpyc.BaseNetref) is known
        assert isinstance(mine, rpyc.core.netref.BaseNetref) is known
        assert isinstance(other, rpyc.BaseNetref)
        assert not isinstance([3], rpyc.BaseNetref)
        assert not isinstance(mine, type(other))
        assert isinstance(mine, theirs.builtins.list)
        assert not isinstance(mine, theirs.builtins.dict)
        assert isinstance(other, theirs.builtins.list)
        assert not isinstance(other, theirs.builtins.dict)
    theirs.close()
    ours.close()
    server.close()
    print("done")
"""


def test_ours_are_rpyc_s_to_code_that_asks() -> None:
    """And nothing else is: not other objects, not in RPyC's check with a remote class."""
    words = [sys.executable, "-c", dedent(PROGRAM)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "done\n", done.stderr


def test_it_is_nothing_without_rpyc() -> None:
    """No program needs RPyC to be hosted."""
    program = "import sys; from txremote.daemon.rpyc_netrefs import make_known as f; f(); "
    program += "assert 'rpyc' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
