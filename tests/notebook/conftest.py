"""One kernel and one server for all tests of notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import rpyc

from tests.notebook.kernels import Kernel
from tests.processes import Twistd


@pytest.fixture(scope="session")
def lab_server() -> Iterator[Twistd]:
    """The lab, served."""
    with Twistd("tests.notebook.lab.lab") as server:
        yield server


@pytest.fixture(scope="session")
def one_kernel() -> Iterator[Kernel]:
    """A kernel that has run nothing."""
    with Kernel() as kernel:
        yield kernel


SETUP = """
if "conn" not in globals() or conn.closed:
    import txremote.aio
    conn = await txremote.aio.connect("localhost", {port})
get_ipython().extension_manager.load_extension("txremote")
"""


@pytest.fixture
def kernel(one_kernel: Kernel, lab_server: Twistd) -> Kernel:
    """The kernel, connected to the lab, and with the extension."""
    cell = one_kernel.run(SETUP.format(port=lab_server.port))
    assert not cell.error, cell.traceback
    return one_kernel


@pytest.fixture
def other(lab_server: Twistd) -> Iterator[Any]:
    """The lab's root, as another client has it: a stock RPyC, which may block here."""
    connection = rpyc.connect("127.0.0.1", lab_server.port)
    try:
        yield connection.root
    finally:
        connection.close()
