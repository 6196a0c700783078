"""
lab-data-logger: measured values are pulled from services of the laboratory.
"""

from __future__ import annotations

import queue

import rpyc
from lab_data_logger import logger, services

from tests.interop.published.play import serve as run


def serve() -> None:
    """Start a data service as its ``start_service`` does, on a free port."""
    server = rpyc.utils.server.ThreadedServer
    run(server(services.RandomNumberService(), hostname="127.0.0.1", port=0))


def use(port: int) -> None:
    """Pull once, and by the logger's process, whose queue takes the data to this one."""
    data = services.pull_from_service(f"127.0.0.1:{port}")
    assert 0 <= data["fields"]["random_number"] < 1
    assert data["time"].endswith("Z")
    pulled = logger.Queue()
    puller = logger.Puller(pulled, "127.0.0.1", port, "noise", 0.01, ["random_number"])
    puller.pull_process.start()
    try:
        found = [pulled.get(timeout=20)[0] for _ in range(3)]
    except queue.Empty:
        raise AssertionError(f"nothing was pulled; counted {puller.counter}") from None
    finally:
        puller.stop_event.set()
        puller.pull_process.join(10)
    assert puller.counter >= 3
    for each in found:
        assert each["measurement"] == "noise"
        assert 0 <= each["fields"]["random_number"] < 1
