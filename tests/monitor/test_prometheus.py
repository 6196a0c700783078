"""
A real Prometheus reads the metrics of a real twistd, with our rules.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.processes import PATIENCE, ROOT, Program, Twistd, free_port, run, script
from txremote.blocking import connect

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is missing (Debian's package)"
)

CONFIGURATION = """
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
rule_files: ["{root}/docs/alerts.yml"]
scrape_configs:
  - job_name: txremote
    authorization: {{credentials_file: {folder}/token}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """
    A Prometheus that reads an admin address.

    Attributes:
        admin: The address's port.
    """

    def __init__(self, port: int, admin: int) -> None:
        self.admin = admin
        self._address = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **query: object) -> Any:
        """Return the answer to a question, once there is one that is not empty."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                where = f"{self._address}/{path}?{urlencode(query)}"
                with urlopen(where, timeout=PATIENCE) as page:
                    found = json.load(page)["data"]
            except OSError:  # it is starting
                found = []
            if isinstance(found, dict):
                found = found.get("result", found)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"Prometheus has nothing for {query}")

    def value(self, expression: str) -> float:
        """Return the value of an expression of one series."""
        (series,) = self.ask("query", query=expression)
        return float(series["value"][1])


def call_three_times(port: int) -> None:
    """Call the server that listens there."""
    conn = connect("127.0.0.1", port)
    for number in range(3):
        assert conn.root.add(number, 1) == number + 1
    conn.close()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, and a twistd that has had three calls."""
    folder = tmp_path_factory.mktemp("prometheus")
    admin, port = free_port(), free_port()
    text = CONFIGURATION.format(root=ROOT, folder=folder, port=admin)
    (folder / "prometheus.yml").write_text(text)
    words = ("--admin", f"tcp:{admin}:interface=127.0.0.1", "--admin-token", folder / "token")
    with Twistd("tests.services.Depot", *words) as server:
        with ThreadPoolExecutor(1) as thread:  # the reactor of other tests may be in this one
            thread.submit(call_three_times, server.port).result(PATIENCE)
        with Program(
            "prometheus",
            *("--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "data"),
            *("--web.listen-address", f"127.0.0.1:{port}"),
            *("--enable-feature", "exemplar-storage"),
        ):
            yield Prometheus(port, admin)


def test_prometheus_reads_the_metrics(prometheus: Prometheus) -> None:
    """It takes OpenMetrics, in which each family is as the format wants it."""
    assert prometheus.value('txremote_calls_total{method="Depot.add"}') == 3
    assert prometheus.value("up") == 1
    assert prometheus.value("txremote_ready") == 1
    assert prometheus.value("sum(txremote_connections)") == 0
    (target,) = prometheus.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")


def test_prometheus_takes_the_rules(prometheus: Prometheus) -> None:
    """No alert fires for a server that is well."""
    (group,) = prometheus.ask("rules")["groups"]
    assert {rule["name"]: rule["state"] for rule in group["rules"]}.pop("TxremoteNotReady")
    assert [rule["name"] for rule in group["rules"] if rule["state"] != "inactive"] == []


def test_the_admin_address_tells_containers(prometheus: Prometheus, tmp_path: Path) -> None:
    where = f"http://127.0.0.1:{prometheus.admin}"
    assert run(script("txremote"), "health", where, cwd=tmp_path) == (0, "", "")
