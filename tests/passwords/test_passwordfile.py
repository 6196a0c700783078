"""A file of passwords: read with its wrong lines, written in one step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from txremote.passwords.hashes import Parameters, hash_of
from txremote.passwords.passwordfile import FreshPasswords, read_passwords, set_password

WORD = hash_of(b"sesame", Parameters(4, 8, 1))

OTHERS = b"# the shop's users\nbob:a:b \n\ncy:$scrypt$ln=1\nann:old\ndee"


def test_other_lines_stay_as_they_are(tmp_path: Path) -> None:
    """Comments, plain passwords and wrong lines too; the mode is 0600 from then on."""
    file = tmp_path / "users"
    file.write_bytes(OTHERS)
    assert set_password(str(file), "ann", WORD)
    changed = OTHERS.replace(b"ann:old", f"ann:{WORD}".encode())
    assert file.read_bytes() == changed + b"\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not set_password(str(file), "eve", WORD)
    assert file.read_bytes() == changed + f"\neve:{WORD}\n".encode()
    assert set_password(str(file), "ann", None)
    assert not set_password(str(file), "ann", None)
    assert b"ann:" not in file.read_bytes()
    assert os.listdir(tmp_path) == ["users"]


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    """But not to delete somebody; and a link to a file stays a link."""
    with pytest.raises(FileNotFoundError):
        set_password(str(tmp_path / "users"), "ann", None)
    (tmp_path / "link").symlink_to("users")
    assert not set_password(str(tmp_path / "link"), "ann", WORD)
    assert (tmp_path / "link").is_symlink()
    assert read_passwords(str(tmp_path / "users")).words == {b"ann": WORD}


def test_a_disk_that_is_full_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves no other file behind."""
    file = tmp_path / "users"
    file.write_bytes(OTHERS)

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        set_password(str(file), "ann", WORD)
    assert file.read_bytes() == OTHERS
    assert os.listdir(tmp_path) == ["users"]


@pytest.mark.parametrize("kind", ["a device", "a pipe"])
def test_only_a_file_is_written(kind: str, tmp_path: Path) -> None:
    """Reading a device may never end, and a new file would take its place."""
    place = tmp_path / "here"
    if kind == "a pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="it is no regular file"):
        set_password(str(place), "ann", WORD)
    assert not place.is_file() and list(tmp_path.iterdir()) == [place]


def test_writers_take_turns(tmp_path: Path) -> None:
    """Of several processes at once each one's line is there."""
    code = (
        "import sys; from txremote.passwords.passwordfile import *;"
        f"word = hash_from_text('{WORD}');"
        "[set_password('users', sys.argv[1] + str(n), word) for n in range(20)]"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, name], cwd=tmp_path) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(read_passwords(str(tmp_path / "users")).words) == 60


@pytest.mark.parametrize("name", ["", " ann", "a:b", "#ann", "a\nb", "x" * 1001])
def test_a_name_that_would_break_a_line_is_refused(name: str, tmp_path: Path) -> None:
    """A line is a name, a colon and a word."""
    with pytest.raises(ValueError, match="is no name of a user"):
        set_password(str(tmp_path / "users"), name, WORD)


def test_wrong_lines_are_told_by_number_and_are_nobodys(tmp_path: Path) -> None:
    """All of them; a password may have colons and spaces in it."""
    file = tmp_path / "users"
    file.write_bytes(OTHERS + b"\nbob:other\n:x\nfay:\n")
    found = read_passwords(str(file))
    assert found.words == {b"bob": b"a:b ", b"ann": b"old"}
    assert [
        problem.replace(str(file), "FILE").split(" of FILE ") for problem in found.problems
    ] == [
        ["line 4", "is no hash as txremote passwd writes it: $scrypt$ln=...,r=...,p=..."],
        ["line 6", "has no colon: it is NAME:HASH or NAME:PASSWORD"],
        ["line 7", "has a name that a line above it has"],
        ["line 8", "has no name"],
        ["line 9", "has no password"],
    ]


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    """And its wrong lines are told once a change."""
    told: list[str] = []
    file = tmp_path / "users"
    file.write_text("ann:a\nbob\n")
    passwords = FreshPasswords(str(file), told.append)
    assert [passwords.now().words for _ in range(3)] == [{b"ann": b"a"}] * 3
    assert len(told) == 1
    set_password(str(file), "bob", WORD)
    assert passwords.now().words == {b"ann": b"a", b"bob": WORD}
    assert len(told) == 2
    file.unlink()
    with pytest.raises(FileNotFoundError):
        passwords.now()
