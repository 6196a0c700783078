"""
The benchmark harness: that it runs and says what it should, not how fast anything is.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from benchmarks import harness, machine, plot, report
from benchmarks.harness import ContestantFailed, Effort, Measured, Sample
from benchmarks.peers import PEERS, REQUIREMENTS, Peer, pooling, watching, work
from benchmarks.peers.commands import LINE
from benchmarks.peers.crowd import check_file_limit
from benchmarks.peers.floor_watchers import Sockets
from benchmarks.rows import ROWS, aio, workers
from benchmarks.rows.base import Bar, Row
from benchmarks.run import arguments, measure
from tests.processes import run
from txremote.testing import connected_pair

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 60.0


class Race(Row):
    """A row without processes: each contestant has its figures ready."""

    name = "race"
    work = "run"
    unit = "/s"
    more_is_better = True
    contestants = ("echo", "pb", "txremote")
    floor = "echo"
    first = (Bar(0.5, "echo"),)
    goal = (Bar(2.0, "pb", "PB"),)
    figures = {
        "echo": [100.0, 10.0, 100.0],
        "pb": [30.0, 30.0, 30.0],
        "txremote": [60.0, 5.0, 40.0],
    }

    def prepare(self, stage, peer, effort):
        (name,) = [name for name, known in PEERS.items() if known is peer]
        return iter(self.figures[name])

    def measure(self, state, effort):
        return Sample(next(state), "a note")


class StageOf:
    """A stage without processes."""

    def __init__(self, ask):
        self._client = SimpleNamespace(ask=ask)

    def serve(self, module):
        return SimpleNamespace(first=None)

    def connect(self, module, address):
        return self._client


class Told:
    """A watcher without a socket."""

    def __init__(self, text):
        self.text = text

    def send(self, line):
        return None

    def take(self):
        return self.text.replace("\r\n", "\n")


def run_of(row, measured, **kwargs):
    """Return a report's run with one row in it."""
    effort = Effort(rounds=3, **kwargs)
    return report.Run("2026-11-21", "the command", {"CPU": "1 core"}, effort, [(row, measured)])


# -- the command

# Two commands at the same time; the document is the first one's, and has tables of both kinds.
CALLS = ("blocking", "threaded", "background", "objects", "console lines", "console tasks")
DOCUMENT = (*CALLS, "threads pool")
OTHERS = ("process pool", "cold pool", "latency", "thread latency")
OTHERS += ("thread tasks", "reactor tasks", "process tasks")
VALUES = ("records", "dict argument")
if not os.environ.get("TXREMOTE_LONG"):  # which ``nox -s benchmarks`` sets
    # each row starts processes for each of its contestants, and these are like another row
    ALIKE = {"threaded", "console tasks", "cold pool", "thread latency", "reactor tasks"}
    ALIKE |= {"process tasks", "dict argument"}
    DOCUMENT, OTHERS, VALUES = (
        tuple(name for name in names if name not in ALIKE) for names in (DOCUMENT, OTHERS, VALUES)
    )
SMALL_RUN = DOCUMENT + OTHERS
CONTESTANTS = ("echo", "fire", "plain", "lines", "futures", "plac", "txremote")


def in_small_run(*cases):
    """Return the cases, each of a row and another contestant, whose row is in the small run."""
    return [case for case in cases if case[0] in SMALL_RUN]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """A small run of some rows, as a user starts it: its output, JSON and document."""
    running = []
    for rows in (DOCUMENT, OTHERS):
        folder = tmp_path_factory.mktemp("benchmarks")
        what = ["--quick", "--rounds", "1"]
        for row in rows:
            what += ["--row", row]
        for contestant in CONTESTANTS:
            what += ["--contestant", contestant]
        files = ["--json", str(folder / "out.json"), "--rst", str(folder / "out.rst")]
        command = [sys.executable, ROOT / "benchmarks" / "run.py", *what, *files]
        running.append((folder, command))
    with ThreadPoolExecutor(len(running)) as threads:
        ended = list(threads.map(lambda each: run(*each[1], cwd=each[0], timeout=120), running))
    for status, _text, errors in ended:
        assert status == 0, errors
    found, more = (json.loads((folder / "out.json").read_text()) for folder, _command in running)
    found["rows"] += more["rows"]
    found["failures"] += more["failures"]
    text = "".join(output for _status, output, _errors in ended)
    return text, found, (running[0][0] / "out.rst").read_text()


def test_the_command_prints_the_table_from_any_folder(small_run):
    """One command, and the figures, the ratios and the bars are on the screen."""
    text, _found, _document = small_run
    for word in (*SMALL_RUN, "floor", "txremote", "first bar", "goal", "of floor"):
        assert word in text


def test_json_has_values_ratios_and_bars(small_run):
    """The JSON says for each contestant what was measured, and for txremote whether it suffices."""
    _text, found, _document = small_run
    assert [row["name"] for row in found["rows"]] == list(SMALL_RUN)
    rows = {row["name"]: row for row in found["rows"]}
    blocking, objects = rows["blocking"], rows["objects"]
    assert blocking["unit"] == "us"
    for name in ("echo", "txremote"):
        figures = blocking["contestants"][name]
        assert figures["values"] == [figures["median"]]
        assert figures["median"] > 0
        assert figures["client_cpu_us"][0] > 0
        assert figures["server_cpu_us"][0] > 0
    assert blocking["contestants"]["pyro5"] is None  # left out
    assert blocking["ratios"]["echo"]["median"] > 0
    assert blocking["first_bar"][0]["met"] in (True, False)
    assert objects["contestants"]["rpyc"] is None
    assert found["failures"] == []
    assert {"CPU", "Python", "Twisted"} <= set(found["machine"])


def test_a_reply_full_of_objects_is_counted_as_one_round_trip(small_run):
    """The relay counts the requests on the wire: one for any number of objects."""
    _text, found, _document = small_run
    (row,) = [row for row in found["rows"] if row["name"] == "objects"]
    assert row["contestants"]["txremote"]["values"] == [1]


@pytest.mark.parametrize(
    ("name", "floor"),
    in_small_run(("blocking", "echo"), ("threaded", "echo"), ("background", "fire")),
)
def test_a_plain_script_is_measured_beside_a_plain_socket(small_run, name, floor):
    """Rows whose clients block have a floor and a ratio to it, in the same run."""
    _text, found, _document = small_run
    (row,) = [row for row in found["rows"] if row["name"] == name]
    assert row["contestants"]["txremote"]["median"] > 0
    assert row["ratios"][floor]["median"] > 0


def test_a_hundred_events_take_no_interval(small_run):
    """A BgServingThread has them long before RPyC's would have looked three times."""
    _text, found, _document = small_run
    (row,) = [row for row in found["rows"] if row["name"] == "background"]
    assert row["contestants"]["txremote"]["median"] < 200


@pytest.mark.parametrize(
    ("name", "other"),
    in_small_run(
        ("threads pool", "plain"),
        ("process pool", "futures"),
        ("cold pool", "futures"),
        ("latency", "plain"),
        ("thread latency", "plain"),
        ("thread tasks", "plain"),
        ("thread tasks", "plac"),
        ("reactor tasks", "plain"),
        ("process tasks", "plain"),
    ),
)
def test_pools_are_measured_beside_others(small_run, name, other):
    """run_async has its figures, and its ratios to what does the same, in the same run."""
    _text, found, _document = small_run
    (row,) = [row for row in found["rows"] if row["name"] == name]
    assert row["contestants"]["txremote"]["median"] > 0
    assert row["ratios"][other]["median"] > 0


@pytest.mark.parametrize(
    ("name", "floor"), in_small_run(("console lines", "lines"), ("console tasks", "lines"))
)
def test_consoles_are_measured_beside_plain_sockets(small_run, name, floor):
    """What arrives at 20 clients of a console, and what a bare server sends as many."""
    _text, found, _document = small_run
    (row,) = [row for row in found["rows"] if row["name"] == name]
    assert row["contestants"]["txremote"]["median"] > 0
    assert row["contestants"]["txremote"]["server_cpu_us"][0] > 0
    assert row["ratios"][floor]["median"] > 0


@pytest.mark.parametrize("row", [aio.TASKS, aio.SEQUENTIAL_UVLOOP], ids=lambda row: row.name)
def test_programs_without_a_reactor_have_figures(row):
    """On either loop, and so has the bare protocol on it."""
    measured = harness.run_row(row, Effort(rounds=1, seconds=0.01, quick=True))
    assert set(measured) == set(row.contestants)
    for each in measured.values():
        assert each.error == "" and each.median > 0 and each.cpu


@pytest.mark.skipif(not machine.offers("value"), reason="this txremote has no values")
@pytest.mark.parametrize("name", VALUES)
def test_values_are_measured_beside_others(name):
    """Each contestant has a figure, and txremote's is compared with it."""
    (row,) = [row for row in ROWS if row.name == name]
    measured = harness.run_row(row, Effort(rounds=1, seconds=0.01, quick=True))
    errors = {who: figures.error for who, figures in measured.items() if figures.error}
    assert errors == {}
    for bar in row.first:
        assert row.is_met(bar, measured) in (True, False)
    assert "us" in measured["txremote"].note or "ms" in measured["txremote"].note


@pytest.mark.parametrize("name", ["stream items", "stream bytes", "graph", "workers"])
def test_what_is_new_is_measured_beside_what_it_replaces(name):
    """Each contestant has done all of it; the bar is a contestant's figure of the same round."""
    (row,) = [row for row in ROWS if row.name == name]
    measured = harness.run_row(row, Effort(rounds=1, seconds=0.01, quick=True))
    assert {who: figures.error for who, figures in measured.items() if figures.error} == {}
    assert set(measured) == set(row.contestants)
    assert row.is_met(row.goal[0], measured) in (True, False)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_events_to_many_are_measured_beside_a_loop_and_a_broker():
    """Every subscriber has got every event."""
    (row,) = [row for row in ROWS if row.name == "fan-out"]
    measured = harness.run_row(row, Effort(rounds=1, seconds=0.01, quick=True))
    assert {who: figures.error for who, figures in measured.items() if figures.error} == {}
    assert set(measured) == {who for who in row.contestants if PEERS[who].installed}
    assert row.is_met(row.goal[0], measured) in (True, False)


def test_subscribers_are_timed_beside_some_that_read_nothing():
    """Those get nothing more, or the row fails; the others get all."""
    (row,) = [row for row in ROWS if row.name == "slow subscribers"]
    measured = harness.run_row(row, Effort(rounds=2, seconds=0.01, quick=True))
    assert [figures.error for figures in measured.values()] == [""]
    assert row.is_met(row.goal[0], measured) in (True, False)


def test_the_floor_gives_out_events_as_long_as_ours():
    """The frame that a bare loop writes has the size of a topic's message with the same event."""
    from benchmarks.peers.floor_prepared import EVENT, FRAME
    from benchmarks.peers.txr_topics import Bench

    pair = connected_pair(server_root=Bench)
    events = aiter(pair.result(pair.client.root.ticks.subscribe()))
    reading = Deferred.fromCoroutine(anext(events))
    pair.pump()
    pair.server.transport.written.clear()
    Bench.exposed_ticks.publish(EVENT)
    assert [len(frame) for frame in pair.server.transport.written] == [len(FRAME)]
    assert pair.result(reading) == EVENT


@pytest.mark.skipif(not machine.offers("value"), reason="this txremote has no values")
@pytest.mark.parametrize("name", ["array", "array memory"])
def test_an_array_is_measured_beside_as_many_bytes(name):
    """txremote and the floor have a figure each; memory where the system tells it."""
    pytest.importorskip("numpy", reason="numpy is not installed (extra numpy)")
    (row,) = [row for row in ROWS if row.name == name]
    effort = Effort(rounds=1, seconds=0.01, quick=True)
    measured = harness.run_row(row, effort, ["whole", "txremote"])
    assert {who: figures.error for who, figures in measured.items()} == {
        "whole": "",
        "txremote": "",
    }
    for bar in row.first:
        assert row.is_met(bar, measured) in (True, False)
        assert row.is_met(bar, {"txremote": measured["txremote"]}) is None


def test_a_row_that_this_txremote_cannot_do_is_left_out(monkeypatch, capsys):
    """An older one has no figure, and that is no failure."""
    monkeypatch.setattr(machine, "offers", lambda name: not name)
    run = measure(arguments(["--row", "records"]))
    assert (run.rows, run.failures) == ([], [])
    assert "this txremote has no value" in capsys.readouterr().err


def test_lines_that_do_not_arrive_are_an_error(monkeypatch):
    """A console that drops a line, or tears one, has no figure."""
    monkeypatch.setattr(watching, "Watcher", lambda _port: Told(f"{LINE % 0}\r\n"))
    monkeypatch.setattr(watching, "read_all", lambda _watchers, _end: None)
    monkeypatch.setattr(Sockets, "watch", lambda _self, _tasks, _count: None)
    assert Sockets(0).one_task(1) > 0
    with pytest.raises(AssertionError, match="a wrong answer"):
        Sockets(0).one_task(2)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("contestant", ["futures", "txremote"])
def test_the_workers_processor_time_is_counted(small_run, contestant):
    """A pool is not cheap by having its work done elsewhere."""
    _text, found, _document = small_run
    (row,) = [row for row in found["rows"] if row["name"] == "process pool"]
    figures = row["contestants"][contestant]
    assert figures["client_cpu_us"][0] > 0
    assert figures["server_cpu_us"][0] > 0


def test_pools_have_tables_of_their_own(small_run):
    """Who makes no calls is no column among those who do, and the other way round."""
    _text, _found, document = small_run
    calls, pools = document.split("Pools: figures\n--------------\n")
    assert "RPyC" in calls.split("Figures\n-------\n")[1]
    assert "pebble" not in calls.split("Figures\n-------\n")[1]
    assert "of pebble" in pools
    assert "of RPyC" not in pools
    assert "Pools: processor time\n" in document


def test_the_document_says_machine_date_and_command(small_run):
    """What --rst writes can be recorded as it is."""
    _text, found, document = small_run
    assert document.startswith("Benchmark results\n=================\n")
    assert found["date"] in document
    assert "\n    python benchmarks/run.py --quick --rounds 1 --row blocking --row" in document
    assert "--json" not in document  # where it was written to is nobody's business
    assert found["machine"]["CPU"] in document


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_behind(how):
    """End the harness or kill it: its contestants end with it."""
    words = ["--row", "sequential", "--contestant", "echo", "--seconds", "60"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: len(listed.read_text().split()) == 2)
        children = listed.read_text().split()
        process.send_signal(how)
        process.wait(DEADLINE)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(alive(child) for child in children))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("contestant", ["futures", "txremote"])
def test_a_pools_workers_end_with_it(contestant):
    """A contestant's own processes are gone when the harness is through with it."""
    with harness.Stage() as stage:
        child = stage.alone(PEERS[contestant].pools)
        child.ask("processes", 1, 10)
        left = harness.session(child._process.pid)
        assert len(left) >= 3
    wait_until(lambda: not any(alive(pid) for pid in left))


@pytest.mark.skipif(not PEERS["dask"].installed, reason="Dask is not installed")
def test_dask_is_measured_beside_its_own_client():
    """Each has a cluster, and both have their figures."""
    (row,) = [row for row in ROWS if row.name == "dask"]
    measured = harness.run_row(row, Effort(rounds=1, seconds=0.01, quick=True))
    assert {name: m.error for name, m in measured.items()} == {"dask": "", "txremote": ""}
    assert harness.ratio(measured["txremote"], measured["dask"]).median > 0


@pytest.mark.skipif(not PEERS["dask"].installed, reason="Dask is not installed")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_cluster_ends_with_its_contestant():
    """The scheduler and the workers are gone when the harness is through."""
    with harness.Stage() as stage:
        child = stage.alone(PEERS["dask"].pools)
        left = harness.session(child._process.pid)
        assert len(left) == 4
    wait_until(lambda: not any(alive(pid) for pid in left))


def test_a_crowd_is_measured_beside_a_bare_one():
    """Both have what a call of many costs to that of few, and what each client takes."""
    (row,) = [row for row in ROWS if row.name == "crowd"]
    measured = harness.run_row(row, Effort(rounds=1, quick=True))
    assert {name: m.error for name, m in measured.items()} == {"echo": "", "txremote": ""}
    assert harness.ratio(measured["txremote"], measured["echo"]).median > 0
    assert "KB each" in measured["txremote"].note


def test_a_crowd_that_the_system_does_not_allow(monkeypatch):
    """Whoever runs it is told what to raise, before anybody has come."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (1024, 4096))
    check_file_limit(800)
    with pytest.raises(OSError, match=r"10000 clients need 10200 open files.*ulimit -Hn"):
        check_file_limit(10_000)


@pytest.mark.skipif(len(harness.cores()) < 2, reason="needs two cores")
def test_apart_leaves_pools_alone():
    """Workers on the core of their parent would have half of the machine."""
    with harness.Stage(apart=True) as stage:
        child = stage.alone("benchmarks.peers.with_futures")
        assert os.sched_getaffinity(child._process.pid) == set(harness.cores())


@pytest.mark.skipif(len(harness.cores()) < 2, reason="needs two cores")
def test_apart_leaves_servers_of_several_workers_alone():
    """All workers on one core would be no faster than one."""
    with harness.Stage(apart=True) as stage:
        server, client = workers.ROW.start(stage, PEERS["workers"])
        for child in (server, client):
            assert os.sched_getaffinity(child._process.pid) == set(harness.cores())


def test_the_ratios_of_the_readme_are_those_of_the_recorded_run():
    """The table and the plot come from one file."""
    times = plot.advantages(json.loads((ROOT / "benchmarks" / "RATIOS.json").read_text()))
    assert times.keys() == plot.ROWS.keys()
    assert plot.table(times) in (ROOT / "README.rst").read_text()


def test_contestants_of_one_file_share_a_process():
    """deferToThread and run_async have the same threads, so their ratio is of nothing else."""
    with harness.Stage() as stage:
        module = "benchmarks.peers.with_futures"
        assert stage.alone(module) is stage.alone(module)


@pytest.mark.skipif(len(harness.cores()) < 2, reason="needs two cores")
def test_apart_means_a_core_for_servers_and_one_for_clients():
    """The scheduler's choice of one core or two is not measured."""
    with harness.Stage(apart=True) as stage:
        server = stage.serve("benchmarks.peers.floor_echo")
        client = stage.connect("benchmarks.peers.floor_pingpong", server.first)
        kept_to = [os.sched_getaffinity(child._process.pid) for child in (server, client)]
    assert kept_to == [{core} for core in harness.cores()[:2]]


def test_apart_without_two_cores_is_refused(monkeypatch, capsys):
    """A run that does not do what it was told makes no record."""
    monkeypatch.setattr(harness, "cores", lambda: [0])
    with pytest.raises(SystemExit):
        arguments(["--apart"])
    assert "--apart needs two cores" in capsys.readouterr().err


def wait_until(true):
    """Wait for a condition, within the deadline."""
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid):
    """Tell whether one of ours still runs; a process that only waits to be reaped does not."""
    try:
        os.kill(int(pid), 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


# -- rounds


def test_ratios_are_taken_within_a_round():
    """A bad moment of the machine hits both, so the ratio stays what it is."""
    measured = harness.run_row(Race(), Effort(rounds=3))
    assert measured["txremote"].values == [60, 5, 40]
    assert harness.ratio(measured["txremote"], measured["echo"]).values == [0.6, 0.5, 0.4]
    assert harness.ratio(measured["txremote"], measured["echo"]).median == 0.5


def test_one_contestant_that_fails_does_not_stop_the_others():
    """It is shown as failed, with the reason, and txremote's ratio to it is not made up."""

    class Broken(Race):
        def measure(self, state, effort):
            if state is self.bad:
                raise ContestantFailed("PB has had enough")
            return super().measure(state, effort)

        def prepare(self, stage, peer, effort):
            state = super().prepare(stage, peer, effort)
            if peer is PEERS["pb"]:
                self.bad = state
            return state

    row = Broken()
    measured = harness.run_row(row, Effort(rounds=3))
    assert measured["pb"].error == "PB has had enough"
    assert measured["echo"].values == [100, 10, 100]
    run = run_of(row, measured)
    assert "failed" in report.figures_table(run)
    assert run.failures == ["race: PB has had enough"]
    assert "2 of PB: ?" in report.bars_table(run)


def test_a_process_that_does_not_come_up_says_why():
    """A contestant whose file cannot be imported is a failure with its traceback."""
    with harness.Stage() as stage, pytest.raises(ContestantFailed, match="No module named"):
        stage.serve("benchmarks.peers.no_such_peer")


def test_a_peer_that_is_not_installed_is_left_out_and_named(monkeypatch):
    """Its cell is "-", and below stands the file that installs it."""
    monkeypatch.setitem(PEERS, "pb", Peer("PB", "benchmarks.peers.with_pb", "no_such_package"))
    row = Race()
    measured = harness.run_row(row, Effort(rounds=3))
    assert set(measured) == {"echo", "txremote"}
    run = run_of(row, measured)
    line = report.figures_table(run).splitlines()[3].split()
    assert line[:6] == ["race", "100/s", "±45%,", "a", "note", "n/a"]
    assert "-" in line
    assert f"- : not installed (PB): pip install -r {REQUIREMENTS}" in report.as_text(run)
    assert (ROOT / REQUIREMENTS).exists()


# -- bars


@pytest.mark.parametrize(
    ("more_is_better", "bar", "met"),
    [
        (True, Bar(0.5, "echo"), True),
        (True, Bar(0.51, "echo"), False),
        (False, Bar(0.5, "echo"), True),
        (False, Bar(0.49, "echo"), False),
        (True, Bar(5.0), True),
        (False, Bar(4.9), False),
        (True, Bar(1.0, "pb"), None),
    ],
)
def test_a_bar_is_met_by_the_median(more_is_better, bar, met):
    """At the bar is good enough; without the other contestant there is no verdict."""
    row = Race()
    row.more_is_better = more_is_better
    measured = {"echo": Measured([10.0, 10.0, 10.0]), "txremote": Measured([1.0, 5.0, 9.0])}
    assert row.is_met(bar, measured) is met


def test_bars_are_written_out():
    """The table says what was asked for and whether it is there."""
    row = Race()
    measured = harness.run_row(row, Effort(rounds=3))
    assert report.verdict(row.first, row, measured) == ">= 0.5 of floor: met"
    assert report.verdict(row.goal, row, measured) == ">= 2 of PB: MISSED"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (172_345, "172k"),
        (78_049, "78.0k"),
        (2345, "2,345"),
        (1001, "1,001"),
        (101.4, "101"),
        (24.04, "24.0"),
        (2.384, "2.38"),
        (1, "1"),
        (0.001, "0.001"),
    ],
)
def test_figures_have_three_digits_that_count(value, text):
    """A table can be read at a glance."""
    assert report.number(value) == text


# -- rows and contestants


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_knows_its_contestants(row):
    """Every row names txremote, known peers, a column for each, and bars to one of them."""
    assert row.mine in row.contestants
    assert set(row.contestants) <= set(PEERS)
    titles = [PEERS[name].title for name in row.contestants]
    assert len(set(titles)) == len(titles)
    assert set(titles) <= set(report.columns(row.pools))
    assert row.floor is None or PEERS[row.floor].title == "floor"
    for bar in (*row.first, *row.goal):
        assert bar.of is None or bar.of in row.contestants


def test_rows_have_names_of_their_own():
    """--row NAME means one row."""
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("a", "size"), [(30000, work.FRAME), (1, work.BLOCKING_FRAME)])
def test_the_floor_echoes_messages_as_long_as_ours(a, size):
    """The raw echo's frames have the size of txremote's requests."""
    from benchmarks.peers.txr import Bench

    pair = connected_pair(server_root=Bench)
    pair.client.root.add(a, 2)
    (frame,) = pair.client.transport.written
    assert len(frame) == size


def test_the_floor_fires_events_as_long_as_ours():
    """The raw server's frames have the size of txremote's events."""
    from benchmarks.peers.floor_fire import EVENT
    from benchmarks.peers.txr import Bench

    pair = connected_pair(server_root=Bench)
    pair.client.root.subscribe(work.Arrivals().event)
    pair.pump()
    pair.server.transport.written.clear()
    pair.server.service._subscriber(12345.678901234)
    (frame,) = pair.server.transport.written
    assert len(frame) == work.EVENT_FRAME == 4 + EVENT.size


def test_fewer_events_are_asked_of_rpyc_and_scaled():
    """10 s a round would say no more than 1 s; the table says from how many."""
    row = next(row for row in ROWS if row.name == "background")
    asked = []

    def ask(name, count):
        asked.append((name, count))
        return 0.1 * count

    state = row.prepare(StageOf(ask), PEERS["rpyc"], Effort())
    sample = row.measure(state, Effort())
    assert asked[-1] == ("background", 10)
    assert (sample.value, sample.note) == (pytest.approx(10_000), "from 10")


def test_the_latency_of_an_event_is_a_median():
    """One that is late is not what a user sees."""
    arrivals = work.Arrivals()
    late = iter([0.0, 5.0, 0.0])
    seconds = arrivals.one_by_one(
        lambda count, delay: arrivals.event(time.perf_counter() - next(late)), 3
    )
    assert seconds < 1


def test_events_that_do_not_come_are_an_error(monkeypatch):
    """A contestant that loses events has no figure."""
    monkeypatch.setattr(work, "PATIENCE", 0.01)
    arrivals = work.Arrivals()
    with pytest.raises(AssertionError, match="1 of 2 events came"):
        arrivals.burst(lambda count, delay: arrivals.event(0.0), 2)


def test_a_tick_that_was_missed_is_late():
    """A reactor that was busy for 11 ms is found out, though one tick only came late."""
    now = [0.0]
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "perf_counter", lambda: now[0])
        ticks = pooling.Ticks(clock)
        now[0] += 0.011
        clock.advance(0.011)
    assert ticks.stop() == pytest.approx([0, 0.001, 0.003, 0.005, 0.007, 0.009])


def test_a_pool_that_gives_a_wrong_answer_has_no_figure():
    """Nobody is fast by being wrong."""
    with pytest.raises(AssertionError, match="a wrong answer"):
        pooling.blocking_bursts(lambda n: SimpleNamespace(result=lambda: n), 1, 2)
    failed = []
    Deferred.fromCoroutine(pooling.burst(succeed, 2)).addErrback(failed.append)
    assert failed[0].getErrorMessage() == "a wrong answer"


@pytest.mark.parametrize(("needed", "asked"), [(1e-6, [20, 20, 50000]), (0.01, [20, 20])])
def test_the_warm_up_grows_until_it_can_be_timed(needed, asked):
    """20 calls of a microsecond each are too short to tell how many fill the time."""
    row = next(row for row in ROWS if row.name == "blocking")
    found = []

    def ask(name, count):
        found.append(count)
        return needed * count

    row.prepare(StageOf(ask), PEERS["echo"], Effort(seconds=0.05, quick=True))
    assert found == asked
