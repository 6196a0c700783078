"""``top`` and ``log-level``, as an operator types them."""

from __future__ import annotations

import sys

import pytest

from tests.processes import SERVES, Program, run, script
from txremote.cli import main


def test_the_log_s_level_is_shown_and_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By an operator; the server's log says who it was."""
    monkeypatch.setenv("TXREMOTE_PASSWORD", "sesame")
    words = ("--service", "tests.services.Depot", "--listen", "tcp:0:interface=127.0.0.1")
    login = ("--auth", "memory:ann:sesame", "--auth", "memory:bob:sesame", "--operators", "ann,cy")
    with Program(script("twistd"), "--pidfile=", "-n", "txremote", *words, *login) as server:
        where = f"127.0.0.1:{server.wait_for(SERVES)[2]}"

        def typed(*words: str, user: str = "ann") -> tuple[int, str, str]:
            return main(["log-level", where, "--login", user, *words]), *capsys.readouterr()

        assert typed("txremote.call=debug") == (0, "info, txremote.call=debug\n", "")
        assert typed("show") == (0, "info, txremote.call=debug\n", "")
        status, out, errors = typed("shop=debug")
        assert (status, out) == (2, "")
        assert errors.startswith("txremote: nothing is logged here as 'shop': it is one of ")
        refusal = "txremote: 'bob' is no operator here (option --operators)\n"
        assert typed("debug", user="bob") == (2, "", refusal)
        server.wait_for("ann has set the log's level: info, txremote.call=debug")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("log-level 127.0.0.1:1 debug", "operators log in: say --login USER"),
        ("top 127.0.0.1:1 --once", "--login USER, or name the admin site: http://HOST:PORT"),
        ("top http://127.0.0.1:1/metrics --once", "say http://HOST:PORT, with nothing behind it"),
        ("top http://127.0.0.1:1 --once", "cannot ask http://127.0.0.1:1: Connection refused"),
        ("top unix:/no/such --once", "cannot ask unix:/no/such: No such file or directory"),
        ("top 127.0.0.1:1 --login ann --once", "cannot connect to 127.0.0.1:1: the connection was"),
        ("top 127.0.0.1:1 --login ann --token-file x --once", "--token-file is for an admin site"),
        ("top http://127.0.0.1:1 --token-file /no/such --once", "No such file or directory"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(
    line: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On standard error, with the exit status of what could not be made."""
    monkeypatch.setenv("TXREMOTE_PASSWORD", "sesame")
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("txremote: ") and shown.err.count("\n") == 1
    assert sentence in shown.err


def test_without_textual_there_are_tables_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The screen says what to install; --once tries to connect."""
    monkeypatch.setenv("TXREMOTE_PASSWORD", "sesame")
    for name in [each for each in sys.modules if each.partition(".")[0] in ("textual", "rich")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("textual", "rich"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "txremote.monitor.top.app", raising=False)
    monkeypatch.delitem(sys.modules, "txremote.monitor.top.dialogs", raising=False)
    words = ["top", "127.0.0.1:1", "--login", "ann"]
    assert main(words) == 2
    assert "pip install 'txremote[top]'. With --once" in capsys.readouterr().err
    assert main([*words, "--once"]) == 2
    assert "cannot connect" in capsys.readouterr().err


def test_the_screen_needs_a_terminal() -> None:
    """A script is told of --once."""
    pytest.importorskip("textual", reason="the extra 'top' is not installed")
    status, out, errors = run(script("txremote"), "top", "127.0.0.1:1", "--login", "ann")
    assert (status, out) == (2, "")
    assert errors == "txremote: the screen of top needs a terminal: --once prints its tables\n"
