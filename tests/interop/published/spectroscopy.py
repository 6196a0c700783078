"""
linien: parameters of a spectroscopy lock, kept in step between its server and its clients.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import time

import absent

# where it keeps its files
os.environ["HOME"] = os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp()
absent.stand_in("scipy", "pylpsd", "pyrp3", "fire", "influxdb_client", "cma", "fabric")

import rpyc  # noqa: E402
from linien_client.remote_parameters import RemoteParameters  # noqa: E402
from linien_server.server import FakeRedPitayaControlService  # noqa: E402
from rpyc.utils.server import ThreadedServer  # noqa: E402

from tests.interop.published.play import serve as run  # noqa: E402

CONFIG = {"allow_pickle": True, "allow_public_attrs": True}


class Client(rpyc.Service):
    """
    What a client offers: its name. The package's own sends the hash of a password first, as
    bytes before the protocol.
    """

    exposed_uuid = "client"


def serve() -> None:
    """Serve the server for developers, which has random data in place of the board's."""
    control = FakeRedPitayaControlService()
    run(ThreadedServer(control, hostname="127.0.0.1", port=0, protocol_config=CONFIG))


def use(port: int) -> None:
    """Set and reset parameters, and be told of changes and of data."""
    conn = rpyc.connect("127.0.0.1", port, service=Client, config={"allow_pickle": True})
    assert conn.root.exposed_get_server_version() == "2.1.0"
    parameters = RemoteParameters(conn.root, "client", True)
    changes, spectra = [], []
    parameters.mod_channel.add_callback(changes.append)
    parameters.to_plot.add_callback(spectra.append)
    end = time.monotonic() + 20
    parameters.mod_channel.value = 1
    while not (1 in changes and spectra) and time.monotonic() < end:
        parameters.check_for_changed_parameters()
        time.sleep(0.02)
    assert 1 in changes and parameters.mod_channel.value == 1
    assert len(pickle.loads(spectra[0])["error_signal_1"]) > 1000
    parameters.mod_channel.reset()
    while changes[-1] != 0 and time.monotonic() < end:
        parameters.check_for_changed_parameters()
        time.sleep(0.02)
    assert parameters.mod_channel.value == 0
    assert conn.root.exposed_get_logging_status() is False
    conn.close()
