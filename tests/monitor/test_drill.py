"""
A drill: things go wrong in one real ``twistd``, and an operator sees each of them in the page's
data, in a metric and in the log.

The watcher's connection is open before anything happens, as a browser's is: where no descriptor is
left, a new one would not get in.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

import txremote.blocking
from tests.net.certificates import Authority
from tests.processes import PATIENCE, Program, script

pytest.importorskip("prometheus_client", reason="no metrics: pip install 'txremote[admin]'")
pytest.importorskip("plac", reason="no console: pip install 'txremote[console]'")
pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="limits of other processes are set on Linux only"
)

MOST_THINGS = 300

PLAN = f"""\
pool = "processes:1"
admin = "tcp:0:interface=127.0.0.1"
admin-token = "token"
slow = 0.1

[[server]]
service = "tests.monitor.drilled.Drilled"
listen = "tcp:0:interface=127.0.0.1"
max-exports = {MOST_THINGS}

[[server]]
service = "tests.monitor.drilled.Drilled"
listen = "unix:tls.sock"
tls-cert = "server.pem"

[[console]]
name = "talkers"
container = "tests.monitor.drilled.Talker"
listen = "unix:console.sock"
tasks-db = "tasks.db"

[[server]]
tasks = "talkers"
listen = "unix:tasks.sock"
"""


class Drill:
    """
    The server, a client of it, and an operator who watches.

    Args:
        folder: Where its files are, and it runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread = ThreadPoolExecutor(1)  # this one is the reactor's, where nothing may block
        self._authority = Authority(folder)
        self.certify(days=90)
        (folder / "site.toml").write_text(PLAN)
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        words = "--pidfile=", "-n", "txremote", "--config", "site.toml"
        self.program = Program(script("twistd"), *words, cwd=folder, env=environment)
        try:
            where = self.program.wait_for(r"admin site is on http://127\.0\.0\.1:(\d+)")
            self._http = HTTPConnection("127.0.0.1", int(where[1]), timeout=PATIENCE)
            self.port = int(self.program.wait_for(r"serves on 127\.0\.0\.1:(\d+) ")[1])
            self.program.wait_for(r"serves on unix:.*tasks\.sock")
            self.conn = self.do(txremote.blocking.connect, "127.0.0.1", self.port)
            self.rows("overview")
        except BaseException:
            self.stop()
            raise

    def certify(self, days: float) -> None:
        """Write a certificate that is valid for so many days more."""
        self._authority.issue("server", datetime.timedelta(days))

    def do(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call something that blocks."""
        return self._thread.submit(function, *arguments).result(PATIENCE)

    def call(self, name: str, *arguments: object) -> Any:
        """Call a method of the service."""
        return self.do(lambda: getattr(self.conn.root, name)(*arguments))

    def get(self, path: str) -> bytes:
        """Return the body of an answer."""
        token = (self.folder / "token").read_text().strip()
        self._http.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = self._http.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body

    def rows(self, view: str) -> Any:
        """Return what the page shows in a view."""
        return json.loads(self.get(f"/api/{view}.json"))

    def logged(self, words: str) -> bool:
        """Tell whether the page has a warning with some words."""
        return any(words in row["text"] for row in self.rows("log"))

    def metric(self, name: str) -> float:
        """Return the sum of a metric's samples; its name may have labels behind it."""
        samples = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", self.get("/metrics").decode(), re.M)
        return sum(map(float, samples))

    def seen(self, page: Callable[[], object], metric: Callable[[], object], log: str) -> None:
        """Wait until the page, a metric and the log show something."""
        deadline = time.monotonic() + PATIENCE
        left = {"page": page, "metric": metric}
        while left:
            left = {name: check for name, check in left.items() if not check()}
            assert time.monotonic() < deadline, f"not seen: {', '.join(left)}"
            time.sleep(0.05)
        self.program.wait_for(log)

    def limit(self, kind: int, most: int) -> Callable[[], object]:
        """Give the process no more than so much; return a function that takes that back."""
        pid = self.rows("overview")["pid"]
        before = resource.prlimit(pid, kind)
        resource.prlimit(pid, kind, (most, before[1]))
        return lambda: resource.prlimit(pid, kind, before)

    def stop(self) -> None:
        """End it."""
        if hasattr(self, "conn"):
            self.do(self.conn.close)
        self._thread.shutdown()
        self.program.kill()


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    drill = Drill(tmp_path_factory.mktemp("drill"))
    yield drill
    drill.stop()


def test_a_slow_method(drill: Drill) -> None:
    drill.call("hold", 0.4)
    drill.seen(
        lambda: [
            row
            for row in drill.rows("slowest")
            if row["method"].endswith("hold") and "drilled.py" in row["line"]
        ],
        lambda: drill.metric("txremote_slow_calls_total") >= 1,
        r"hold.*drilled\.py",
    )


def test_objects_that_are_never_given_back(drill: Drill) -> None:
    def leak() -> list[Any]:
        held = []
        with pytest.raises(Exception, match="max_exports"):
            while len(held) <= MOST_THINGS:
                held.append(drill.conn.root.thing())
        return held

    held = drill.do(leak)
    drill.seen(
        lambda: [
            row
            for row in drill.rows("objects")
            if row["class_name"].endswith("Thing") and row["growth_per_minute"] > 0
        ],
        lambda: drill.metric("txremote_exported_objects") >= MOST_THINGS - 10,
        "max_exports",
    )
    drill.do(held.clear)


def test_a_worker_that_is_killed(drill: Drill) -> None:
    with pytest.raises(Exception, match="SIGKILL"):
        drill.call("die")
    drill.seen(
        lambda: [row for row in drill.rows("pools") if row["restarted"]],
        lambda: drill.metric("txremote_pool_worker_restarts_total") >= 1,
        r"SIGKILL\) while it ran .*die",
    )


def test_a_certificate_that_has_expired(drill: Drill) -> None:
    drill.certify(days=-1)
    drill.seen(
        lambda: [row for row in drill.rows("certificates") if row["state"] == "expired"],
        lambda: drill.metric("txremote_certificate_expiry_timestamp_seconds") < time.time(),
        r"server\.pem.*expired on",
    )


def test_a_disk_that_is_full(drill: Drill) -> None:
    """A file of the process's can grow no more."""
    before = drill.metric('txremote_log_messages_total{level="error"}')
    restore = drill.limit(resource.RLIMIT_FSIZE, 4096)
    try:
        tasks = drill.do(txremote.blocking.unix_connect, str(drill.folder / "tasks.sock"))
        drill.do(lambda: tasks.root.submit("talk 500"))
        drill.seen(
            lambda: drill.logged("tasks.db"),
            lambda: drill.metric('txremote_log_messages_total{level="error"}') > before,
            r"tasks\.db",
        )
        assert [row["status"] for row in drill.rows("tasks")] == ["FINISHED"], "the task goes on"
        drill.do(tasks.close)
    finally:
        restore()


def test_no_descriptor_is_left(drill: Drill) -> None:
    restore = drill.limit(resource.RLIMIT_NOFILE, drill.rows("overview")["open_files"] + 4)
    clients = []
    try:
        for _ in range(12):
            clients.append(socket.create_connection(("127.0.0.1", drill.port)))
        drill.seen(
            lambda: [
                row for row in drill.rows("log") if "file descriptors are open" in row["text"]
            ],
            lambda: drill.metric("process_max_fds") - drill.metric("process_open_fds") < 4,
            r"\d+ of \d+ file descriptors are open",
        )
    finally:
        restore()
        for client in clients:
            client.close()
    drill.do(lambda: txremote.blocking.connect("127.0.0.1", drill.port).close())
