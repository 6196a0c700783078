"""
The examples, each served by a real twistd and used by real clients.
"""

import json
import os
import re
import signal
import socket
import sys
import time

import pytest

from examples import calculator, chat
from tests.notebook.executed import executed
from tests.processes import PATIENCE, ROOT, Program, Twistd, free_port, run
from txremote.testing import connected_pair


def example(name, *words):
    return sys.executable, f"examples/{name}.py", *words


class TestCalculator:
    def test_client_shows_every_step(self):
        """The client prints calls, an attribute, an error and a remote list."""
        with Twistd("examples.calculator.Calculator") as server:
            status, out, err = run(*example("calculator", server.endpoint))
        assert (status, err) == (0, "")
        assert out.splitlines() == [
            "2 + 3 = 5",
            "pi = 3.14159",
            "10 / 4 = 2.5",
            "20 + 3 = 23",
            "1 / 0: division by zero",
            "results: [5, 2.5, 23]",
            "after clear: []",
        ]

    def test_each_connection_has_its_own(self):
        """Two clients do not see each other's results."""
        first = connected_pair(server_root=calculator.Calculator)
        second = connected_pair(server_root=calculator.Calculator)
        first.result(first.client.root.add(2, 3))
        assert len(first.server.service.results()) == 1
        assert len(second.server.service.results()) == 0


class TestEvents:
    def test_all_watchers_hear_what_one_publishes(self):
        """Two watchers hear two events; one that was killed holds nobody up."""
        with Twistd("examples.events.Feed") as server:
            watch = example("events", server.endpoint, "watch", "2")
            with Program(*watch) as first, Program(*watch) as second, Program(*watch) as dead:
                for watcher in (first, second, dead):
                    watcher.wait_for("subscribed")
                dead.signal(signal.SIGKILL)
                dead.finish()
                for event in ("one", "two and a half"):
                    status, out, err = run(*example("events", server.endpoint, "publish", event))
                    assert (status, err) == (0, "")
                assert out == "published to 2\n"
                assert first.finish() == second.finish() == 0
                heard = "subscribed\nevent: one\nevent: two and a half\n"
                assert first.output == second.output == heard
            # both have left their loops, and so unsubscribed
            status, out, err = run(*example("events", server.endpoint, "publish", "three"))
            assert out == "published to 0\n"

    def test_watcher_ends_with_the_server(self):
        """A watcher does not wait for ever for a feed that has gone."""
        with Twistd("examples.events.Feed") as server:
            with Program(*example("events", server.endpoint, "watch")) as watcher:
                watcher.wait_for("subscribed")
                server.signal(signal.SIGTERM)
                assert watcher.finish() == 0
                assert watcher.output == "subscribed\nthe feed has gone\n"


class TestChat:
    def test_three_people_talk_in_processes_of_their_own(self):
        """All hear all; leaving, by the keyboard or by a kill, is told."""
        with Twistd("examples.chat.Chat") as server:

            def join(name):
                return Program(*example("chat", server.endpoint, name))

            with join("ann") as ann:
                ann.wait_for(r"\* here: ann\n")
                with join("bob") as bob:
                    ann.wait_for(r"\* bob joins\n")
                    bob.wait_for(r"\* here: ann, bob\n")
                    with join("cy") as cy:
                        cy.wait_for(r"\* here: ann, bob, cy\n")
                        bob.wait_for(r"\* cy joins\n")
                        ann.say("hello, both of you")
                        for each in (ann, bob, cy):
                            each.wait_for(r"<ann> hello, both of you\n")
                        cy.signal(signal.SIGKILL)
                        bob.wait_for(r"\* cy leaves\n")
                    bob.say("héllo, ann")
                    ann.wait_for(r"<bob> héllo, ann\n")
                    bob.end_input()
                    assert bob.finish() == 0
                ann.wait_for(r"\* bob leaves\n")
                server.signal(signal.SIGTERM)
                assert ann.finish() == 0

    def test_taken_name_is_refused_with_a_sentence(self):
        """The second ann is told so, and ends with a status that is not 0."""
        with Twistd("examples.chat.Chat") as server:
            with Program(*example("chat", server.endpoint, "ann")) as ann:
                ann.wait_for("here: ann")
                status, _out, err = run(*example("chat", server.endpoint, "ann"))
        assert status == 1
        assert err == "the name ann is taken\n"

    def test_many_clients_hear_each_other(self, monkeypatch):
        """Thirty clients in one room: each hears what each one says, once, and in order."""
        monkeypatch.setattr(chat.Chat, "members", set())
        pairs = [connected_pair(server_root=chat.Chat) for _ in range(30)]
        heard = [[] for _ in pairs]
        for number, pair in enumerate(pairs):
            pair.result(pair.client.root.lines.subscribe(heard[number].append))
            pair.result(pair.client.root.join(f"n{number}"))
        for number, pair in enumerate(pairs):
            pair.pump()
            assert heard[number] == [f"* n{n} joins" for n in range(number, 30)]
            heard[number].clear()
        for number, pair in enumerate(pairs):
            pair.result(pair.client.root.say(f"I am {number}"))
        for pair in pairs:
            pair.pump()
        for inbox in heard:
            assert inbox == [f"<n{n}> I am {n}" for n in range(30)]
        for pair in pairs:
            pair.lose()
        assert chat.Chat.members == set()

    def test_saying_something_before_joining_is_refused(self):
        """Who has not joined has no voice."""
        pair = connected_pair(server_root=chat.Chat)
        with pytest.raises(ValueError, match="join first"):
            pair.result(pair.client.root.say("hello?"))


class TestInventory:
    """One server, and clients of four kinds; each begins with an empty inventory."""

    CLIENT = (
        "changed: tea 3",
        "changed: ice 10",
        "in stock: 13",
        "changed: tea 2",
        "left: tea 2",
        "hot: tea 2.50",
        "typed: [Item(name='tea', count=2, price=Decimal('2.50'), tags=['hot'])]",
        "worth: {'tea': Decimal('5.00'), 'ice': Decimal('9.00')}",
        "refused: items[1].price: expected Decimal, got str 'cheap'",
    )
    STOCK = (
        "in stock: 13",
        "left: Item(name='tea', count=2, price=Decimal('2.50'), tags=['hot'])",
        "worth of the tea: 5.00",
        "refused: items[1].price: expected Decimal, got str 'cheap'",
    )

    def test_from_a_reactor(self):
        """Records go and come, a callback gets them, a wrong field is named."""
        with Twistd("examples.inventory.inventory") as server:
            status, out, err = run(*example("inventory", server.endpoint))
        assert (status, err) == (0, "")
        assert out.splitlines() == list(self.CLIENT)

    def test_from_a_script(self):
        """The same calls, and the same answers, without a reactor."""
        with Twistd("examples.inventory.inventory") as server:
            status, out, err = run(*example("inventory_script", "127.0.0.1", server.port))
        assert (status, err) == (0, "")
        assert out.splitlines() == list(self.CLIENT)

    @pytest.mark.parametrize("version", ["6.0.2", "5.3.1"])
    def test_from_stock_rpyc(self, version, rpyc5):
        """What is annotated is copied from RPyC's client, its objects' fields included."""
        env = {**os.environ, **({"PYTHONPATH": str(rpyc5)} if version == "5.3.1" else {})}
        with Twistd("examples.inventory.inventory") as server:
            words = example("inventory_rpyc", "127.0.0.1", server.port)
            status, out, err = run(*words, env=env)
        assert (status, err) == (0, "")
        assert out.splitlines() == list(self.STOCK)

    @pytest.mark.parametrize("runner", ["python", "kernel"])
    def test_from_a_notebook(self, runner):
        """The cells, as plain Python runs them and in a notebook's kernel."""
        with Twistd("examples.inventory.inventory") as server:
            shown = RUNNERS[runner](notebook_cells("inventory", server.port))
        assert shown == [
            "13",
            "[('tea', 3, Decimal('2.50'))]",
            "{'tea': Decimal('7.50'), 'ice': Decimal('9.00')}",
            "items[0].price: expected Decimal, got str 'cheap'",
        ]


#: Runs the cells that come on standard input, and shows what a notebook would.
CELLS = """
import ast, json, sys
names = {}
for source in json.load(sys.stdin):
    body = ast.parse(source).body
    last = [body.pop()] if isinstance(body[-1], ast.Expr) else []
    exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
    exec(compile(ast.Interactive(last), "<cell>", "single"), names)
"""


def notebook_cells(name, port):
    """Return the source of a notebook's cells of code, with another port than 18861."""
    notebook = json.loads((ROOT / "examples" / f"{name}.ipynb").read_text())
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [source.replace("18861", str(port)) for source in sources]


def shown_by_python(cells):
    """Run cells in one Python; return the lines that they show."""
    with Program(sys.executable, "-c", CELLS, cwd=ROOT / "examples") as program:
        program.say(json.dumps(cells))
        program.end_input()
        assert program.finish() == 0, program.output
    return program.output.splitlines()


def shown_by_kernel(cells):
    """Run cells in a notebook's kernel; return what they show."""
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    notebook = executed(notebook, ROOT / "examples")
    shown = [output for cell in notebook.cells for output in cell.outputs]
    return [(each.get("text") or each["data"]["text/plain"]).rstrip() for each in shown]


RUNNERS = {"python": shown_by_python, "kernel": shown_by_kernel}


class TestStock:
    """A program of RPyC's, as it is."""

    SHOWN = (
        "listed: ['rope', 'bow'] 2",
        "- rope 3",
        "- bow 1",
        "told: 2",
        "last: ('net', 2)",
        "refused: 0 of sword",
    )

    @pytest.mark.parametrize("server", ["ThreadedServer", "twistd"])
    def test_unchanged_and_with_the_import_changed(self, server, tmp_path, rpyc5):
        """
        Both servers serve RPyC's client and that of one import; RPyC 5's is served by twistd
        alone, since RPyC 6 reads calls otherwise than RPyC 5 writes them.
        """
        source = (ROOT / "examples" / "stock.py").read_text()
        changed = tmp_path / "stock.py"
        changed.write_text(re.sub("(?m)^import rpyc$", "import txremote.blocking as rpyc", source))
        assert changed.read_text() != source
        port = str(free_port())
        if server == "twistd":
            serving = Twistd("examples.stock.Stock", listen=f"tcp:{port}:interface=127.0.0.1")
        else:
            serving = Program(*example("stock", port))
        clients = [(example("stock"), None), ((sys.executable, changed), None)]
        if server == "twistd":
            clients.append((example("stock"), {**os.environ, "PYTHONPATH": str(rpyc5)}))
        with serving:
            wait_for_port(int(port))
            for words, env in clients:
                status, out, err = run(*words, "127.0.0.1", port, env=env)
                assert (status, err) == (0, "")
                assert out.splitlines() == list(self.SHOWN)


def wait_for_port(port):
    """Wait until somebody listens there: RPyC's server prints nothing when it does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


class TestWeather:
    def test_asyncio_at_both_ends(self):
        """Calls at once, a warning, a stream that is left, a time-out, a refusal; Ctrl-C."""
        with Program(*example("weather", "serve", "localhost:0")) as server:
            address = server.wait_for(r"serving on (\S+)\n")[1]
            status, out, err = run(*example("weather", "watch", address))
            assert (status, err) == (0, "")
            assert out.splitlines() == [
                "hill: 4.5 degrees",
                "lake: 9.0 degrees",
                "town: 11.5 degrees",
                "warned of frost: hill",
                *["again: Reading(station='hill', celsius=-2.0)"] * 3,
                "the lake takes too long",
                "refused: reading.celsius: expected float, got str 'mild'",
            ]
            server.signal(signal.SIGINT)
            assert server.finish() == 0
            assert server.output == f"serving on {address}\n"


class TestScope:
    def test_arrays_come_as_a_stream(self):
        """Traces until the script leaves the loop; arrays go back; wrong gains are refused."""
        pytest.importorskip("numpy", reason="numpy is not installed")
        with Twistd("examples.scope.Scope") as server:
            status, out, err = run(*example("scope", "127.0.0.1", server.port))
        assert (status, err) == (0, "")
        assert out.splitlines() == [
            "trace 1: 5001 samples, up to 0.50 V",
            "trace 2: 5001 samples, up to 1.00 V",
            "trace 3: 5001 samples, up to 1.50 V",
            "mean: up to 1.00 V",
            "refused: a gain of 200.0",
            "refused: gain: expected float, got str 'loud'",
        ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *[(name, "ENDPOINT") for name in ("calculator", "events", "chat", "inventory", "drill")],
        *[("scope", "HOST PORT"), ("stock", "PORT | HOST PORT"), ("weather", "serve|watch HOST")],
    ],
)
def test_example_called_wrong_says_how(name, words):
    """Without its arguments an example prints its usage."""
    status, _out, err = run(*example(name))
    assert status == 1
    assert err.startswith(f"usage: python examples/{name}.py {words}")


class TestGame:
    def test_counting_tells_its_progress_and_holds_nobody_up(self):
        """
        One player counts in a process, and hears how far; the other's look is answered
        meanwhile, and a count that is stopped says so.
        """
        with Twistd("examples.game.Game", "--pool", "processes:2") as server:

            def join(name):
                return Program(*example("game", server.endpoint, name))

            with join("ann") as ann, join("bob") as bob:
                ann.say("look")
                ann.wait_for(r"here: ann")
                bob.say("look")
                bob.wait_for(r"here: ann, bob\n")
                seen = len(bob.output)
                ann.say("count 2")
                ann.wait_for(r"you begin to count\n")
                bob.say("look")
                bob.wait_for(rf"(?s).{{{seen}}}here: ann, bob\n")
                assert "counted to" not in ann.output
                bob.say("say hello")
                ann.wait_for(r"bob says: hello\n")
                bob.say("count 10")
                bob.wait_for(r"counted \d+%\n")
                bob.say("stop")
                bob.wait_for(r"counting ended: CancelledError\n")
                ann.wait_for(r"counted to \d+\n")
                assert len(re.findall(r"counted \d+%\n", ann.output)) >= 3
                bob.say("dance")
                bob.wait_for(r"no command dance: there are count, stop, look, say\n")
                bob.end_input()
                assert bob.finish() == 0
                ann.wait_for(r"bob has left\n")
                ann.end_input()
                assert ann.finish() == 0


class TestImporter:
    def test_the_three_forms(self):
        """One server has them all; each imports, in its own kind of task, and is killed."""
        forms = {"Threaded": "ThreadedTask", "Process": "MPTask", "Async": "AsynTask"}
        words = []
        for form in forms:
            words += ["--container", f"examples.importer.{form}Importer DSN"]
        words += ["--console", "tcp:0:interface=127.0.0.1"]
        with Twistd("txremote.TaskService", *words) as server:
            port = server.wait_for(r"txremote console on 127.0.0.1:(\d+) ")[1]

            def tasks(*words, status=0):
                command = (sys.executable, "-m", "txremote", "tasks", server.endpoint)
                ended, out, err = run(*command, *words)
                assert ended == status, err
                return out

            for form, kind in forms.items():
                shown = tasks("submit", "-c", f"{form}Importer", "import_file file1")
                assert re.fullmatch(rf"<{kind} \d \[import_file file1\] \w+>\n", shown)
            with socket.create_connection(("127.0.0.1", int(port)), 30) as console:
                text = b""
                console.sendall(b".output 1 -f\r\n")
                while b"Imported 100 lines" not in text:
                    text += console.recv(4096)
                console.sendall(b"\r\n.kill 1\r\n.kill 2\r\n.kill 3\r\n.quit\r\n")
                while got := console.recv(4096):
                    text += got
            assert text.count(b"TOBEKILLED") == 3
            for number in ("1", "2", "3"):
                assert "closing the file" in tasks("output", number, "-f", status=1)

    def test_without_a_server(self):
        """One command, in the terminal; Ctrl-C closes the file."""
        words = ["txremote", "console", "examples.importer.AsyncImporter", "DSN"]
        with Program(sys.executable, "-m", *words, "import_file", "file1") as program:
            program.wait_for("Imported 100 lines\n")
            program.signal(signal.SIGINT)
            assert program.finish() == 130
            assert program.output.endswith("closing the file\n")
