"""
The program of a worker. What it does in a process is in ``test_supervisor.py``.
"""

from __future__ import annotations

import pytest
from twisted.internet import reactor

from txremote.daemon.problems import PlanError
from txremote.daemon.workers.child import NUMBERS, Worker
from txremote.daemon.workers.launch import Launch

SHOP = "tests.daemon.workers.shop.Shop"
COMMANDS = "tests.daemon.workers.shop.Commands"


def launch(sockets: tuple[str, ...] = (), **options: object) -> Launch:
    """Return what a worker is told."""
    return Launch(2, 7, dict(options), "/", "/", "", sockets)


def test_an_address_that_is_new_is_a_problem_of_the_plan() -> None:
    """The sockets are the supervisor's, who has them from its start."""
    with pytest.raises(PlanError, match="a new address needs a restart of the whole server"):
        Worker(launch(service=SHOP, listen=["tcp:1"]), reactor)


def test_consoles_and_their_tasks_wait_until_it_is_the_keeper() -> None:
    """Until then it listens nowhere for them, and is complete without."""
    options = {"container": [COMMANDS], "console": ["tcp:1"], "listen": ["tcp:2"]}
    worker = Worker(launch(workers="2", admin="tcp:3:interface=127.0.0.1", **options), reactor)
    assert not worker.hosting.monitor.servers
    report = worker.report()
    assert report.listeners == [] and report.tasks == []
    with pytest.raises(PlanError):  # it has no sockets for them here
        worker.keep()


def test_the_supervisor_alone_registers_servers() -> None:
    """Those that wait for the keeper, too: the rest starts without a registry."""
    options = {"container": [COMMANDS], "console": ["tcp:1"], "listen": ["tcp:2"]}
    named = {"register": ["shop"], "registry": "rpyc://127.0.0.1:1"}
    worker = Worker(launch(workers="2", **options, **named), reactor)
    assert not worker.hosting._registering
    with pytest.raises(PlanError) as caught:
        worker.keep()
    assert all("does not listen there" in str(each) for each in caught.value.problems)


def test_the_page_of_the_supervisor_may_change_what_a_worker_has() -> None:
    """The page is not the worker's, and that it may is no problem of its plan: of either part."""
    options = {"container": [COMMANDS], "console": ["tcp:1"], "listen": ["tcp:2"]}
    site: dict[str, object] = {"admin": "unix:admin.sock", "admin-write": True}
    worker = Worker(launch(workers="2", **options, **site), reactor)
    assert worker.hosting.monitor.overview().can_write
    with pytest.raises(PlanError) as caught:
        worker.keep()
    assert all("does not listen there" in str(each) for each in caught.value.problems)


def test_what_an_operator_wants_of_one_worker_is_its_monitors() -> None:
    """Connections have numbers that no other worker's have."""
    worker = Worker(launch(container=[COMMANDS]), reactor)
    with pytest.raises(PermissionError):
        worker.do("close_connection", [7 * NUMBERS + 1, "ann"])
    with pytest.raises(ValueError, match="is not asked for 'stopService'"):
        worker.do("stopService", [])
