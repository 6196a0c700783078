"""``txremote passwd``, at a pipe and at a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tests.console.clients import OnTerminal
from txremote.cli import main
from txremote.passwords.passwordfile import Hash, read_passwords


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the place of a file, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "users"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Have something come by standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_password_comes_by_a_pipe(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first line, with the spaces in it; and goes by --delete."""
    typed(monkeypatch, " open sesame \r\nmore\n")
    assert main(["passwd", "users", "ann", "--stdin"]) == 0
    word = read_passwords("users").words[b"ann"]
    assert isinstance(word, Hash)
    assert word.matches(b" open sesame ")
    assert users.stat().st_mode & 0o777 == 0o600
    assert main(["passwd", "users", "ann", "--delete"]) == 0
    assert users.read_text() == ""


@pytest.mark.parametrize(
    ("line", "typed_text", "status", "why"),
    [
        ("users ann --delete", "", 2, "cannot write users: No such file or directory"),
        ("nowhere/users ann --stdin", "x\n", 2, "cannot write nowhere/users: No such file"),
        ("users a:b --stdin", "x\n", 2, "'a:b' is no name of a user"),
        ("users ann --stdin", "\n", 2, "a password has a character at least"),
        ("users ann --stdin", "x" * 1001, 2, "a password has 1000 bytes at most"),
        ("users ann --stdin --delete", "", 2, "leave out --stdin"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(
    line: str,
    typed_text: str,
    status: int,
    why: str,
    users: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And no file is made."""
    typed(monkeypatch, typed_text)
    assert main(["passwd", *line.split()]) == status
    assert why in capsys.readouterr().err
    assert not users.exists()


def test_a_user_who_is_not_there_cannot_be_deleted(
    users: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is a status of its own."""
    users.write_text("bob:x\n")
    assert main(["passwd", "users", "ann", "--delete"]) == 1
    assert capsys.readouterr().err == "txremote: users has no user ann\n"
    assert users.read_text() == "bob:x\n"


@pytest.mark.parametrize(("again", "status"), [("sesame", 0), ("Sesame", 1)])
def test_a_password_is_asked_for_twice(again: str, status: int, users: Path) -> None:
    """On a terminal, without echo."""
    with OnTerminal(
        sys.executable, "-m", "txremote", "passwd", str(users), "ann", echo=True
    ) as terminal:
        terminal.wait_for("New password of ann: ")
        terminal.type("sesame")
        terminal.wait_for("The same again: ")
        terminal.type(again)
        assert terminal.finish() == status
        assert "esame" not in terminal.text
    assert users.exists() is (status == 0)
