"""
``txremote console``: a prompt, one command, or lines from a pipe.
"""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.console.clients import PROMPT, OnTerminal, txremote
from tests.processes import PATIENCE, ROOT, Program, run_for_nobody

CONSOLE = [sys.executable, "-m", "txremote", "console"]
DESK = "tests.console.importers.Desk"
DSN = ("tests.console.importers.Threaded", "DSN")

BROKEN = """
class Broken:
    commands = ["never"]
    def __init__(self):
        raise OSError("no database")
    def never(self):
        pass
"""


def console(*words, typed="", cwd=ROOT):
    """Run it with something in a pipe; return (status, output, errors)."""
    done = subprocess.run(
        [*CONSOLE, *words],
        input=typed,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


class TestOneCommand:
    def test_runs_and_ends(self):
        """As plac's Interpreter.call: the arguments of the container, then the command's."""
        imported = "".join(f"Imported {count} lines\n" for count in (100, 200, 300))
        told = (0, f"{imported}closing the file\n", "")
        with ThreadPoolExecutor(2) as threads:
            forms = [*DSN], [" ".join(DSN)]
            for got in threads.map(lambda form: console(*form, "import_file", "file1"), forms):
                assert got == told

    @pytest.mark.parametrize(
        ("words", "out", "err"),
        [
            (["fail"], "so far so good\n", "txremote: ValueError: no further\n"),
            (["dance"], "No command 'dance'\n", ""),
        ],
    )
    def test_a_failure(self, words, out, err):
        """The exit status is 1, and the reason is told once."""
        assert console(DESK, *words) == (1, out, err)

    def test_ctrl_c(self):
        """Ends the command, whose finally runs; the exit status is that of an interrupt."""
        with Program(*CONSOLE, *DSN, "import_file", "file2") as program:
            program.wait_for("Imported 100 lines")
            program.signal(signal.SIGINT)
            assert program.finish() == 130
            assert program.output.endswith("closing the file\n")

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["nowhere.Desk"], "no module 'nowhere'"),
            (["tests.console.importers"], "importers, a module, has no commands"),
            (["Desk"], "a container is written pkg.mod.Class ARGS, not 'Desk'"),
            (["tests.console.importers.Threaded"], "required: dsn"),
            (["broken.Broken"], "broken.Broken could not be opened: OSError: no database"),
        ],
    )
    def test_no_such_container(self, words, told, tmp_path):
        """
        The exit status is 2, and the sentence says why. Found from the working
        directory.
        """
        (tmp_path / "broken.py").write_text(BROKEN)
        status, out, err = console(*words, cwd=tmp_path)
        assert (status, out) == (2, "")
        assert told in err
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "typed"), [(["drip"], ""), ([], "tick 3\n"), ([], "flood 10\nforever\n")]
)
def test_a_reader_that_has_gone_ends_it(words, typed):
    """As ``head`` goes, also of a command that would go on for ever."""
    assert run_for_nobody(*CONSOLE, DESK, *words, typed=typed) == (0, "")


class TestPipe:
    def test_lines_are_run_without_a_prompt(self):
        """One after the other; background tasks go on meanwhile."""
        status, out, err = console(DESK, typed="echo a\n# a comment\n\ntick 3\n_output\ncount 2")
        assert (status, err) == (0, "")
        assert out.startswith("a\n<AsynTask 2 [tick 3] SUBMITTED>\n<AsynTask 2 [tick 3] ")
        assert out.endswith("1 of 2\n2 of 2\n")

    def test_background_tasks_are_waited_for(self):
        """The end of the pipe does not kill them; one that fails is told."""
        status, out, err = console(*DSN, typed="import_file file1\n")
        assert (status, err) == (0, "")
        assert out == "<ThreadedTask 1 [import_file file1] RUNNING>\n"

    def test_the_first_failure_ends_it(self):
        """As plac's execute."""
        status, out, err = console(DESK, typed="fail\necho never\n")
        assert (status, out) == (1, "so far so good\n")
        assert err == "txremote: ValueError: no further\n"

    def test_quit(self):
        """Ends it well."""
        assert console(DESK, typed=".quit\necho never\n") == (0, "", "")

    def test_nothing(self):
        """No lines, no output."""
        assert console(DESK) == (0, "", "")


class TestPrompt:
    @pytest.fixture
    def user(self, tmp_path):
        """A user on a terminal, at home in an empty folder."""
        with txremote("console", *DSN, env={"HOME": str(tmp_path)}, echo=True) as user:
            user.wait_for(f"{PROMPT}$")
            yield user

    def test_session(self, user, tmp_path):
        """The greeting, the document's commands, completion, history and Ctrl-D."""
        assert user.text.startswith("A fake importer with an import_file command")
        user._send("impo\t")
        user.wait_for("import_file $")
        since = len(user.text)
        user.type("file2")
        user.wait_for(r"<ThreadedTask 1 \[import_file file2\] RUNNING>\s+i> $", since)
        since = len(user.text)
        user._send("_li\t")
        user.wait_for("_list $", since)
        user.type("")
        user.wait_for(rf"RUNNING>\s+{PROMPT}$", since)
        since = len(user.text)
        user.type("\x1b[A")  # the arrow up: the line before
        user.wait_for(rf"RUNNING>\s+{PROMPT}$", since)
        user.press("d")
        assert user.finish() == 0
        history = (tmp_path / ".txremote_console_history").read_text().splitlines()
        assert [line.strip() for line in history] == ["import_file file2", "_list"]

    def test_following_stops_with_an_empty_line(self, user):
        """And what is typed ahead is answered then."""
        user.ask("import_file file2")
        user.type(".output -f")
        user.wait_for("Imported 100 lines")
        since = len(user.text)
        user.type("")
        user.wait_for(f"{PROMPT}$", since)
        assert "RUNNING" in user.ask("_list")[-1]

    def test_ctrl_c(self, user):
        """Ends what is followed; at the prompt it says how to leave."""
        user.ask("import_file file2")
        user.type(".output -f")
        user.wait_for("Imported 100 lines")
        since = len(user.text)
        user.press("c")
        user.wait_for(f"{PROMPT}$", since)
        user.press("c")
        user.wait_for(rf"\(\.quit or Ctrl-D leaves\)\s+{PROMPT}$", since)
        assert "TOBEKILLED" in user.ask("_kill")[-1]

    def test_leaving_ends_the_tasks(self, user):
        """.quit runs their finally, and leaves the terminal as it was."""
        user.ask("import_file file2")
        user.type(".quit")
        assert user.finish() == 0


def test_a_container_that_cannot_be_made_on_a_terminal(tmp_path):
    """Is told, and that was it."""
    (tmp_path / "broken.py").write_text(BROKEN)
    words = [*CONSOLE, "broken.Broken"]
    with OnTerminal(*words, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) as user:
        assert user.finish() == 2
        assert "no database" in user.text
