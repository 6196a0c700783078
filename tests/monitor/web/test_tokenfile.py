"""
The file with the token: whose it is, and who may read it.
"""

from __future__ import annotations

import resource
import stat
from pathlib import Path

import pytest

from txremote.monitor.web.tokenfile import BadToken, TokenFile


def test_an_operators_file_is_made_once(tmp_path: Path) -> None:
    """With mode 0600; the next start finds the same token, and a stop leaves it."""
    path = tmp_path / "token"
    file = TokenFile(str(path))
    file.check()
    token = file.take()
    assert len(token) >= 32
    assert path.read_bytes().strip() == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.remove()
    again = TokenFile(str(path))
    again.check()
    assert again.take() == token


def test_a_full_disk_leaves_no_file_that_holds_no_token(tmp_path: Path) -> None:
    """Else the next start would be refused, when there is room again."""
    file = TokenFile(str(tmp_path / "token"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # no file may grow
    try:
        with pytest.raises(BadToken, match=r"has no token: .*token: File too large"):
            file.take()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(file.take()) >= 32


def test_a_fresh_token_goes_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else may look into that; each start has another token."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    file = TokenFile(None)
    file.check()
    token = file.take()
    path = file.path
    assert path is not None
    assert path.parent.parent == tmp_path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.remove()
    assert list(tmp_path.iterdir()) == []
    assert file.take() != token
    file.remove()


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"long enough as it is\n", 0o600, "without blanks"),
        (b"tooshort\n", 0o600, "one token of 16 to 1024 characters"),
        (b"", 0o600, "remove it, and one is made"),
        (b"x" * 1025, 0o600, "16 to 1024"),
        (b"0123456789abcdef", 0o640, "others may read it: chmod 600 "),
    ],
)
def test_a_file_that_is_no_good(content: bytes, mode: int, says: str, tmp_path: Path) -> None:
    """It is refused in a sentence, by the check and by the start."""
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(mode)
    for refuses in (TokenFile(str(path)).check, TokenFile(str(path)).take):
        with pytest.raises(ValueError, match=says):
            refuses()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The check says so before the start."""
    with pytest.raises(ValueError, match="it is not there, and cannot be made in"):
        TokenFile(str(tmp_path / "nowhere" / "token")).check()
    with pytest.raises(ValueError, match="Is a directory"):
        TokenFile(str(tmp_path)).check()
