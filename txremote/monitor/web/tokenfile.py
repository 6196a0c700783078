"""
The file with the token: read, or made, with mode 0600.

A token of the operator's own stays: it is what stands in the file of ``--admin-token``, which is
made if it is not there. Otherwise there is a fresh one for each run, in a folder of the process's
own, which is removed when the server stops.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

#: Characters of a token, at least: it must not be guessed.
SHORTEST: Final = 16

_LONGEST: Final = 1024


class BadToken(ValueError):
    """The file of a token is no good, or cannot be made: a sentence."""


class TokenFile:
    """A token and its file: an operator's, or one of this run (None)."""

    def __init__(self, path: str | None) -> None:
        self._given = None if path is None else Path(os.path.abspath(path))
        self._made: Path | None = None

    @property
    def path(self) -> Path | None:
        """The file, once there is one."""
        return self._made if self._given is None else self._given

    def check(self) -> None:
        """Raise ValueError, with a sentence's end, if the operator's file is no good."""
        if self._given is not None and os.path.lexists(self._given):
            _read(self._given)
        elif self._given is not None and not os.access(self._given.parent, os.W_OK):
            raise ValueError(f"it is not there, and cannot be made in {self._given.parent}")

    def take(self) -> bytes:
        """Return the token, and make its file if it is not there. BadToken: that cannot be."""
        try:
            return self._take()
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise BadToken(f"the admin site has no token: {self.path}: {reason}") from None

    def _take(self) -> bytes:
        if self._given is None:
            where = os.environ.get("RUNTIME_DIRECTORY") or os.environ.get("XDG_RUNTIME_DIR")
            if not (where and os.access(where, os.W_OK)):
                where = None
            self._made = Path(tempfile.mkdtemp(prefix="txremote-", dir=where)) / "admin-token"
            return _make(self._made)
        try:
            return _make(self._given)
        except FileExistsError:
            return _read(self._given)

    def remove(self) -> None:
        """Remove the file of this run, and its folder."""
        made, self._made = self._made, None
        if made is not None:
            made.unlink(missing_ok=True)
            made.parent.rmdir()


def _make(path: Path) -> bytes:
    token = secrets.token_urlsafe(32).encode()
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    try:
        with file:
            file.write(token + b"\n")
    except OSError:  # the disk is full: an empty file would be no token the next time
        path.unlink()
        raise
    return token


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LONGEST + 1)
    except OSError as problem:
        raise ValueError(problem.strerror) from None
    if stat.S_IMODE(mode) & 0o077:
        raise ValueError(f"others may read it: chmod 600 {path}")
    token = content.strip()
    if not SHORTEST <= len(token) <= _LONGEST or len(token.split()) != 1:
        raise ValueError(
            f"it holds one token of {SHORTEST} to {_LONGEST} characters, without blanks; remove "
            "it, and one is made"
        )
    return token
