"""
``twistd txremote --console --container``, as an administrator meets it.
"""

import signal
import socket
import sys

import pytest
import pytest_twisted
from twisted.application.service import IService
from zope.interface.verify import verifyObject

from tests.console.clients import TelnetSocket
from tests.interop.peer_processes import TWISTD, Program
from txremote import ServerService, TaskService, exposed
from txremote.console.server import DEFAULT_ENDPOINT, ConsoleService
from txremote.daemon import tap

THREADED = "tests.console.importers.Threaded DSN"
DESK = "tests.console.importers.Desk"


class Office(TaskService):
    """Tasks, and one method more."""

    @exposed
    def hello(self):
        return "hello"


def make(*words):
    """Return what twistd would run."""
    options = tap.Options()
    options.parseOptions(list(words))
    return tap.makeService(options)


def consoles(whole):
    """Return the consoles among the services."""
    return [each for each in whole if isinstance(each, ConsoleService)]


def served(whole):
    """Return the listening services: of what is not a console."""
    return [each for each in whole if isinstance(each, ServerService)]


# What was typed, and what its one line must say.
WRONG = {
    "no container": (
        ["--console", "tcp:0:interface=127.0.0.1"],
        ["commands are", "--container 'package.module.Class ARGS'"],
    ),
    "no arguments": (["--container", "tests.console.importers.Threaded"], ["required: dsn"]),
    "too many": (["--container", f"{DESK} DSN"], [f"--container {DESK} DSN: "]),
    "no such module": (["--container", "nowhere.Desk"], ["no module 'nowhere'"]),
    "no such name": (["--container", "tests.console.importers.Disk"], ["'Disk'"]),
    "a word": (["--container", "Desk"], ["pkg.mod.Class ARGS"]),
    "no container of commands": (["--container", "os.path"], ["has no commands"]),
    "an endpoint that is none": (
        ["--container", DESK, "--console", "nonsense:1"],
        ["--console nonsense:1: ", "tcp:PORT:interface=ADDRESS"],
    ),
    "a max-line that is no number": (["--container", DESK, "--max-line", "x"], ["'x'"]),
    "everywhere": (
        ["--container", DESK, "--console", "tcp:0"],
        ["--console: ", "interface=127.0.0.1", "unix:PATH", "client certificates"],
    ),
    "a taken port": (
        ["--container", DESK, "--console", "tcp:TAKEN:interface=127.0.0.1"],
        ["tcp:TAKEN:interface=127.0.0.1", "in use", "--console"],
    ),
    "tasks of nothing": (
        ["--service", "txremote.TaskService"],
        ["txremote.TaskService serves tasks", "--container"],
    ),
    "tasks in threads": (
        ["--container", DESK, "--listen", "tcp:0:interface=127.0.0.1", "--threaded"],
        ["--threaded is not for tasks"],
    ),
}


@pytest.fixture(scope="module")
def taken():
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield str(holder.getsockname()[1])


@pytest.mark.parametrize("name", WRONG)
def test_what_is_typed_wrong_is_a_sentence(name, taken):
    """SystemExit with one line, before the reactor runs."""
    with pytest.raises(SystemExit) as caught:
        make(*(word.replace("TAKEN", taken) for word in WRONG[name][0])).privilegedStartService()
    sentence = str(caught.value).replace(taken, "TAKEN")
    assert sentence.startswith("txremote: ")
    assert "\n" not in sentence.rstrip() or "usage: " in sentence
    for words in WRONG[name][1]:
        assert words in sentence


@pytest.mark.parametrize("name", ["no container", "everywhere", "a taken port"])
def test_twistd_stops_with_that_sentence(name, taken):
    """With an exit status that is not 0, and without a traceback."""
    words = [word.replace("TAKEN", taken) for word in WRONG[name][0]]
    process = Program([*TWISTD, "-n", "--pidfile=", "txremote", *words])
    try:
        assert process.wait() > 0
        output = process.output.replace(taken, "TAKEN")
        assert "Traceback" not in output
        for words in WRONG[name][1]:
            assert words in output
    finally:
        process.kill()


def test_the_default_is_loopback():
    """plac's port, on 127.0.0.1, and no other port."""
    whole = make("--container", DESK)
    assert verifyObject(IService, whole)
    [console] = consoles(whole)
    assert [what for what, _endpoint in console._endpoints] == [DEFAULT_ENDPOINT]
    assert DEFAULT_ENDPOINT == "tcp:2199:interface=127.0.0.1"
    assert served(whole) == []


def test_all_consoles_have_all_containers():
    """Each ``--console`` is a place to come to, each ``--container`` something to use there."""
    where = ["tcp:0:interface=127.0.0.1", "unix:/nosuch"]
    words = [word for each in where for word in ("--console", each)]
    [console] = consoles(make(*words, "--container", DESK, "--container", THREADED))
    assert [what for what, _endpoint in console._endpoints] == where
    assert list(console.containers) == ["Desk", "Threaded"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["--listen", "tcp:0"], TaskService),
        (["--service", "txremote.TaskService"], TaskService),
        (["--service", "tests.console.test_twistd.Office"], Office),
    ],
)
def test_the_tasks_are_served(words, kind):
    """With --listen, or by name; a subclass may add to them. They are the console's."""
    whole = make("--container", DESK, *words)
    [listening] = served(whole)
    tasks = listening.served
    assert type(tasks) is kind
    assert tasks.manager is consoles(whole)[0].manager


def test_beside_a_service_of_ones_own():
    """The console is there as well."""
    whole = make("--container", DESK, "--service", "tests.net.servers.Desk")
    assert len(consoles(whole)) == len(served(whole)) == 1
    assert not isinstance(served(whole)[0].served, TaskService)


@pytest_twisted.ensureDeferred
async def test_with_client_certificates_it_may_be_reached_from_anywhere(certificate):
    """--tls-cert and --tls-ca are for the console as well."""
    tls = ["--tls-cert", certificate["certificate"], "--tls-key", certificate["key"]]
    words = ["--container", DESK, "--console", "tcp:0"]
    with pytest.raises(SystemExit, match="client certificates"):
        make(*words, *tls)
    whole = make(*words, *tls, "--tls-ca", certificate["certificate"])
    whole.privilegedStartService()
    whole.startService()
    [port] = consoles(whole)[0].ports
    assert port.getHost().host == "0.0.0.0"
    await whole.stopService()


def test_sigterm_ends_the_tasks(tmp_path):
    """Their finally runs, and processes are gone."""
    (tmp_path / "work.py").write_text(
        "import os\n"
        "class Work:\n"
        "    mpcommands = ['wait']\n"
        "    def wait(self):\n"
        "        try:\n"
        "            yield str(os.getpid())\n"
        "            while True: yield\n"
        "        finally:\n"
        "            open('ended', 'w').write(str(os.getpid()))\n"
    )
    words = ["--container", "work.Work", "--console", "unix:console.sock"]
    process = Program([*TWISTD, "-n", "--pidfile=", "txremote", *words], cwd=tmp_path)
    try:
        process.wait_for("txremote console on ")
        with TelnetSocket(str(tmp_path / "console.sock")) as client:
            client.ask("wait")
            client.until("_output", r"RUNNING>\n\d+")
            process.signal(signal.SIGTERM)
            client.wait_for("the console stops")
        assert process.wait() in (0, -signal.SIGTERM)
        assert (tmp_path / "ended").exists()
        assert not (tmp_path / "console.sock").exists()
    finally:
        process.kill()


def test_without_plac(tmp_path):
    """Only --container needs it, and says what to install."""
    (tmp_path / "desk.py").write_text("import txremote\nclass Desk(txremote.Service):\n    pass\n")
    code = "import sys; sys.modules['plac_core'] = None\n"
    code += "from txremote.daemon import tap\noptions = tap.Options()\n"
    code += "options.parseOptions(sys.argv[1:])\ntap.makeService(options)\n"
    for words, told in (
        (["--service", "desk.Desk"], ""),
        (["--container", "desk.Desk"], "pip install 'txremote[console]'"),
    ):
        process = Program([sys.executable, "-c", code, *words], cwd=tmp_path)
        try:
            assert (process.wait() == 0) is (told == "")
            assert told in process.output
        finally:
            process.kill()
