"""The table of commands, and its help."""

import re
from importlib.metadata import version

import pytest
from docutils import nodes

import txremote
from tests.document_runner import doctree
from tests.processes import ROOT, Twistd, free_port, run, run_for_nobody, script
from txremote.cli import GROUPS, command, commands, main


@pytest.mark.parametrize("words", [["nosuch"], ["call"], ["call", "tcp:127.0.0.1:1"]])
def test_missing_words_are_named(words, capsys):
    """An incomplete command line prints its usage and ends with 2."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: txremote")


def test_ctrl_c_while_a_command_is_imported_ends_it_as_later_on(monkeypatch, capsys):
    """By the same status, and without a traceback."""

    def interrupted(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr("txremote.cli.import_module", interrupted)
    assert main(["call", "127.0.0.1:1", "who"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "inf"])
def test_a_timeout_that_is_none_is_named(seconds, capsys):
    """In the user's words."""
    with pytest.raises(SystemExit):
        main(["health", "127.0.0.1:1", "--timeout", seconds])
    err = capsys.readouterr().err
    assert f"--timeout: a number of seconds, more than 0, not {seconds!r}" in err


def test_help_of_call_explains_its_words(capsys):
    """call --help tells server, name, arguments and options."""
    with pytest.raises(SystemExit):
        main(["call", "--help"])
    out = capsys.readouterr().out
    for word in ("SERVER", "NAME", "ARGS", "--keyword", "--timeout", "--traceback"):
        assert word in out


def test_version_is_the_package_s():
    """The installed version is the imported one."""
    assert version("txremote") == txremote.__version__


def test_without_a_word_there_is_an_overview(capsys):
    """As pip has it: a user who knows no command yet has made no mistake."""
    assert main([]) == 0
    overview, err = capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert (ended.value.code, err) == (0, "")
    whole = capsys.readouterr().out
    for group, names in GROUPS.items():
        assert f"\n{group}:\n" in overview
        for row in map(command, names):
            assert re.search(rf"^  {row.name} +{re.escape(row.summary)}$", overview, re.MULTILINE)
            assert row.summary in whole
    assert max(map(len, overview.splitlines())) <= 100
    assert "--version" in whole


@pytest.mark.parametrize("name", [row.name for row in commands()])
def test_each_command_explains_itself(name, capsys):
    """Its own help begins with its usage, and has its description."""
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: txremote {name} ")


@pytest.fixture(scope="module")
def statuses():
    """The reference's table: of each command the meaning of each exit status."""
    for table in doctree(ROOT / "docs" / "reference.rst").findall(nodes.table):
        rows = [[cell.astext() for cell in row] for row in table.findall(nodes.row)]
        if rows[0][0] == "command":
            return {name: dict(zip(rows[0][1:], cells, strict=True)) for name, *cells in rows[1:]}
    raise AssertionError("there is no such table")


def test_the_reference_has_the_exit_statuses_of_each_command(statuses):
    """In the order of the help; each can succeed."""
    assert list(statuses) == [row.name for row in commands()]
    assert all(meanings["0"] for meanings in statuses.values())


@pytest.mark.parametrize("name", [row.name for row in commands()])
def test_a_command_line_that_makes_no_sense_ends_with_2(name, capsys):
    """As the reference says of all of them."""
    with pytest.raises(SystemExit) as ended:
        main([name, "--no-such-option"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: txremote ")


@pytest.fixture(scope="module")
def server():
    with Twistd("txremote.demo.DemoService") as twistd:
        yield twistd.endpoint


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("call SERVER add 2 3", "0"),
        ("call SERVER add 2", "1"),
        ("call NOBODY add 2 3", "2"),
        ("health SERVER", "0"),
        ("health NOBODY", "2"),
        ("tasks SERVER list", "2"),
        ("shell NOBODY", "2"),
        ("log-level NOBODY show --login ann --password-file /dev/null", "2"),
        ("console nosuch.Container", "2"),
    ],
)
def test_exit_statuses_are_those_of_the_reference(words, status, statuses, server):
    """Of commands that run; what goes wrong is told in one line."""
    places = {"SERVER": server, "NOBODY": f"tcp:127.0.0.1:{free_port()}"}
    name, *rest = words.split()
    ended, _out, err = run(script("txremote"), name, *(places.get(word, word) for word in rest))
    assert str(ended) == status
    assert statuses[name][status]
    assert err.count("\n") == (status != "0"), err


@pytest.mark.parametrize(
    "words",
    [
        *("", "--version", "call --help", "completion bash"),
        *("stubs txremote.demo.DemoService", "check CONFIG", "call SERVER add 2 3"),
    ],
)
def test_a_reader_that_has_gone_is_no_error(words, server, tmp_path):
    """As ``head`` goes: there is no traceback, and nothing is complained of."""
    config = tmp_path / "site.toml"
    config.write_text('[[server]]\nservice = "txremote.demo.DemoService"\nlisten = "unix:x"\n')
    places = {"SERVER": server, "CONFIG": str(config)}
    typed = [places.get(word, word) for word in words.split()]
    assert run_for_nobody(script("txremote"), *typed) == (0, "")


def test_output_that_is_not_taken_otherwise_is_an_error():
    """A full disk, in the command that knows least of it."""
    status, _out, err = run("bash", "-c", f"{script('txremote')} completion bash >/dev/full")
    assert (status, err) == (1, "txremote: cannot print what has come: No space left on device\n")
