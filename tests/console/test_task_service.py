"""
Tasks as remote objects.
"""

import re
import sys
from dataclasses import dataclass

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from tests.console.clients import TelnetSocket
from tests.console.importers import Desk
from tests.interop.peer_processes import TWISTD, Program
from tests.processes import Program as Script
from txremote import connect, exposed, get_remote, repr_remote
from txremote.console.task_service import MAX_SUBSCRIPTIONS, TaskService
from txremote.console.tasks import TaskManager
from txremote.errors import ContainerError
from txremote.refs.reference import RemoteReference
from txremote.tasks.stepping import Progress
from txremote.testing import connected_pair
from txremote.wire.record import Record


@dataclass
class Row:
    name: str
    seats: list[int]


class Other:
    commands = ["boom", "same", "row", "rows", "bare"]
    asyncommands = ["load", "gate"]
    gates = []

    def boom(self):
        raise ValueError("no further")

    def same(self):
        return 6 * 7

    def row(self) -> Row:
        return Row("a", [1, 2])

    def rows(self) -> list[Row]:
        return [Row("a", [1, 2])]

    def bare(self):
        return Row("a", [1, 2])

    def load(self, n: int):
        "tell how far it is"
        for number in range(1, n + 1):
            yield f"line {number}"
            yield Progress(number, n, "loading")

    def gate(self):
        "wait until a test opens it"
        yield "before"
        self.gates.append(Deferred())
        yield self.gates[-1]
        yield "after"


class Linked:
    """A client and a server of tasks, in memory."""

    def __init__(self, *containers, **options):
        self.clock = Clock()
        self.manager = TaskManager(reactor=self.clock, keep=None, **options)
        self.service = TaskService(
            *(containers or [Other, Desk]), manager=self.manager, reactor=self.clock
        )
        self.pair = connected_pair(server_root=self.service)
        self.root = self.pair.client.root

    def get(self, deferred):
        """Return the result of a call."""
        self.turn()
        return self.pair.result(deferred)

    def turn(self, turns=20):
        """Let both sides work."""
        for _ in range(turns):
            self.clock.advance(1e-6)
            self.pair.pump()


@pytest.fixture
def linked():
    """A client and a server."""
    return Linked()


class TestTasks:
    def test_submit(self, linked):
        """A task comes by reference; what it tells by value."""
        linked.pair.server.log_in("ann", None)
        task = linked.get(linked.root.submit("load 2"))
        linked.turn()
        assert linked.get(repr_remote(task)) == "<AsynTask 1 [load 2] FINISHED>"
        assert linked.get(get_remote(task, "no")) == 1
        assert linked.get(get_remote(task, "words")) == ("load", "2")
        assert linked.get(get_remote(task, "status")) == "FINISHED"
        assert linked.get(get_remote(task, "foreground")) is False
        assert linked.get(get_remote(task, "progress")) == (2, 2, "loading")
        assert linked.get(get_remote(task, "error")) == ""
        assert len(linked.get(get_remote(task, "times"))) == 3
        assert linked.get(get_remote(task, "owner")) == "ann"
        seconds, _rate, left = linked.get(get_remote(task, "pace"))
        assert seconds < 0.001  # the clock's: its steps may have had more than one turn
        assert left is None
        assert linked.get(task.output()) == ("line 1", "line 2")
        assert linked.get(task.output(1)) == ("line 2",)
        assert linked.get(linked.root.find()) is task

    def test_words(self, linked):
        """A command line may come as its words."""
        task = linked.get(linked.root.submit(("echo", "a  b", "-"), "Desk"))
        assert linked.get(task.result()) == "a  b -"

    def test_containers(self, linked):
        """The first is meant where none is named; an unknown name is told."""
        assert linked.get(linked.root.containers()) == ("Other", "Desk")
        assert linked.get(linked.get(linked.root.submit("echo a", "Desk")).result()) == "a"
        with pytest.raises(LookupError, match="no container 'Disk': there is Other, Desk"):
            linked.get(linked.root.submit("echo a", "Disk"))

    def test_result(self, linked):
        """The command's return value, or its exception."""
        task = linked.get(linked.root.submit("same"))
        assert linked.get(task.result()) == 42
        task = linked.get(linked.root.submit("boom"))
        with pytest.raises(ValueError, match="no further"):
            linked.get(task.result())
        assert linked.get(get_remote(task, "error")) == "ValueError: no further"
        assert "in boom" in linked.get(get_remote(task, "traceback"))

    def test_a_result_that_is_declared_as_a_value(self, linked):
        """It is copied; any other stays where it is, as the last item of a list does (plac)."""
        task = linked.get(linked.root.submit("row"))
        assert linked.get(task.result()) == Record("Row", name="a", seats=[1, 2])
        for word in ("rows", "bare"):
            task = linked.get(linked.root.submit(word))
            assert type(linked.get(task.result())) is RemoteReference

    def test_a_stock_peer_gets_results_as_ever(self, linked):
        """By reference, whatever the command declares."""
        linked.pair.server.features = frozenset()
        task = linked.get(linked.root.submit("row"))
        assert type(linked.get(task.result())) is RemoteReference
        snapshot = linked.get(task.snapshot())
        assert linked.get(get_remote(snapshot, "words")) == ("row",)
        with pytest.raises(AttributeError, match="a TaskStatus has its fields alone"):
            linked.get(get_remote(snapshot, "__dict__"))

    def test_snapshots(self, linked):
        """All tasks with all that they tell, in one request; and one of them."""
        linked.get(linked.root.submit("load 2"))
        task = linked.get(linked.root.submit("boom"))
        linked.turn()
        first, second = linked.get(linked.root.snapshots())
        assert (first.no, first.words, first.status) == (1, ("load", "2"), "FINISHED")
        assert first.progress == (2, 2, "loading")
        assert (first.owner, first.duration, first.pace) == ("unix", 0.0, (0.0, None, None))
        assert second == linked.get(task.snapshot())
        assert second.error == "ValueError: no further"
        assert second.foreground
        assert None not in second.times
        assert linked.get(linked.root.snapshots("ABORTED")) == (second,)
        with pytest.raises(ValueError, match="no status 'LOST'"):
            linked.get(linked.root.snapshots("LOST"))

    def test_a_wrong_line(self, linked):
        """Is an ABORTED task whose output says why."""
        task = linked.get(linked.root.submit("dance"))
        assert linked.get(task.wait()) == "ABORTED"
        assert linked.get(task.output()) == ("No command 'dance'",)

    def test_wait(self, linked):
        """Waits for the end, or for so many seconds."""
        task = linked.get(linked.root.submit("gate"))
        waiting = task.wait()
        soon = task.wait(5)
        linked.turn()
        assert not soon.called
        linked.clock.advance(6)
        assert linked.get(soon) == "RUNNING"
        Other.gates[-1].callback(None)
        assert linked.get(waiting) == "FINISHED"

    def test_list_and_kill(self, linked):
        """As the console's .list and .kill: -1 is the latest, that runs."""
        first = linked.get(linked.root.submit("gate"))
        second = linked.get(linked.root.submit("gate"))
        assert linked.get(linked.root.list()) == (first, second)
        assert linked.get(linked.root.kill()) is second
        assert linked.get(second.wait()) == "KILLED"
        assert linked.get(linked.root.list("RUNNING")) == (first,)
        with pytest.raises(ValueError, match="no status 'RUNING': there is SUBMITTED, RUNNING"):
            linked.get(linked.root.list("RUNING"))
        assert linked.get(linked.root.kill(1)) is first
        assert linked.get(first.wait()) == "KILLED"
        assert linked.get(first.kill()) is False
        assert linked.get(linked.root.output(1)) == ("before",)

    def test_none_there(self, linked):
        """Asking for a task that is not there is a LookupError with a sentence."""
        with pytest.raises(LookupError, match="there is no task"):
            linked.get(linked.root.find())
        with pytest.raises(LookupError, match="there is no task 7"):
            linked.get(linked.root.kill(7))

    def test_nothing_else_is_exposed(self, linked):
        """The manager, the containers and the tasks behind are out of reach."""
        task = linked.get(linked.root.submit("same"))
        for target, name in ((linked.root, "manager"), (task, "_task"), (task, "listen")):
            with pytest.raises(AttributeError):
                linked.get(get_remote(target, name))

    def test_containers_are_needed(self):
        """A service without any is a mistake that is told."""
        with pytest.raises(ValueError, match="at least one container"):
            TaskService(reactor=Clock())
        with pytest.raises(ContainerError):
            TaskService(42, reactor=Clock())


class News(list):
    """The news that a subscriber got."""

    @exposed
    def __call__(self, *news):
        self.append(news)

    @property
    def lines(self):
        return [line for lines, _status, _progress in self for line in lines]


class TestSubscriptions:
    def test_one_that_is_gone_is_forgotten(self, linked):
        """At once, though its task is silent."""
        task = linked.get(linked.root.submit("gate"))
        linked.get(task.subscribe(News()))
        linked.turn()
        (mine,) = linked.service._subscriptions.values()
        linked.pair.lose()
        assert not mine
        assert not linked.service._subscriptions

    def test_not_too_many(self, linked):
        """One connection cannot fill the server with them."""
        task = linked.get(linked.root.submit("gate"))
        for _ in range(MAX_SUBSCRIPTIONS):
            linked.get(task.subscribe(print))
        with pytest.raises(RuntimeError, match="cancel"):
            linked.get(task.subscribe(print))
        with pytest.raises(TypeError, match="takes a function"):
            linked.get(task.subscribe("a word"))


SCRIPT = """
import sys
import threading
import txremote.blocking as rpyc

conn = rpyc.connect("127.0.0.1", int(sys.argv[1]))
serving = rpyc.BgServingThread(conn)
task = conn.root.find()
print("script sees", repr(task), flush=True)

heard_all = threading.Event()

def on_news(lines, status, progress):
    for line in lines:
        # in one piece: the other thread prints too
        sys.stdout.write(f"script: {line}\\n")
        sys.stdout.flush()
    if status == "KILLED":
        heard_all.set()

task.subscribe(on_news)
sys.stdout.write(f"script says {task.wait(20)}\\n")
sys.stdout.flush()
heard_all.wait(20)
serving.stop()
conn.close()
"""


@pytest_twisted.ensureDeferred
async def test_one_task_seen_by_three(tmp_path):
    """
    A reactor's client submits it, a console follows it, a blocking script waits for
    it, and the console's kill is seen by all.
    """
    (tmp_path / "script.py").write_text(SCRIPT)
    words = ["--container", "tests.console.importers.Threaded DSN"]
    words += ["--console", "tcp:0:interface=127.0.0.1", "--listen", "tcp:0:interface=127.0.0.1"]
    server = Program([*TWISTD, "-n", "--pidfile=", "txremote", *words])
    try:
        console_port = int(server.wait_for(r"console on 127.0.0.1:(\d+) ")[0][1])
        port = int(server.wait_for(r"serves on 127.0.0.1:(\d+) ")[0][1])
        conn = await connect(f"tcp:127.0.0.1:{port}")
        task = await conn.root.submit("import_file file2")
        news = News()
        await task.subscribe(news)
        shown = await repr_remote(task)
        assert shown == "<ThreadedTask 1 [import_file file2] RUNNING>"

        def at_the_console():
            with TelnetSocket(console_port) as client:
                assert client.ask(".list")[0].startswith(f"{shown} ")
                assert client.ask("_list") == [shown]
                client.type(".output -f")
                client.wait_for("Imported 200 lines")
                client.ask("")
                assert "TOBEKILLED" in client.ask(".kill")[0]

        with Script(sys.executable, "script.py", port, cwd=tmp_path) as script:
            await deferToThread(script.wait_for, "Imported 100 lines")
            await deferToThread(at_the_console)
            assert await deferToThread(script.finish) == 0
        assert await task.wait(20) == "KILLED"
        while news[-1][1] != "KILLED":
            await deferLater(reactor, 0.01)
        assert news.lines == list(await task.output())
        assert news.lines[-1] == "closing the file"
        assert f"script sees {shown}" in script.output
        assert re.findall("script: (.*)", script.output) == news.lines
        assert "script says KILLED" in script.output
        await conn.close()
        await deferToThread(server.stop)
    finally:
        server.kill()
