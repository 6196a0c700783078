"""The table of commands, and its help."""

import re
from importlib.metadata import version

import pytest

import txremote
from txremote.cli import GROUPS, commands, main


@pytest.mark.parametrize("words", [["nosuch"], ["call"], ["call", "tcp:127.0.0.1:1"]])
def test_missing_words_are_named(words, capsys):
    """An incomplete command line prints its usage and ends with 2."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: txremote")


def test_help_of_call_explains_its_words(capsys):
    """call --help tells server, name, arguments and options."""
    with pytest.raises(SystemExit):
        main(["call", "--help"])
    out = capsys.readouterr().out
    for word in ("SERVER", "name", "args", "--keyword", "--timeout", "--traceback"):
        assert word in out


def test_version_is_the_package_s():
    """The installed version is the imported one."""
    assert version("txremote") == txremote.__version__


def test_the_command_tells_the_versions(capsys):
    """--version, with what a report of a bug needs besides."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"txremote {txremote.__version__} (Twisted ")


def test_without_a_word_there_is_an_overview(capsys):
    """As pip has it: a user who knows no command yet has made no mistake."""
    assert main([]) == 0
    overview, err = capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert (ended.value.code, err) == (0, "")
    whole = capsys.readouterr().out
    for group, rows in GROUPS:
        assert f"\n{group}:\n" in overview
        for row in rows:
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
