"""
``txremote tasks``, as it is typed, with a real twistd at the other end.
"""

import asyncio
import signal
import sys

import pytest

from tests.console.clients import OnTerminal, txremote
from tests.interop.peer_processes import TWISTD, Program as Server
from tests.processes import Program, Twistd, run, run_for_nobody
from txremote.console import remote

TASKS = [sys.executable, "-m", "txremote", "tasks"]


@pytest.fixture(scope="module")
def endpoint():
    """Where a server with two containers is."""
    words = ["--console", "tcp:0:interface=127.0.0.1", "--listen", "tcp:0:interface=127.0.0.1"]
    words += ["--container", "tests.console.importers.Threaded DSN"]
    words += ["--container", "tests.console.importers.Desk"]
    server = Server([*TWISTD, "-n", "--pidfile=", "txremote", *words])
    try:
        yield "tcp:" + server.wait_for(r"txremote serves on (\S+) ")[0][1]
        assert server.stop() in (0, -signal.SIGTERM)
    finally:
        server.kill()


def tasks(endpoint, *words):
    """Run it; return (status, lines, errors)."""
    status, out, err = run(*TASKS, endpoint, *words)
    return status, out.splitlines(), err


def test_submit_list_output_kill(endpoint):
    """Each tells how the task stands."""
    status, (shown,), err = tasks(endpoint, "submit", "import_file file2")
    assert (status, err) == (0, "")
    assert shown.endswith(" [import_file file2] RUNNING>")
    no = shown.split()[1]
    for status, is_there in ([], True), (["run"], True), (["FINISHED"], False):
        rows = tasks(endpoint, "list", *status)[1]
        assert any(row.startswith(f"{shown} ") for row in rows) is is_there
        assert max(map(len, [*rows, ""])) <= 80
    status, lines, _err = tasks(endpoint, "output", no)
    assert (status, lines[0]) == (0, shown)
    assert "Imported 100 lines" in lines
    status, (killed,), err = tasks(endpoint, "kill")
    assert (status, err) == (0, "")
    assert killed in (shown.replace("RUNNING", "TOBEKILLED"), shown.replace("RUNNING", "KILLED"))
    status, lines, err = tasks(endpoint, "output", no, "--follow")
    assert lines[-1] == "closing the file"
    assert (status, "KILLED" in err) == (1, True)


def test_follow(endpoint):
    """Prints what comes until the end; the exit status is the task's."""
    status, lines, err = tasks(endpoint, "submit", "import_file file1", "--follow")
    assert lines[0].endswith(" [import_file file1] RUNNING>")
    imported = [f"Imported {count} lines" for count in (100, 200, 300)]
    assert lines[1:] == [*imported, "closing the file"]
    assert (status, err) == (0, "")


def test_ctrl_c_detaches(endpoint):
    """And leaves the task alone."""
    with Program(*TASKS, endpoint, "submit", "import_file file2", "-f") as program:
        program.wait_for("Imported 100 lines")
        program.signal(signal.SIGINT)
        assert program.finish() == 130
        detached = program.wait_for(r"detached: task (\d+) goes on \(txremote tasks SERVER")
    _status, (shown,), _err = tasks(endpoint, "kill", detached[1])
    assert shown.endswith("KILLED>")


@pytest.mark.parametrize("words", [["submit", "import_file file2", "-f"], ["list"], ["output"]])
def test_a_reader_that_has_gone_is_no_error(endpoint, words):
    """As ``head`` goes: following ends, and the task goes on."""
    if "-f" not in words:
        tasks(endpoint, "submit", "import_file file2")
    assert run_for_nobody(*TASKS, endpoint, *words) == (0, "")
    assert tasks(endpoint, "kill")[0] == 0


def test_progress_bar(endpoint):
    """On a terminal there is a bar beneath the lines."""
    with txremote("tasks", endpoint, "submit", "import_file", "file1", "-f") as user:
        user.wait_for(r"file1: +100%\|.*300/300")
        assert user.finish() == 0
        assert "Imported 300 lines\r\n" in user.text


def test_without_tqdm(endpoint):
    """The lines come all the same, and a sentence says what to install."""
    start = (
        "import sys; sys.modules['tqdm'] = None; from txremote.cli import main; sys.exit(main())"
    )
    words = ["tasks", endpoint, "submit", "import_file file1", "-f"]
    with OnTerminal(sys.executable, "-c", start, *words) as user:
        assert user.finish() == 0
        assert "for a progress bar: pip install 'txremote[console]'" in user.text
        assert "Imported 300 lines" in user.text


@pytest.mark.parametrize(
    ("words", "status", "lines", "err"),
    [
        (["submit", "-c", "Desk", "echo a  b"], 0, ["a b"], ""),
        (["submit", "-c", "Desk", "echo", "a  b"], 0, ["a  b"], ""),
        (
            ["submit", "-c", "Desk", "fail"],
            1,
            ["so far so good"],
            "txremote: ValueError: no further\n",
        ),
        (["submit", "dance"], 1, ["No command 'dance'"], ""),
        (
            ["submit", "-c", "Disk", "dance"],
            1,
            [],
            "txremote: no container 'Disk': there is Threaded, Desk\n",
        ),
        (["kill", "99999"], 1, [], "txremote: there is no task 99999\n"),
    ],
)
def test_what_it_says(endpoint, words, status, lines, err):
    """A foreground command is waited for; what is wrong is a sentence and a status."""
    got = tasks(endpoint, *words)
    assert got[:2] == (status, lines)
    assert got[2].startswith(err)
    assert got[2].count("\n") <= 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["submit"], "required: COMMAND"),
        (["kill", "all"], "invalid int value: 'all'"),
        (["list", "a", "b"], "unrecognized arguments: b"),
        (["dance"], "'dance'"),
    ],
)
def test_typed_wrong(words, told):
    """Nothing is asked of the server; the exit status is 2."""
    status, lines, err = tasks("tcp:127.0.0.1:1", *words)
    assert (status, lines) == (2, [])
    assert told in err


def test_nobody_there():
    """The exit status is 2."""
    status, lines, err = tasks("tcp:127.0.0.1:1", "list")
    assert (status, lines) == (2, [])
    assert err.startswith("txremote: cannot connect to tcp:127.0.0.1:1: ")


def test_a_server_of_something_else():
    """Is told from one of tasks."""
    with Twistd("examples.calculator.Calculator") as server:
        status, lines, err = tasks(server.endpoint, "list")
    assert (status, lines) == (2, [])
    assert "is no TaskService" in err


def test_a_server_s_rows_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A command, an owner or an error may be anybody's text."""

    class Root:
        async def rows(self, _status: object) -> list[str]:
            return ["<SynTask 1 [\x1b[2J] RUNNING>"]

    asyncio.run(remote._list(Root(), None))
    assert capsys.readouterr().out == "<SynTask 1 [ [2J] RUNNING>\n"
