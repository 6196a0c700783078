"""
headless-ida: the disassembler's API for programs, by a service inside the disassembler.

The disassembler is a program of this folder here, which runs the package's script as the
real one does, with modules that stand in for its API. Between it and the client is the
package's server, which is a client of the script in its turn.
"""

from __future__ import annotations

import contextlib
import io
import tempfile

from headless_ida import HeadlessIdaRemote
from headless_ida.server import HeadlessIdaServer
from rpyc.utils.server import ThreadedServer

from tests.interop.published.packages import STANDINS
from tests.interop.published.play import serve as run

Server = HeadlessIdaServer(str(STANDINS / "idat64"))


def serve() -> None:
    """Serve as the package's command does."""
    config = {"allow_all_attrs": True, "sync_request_timeout": 60}
    run(ThreadedServer(Server, hostname="127.0.0.1", port=0, protocol_config=config))


def twice_first(times):
    import ida_bytes

    return [ida_bytes.get_byte(0)] * times


def use(port: int) -> None:
    """Analyse a file: modules of the disassembler, a function that is sent, and its prints."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\x7fELF binary")
        file.flush()
        ida = HeadlessIdaRemote("127.0.0.1", port, file.name, override_import=False)
    ida_bytes = ida.import_module("ida_bytes")
    assert ida_bytes.get_byte(0) == 0x7F
    assert ida_bytes.get_bytes(1, 3) == b"ELF"
    names = ida.import_module("idautils").Names()
    assert [tuple(each) for each in names] == [(0, "start"), (4, "main")]
    assert ida.run(twice_first, 2) == [0x7F, 0x7F]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        ida.import_module("ida_bytes").say("seen")
    assert "seen" in printed.getvalue()
    ida.clean_up()
