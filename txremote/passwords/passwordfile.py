"""
A file of passwords: ``NAME:HASH`` or ``NAME:PASSWORD`` a line.

Empty lines, and those that begin with ``#``, are left alone. A line that cannot be read is told by
its number, and is nobody's. Writing is one step: readers see the old file or the new one, whatever
happens between, and two writers take turns.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from txremote.net.login import LONGEST
from txremote.passwords.hashes import PREFIX, Hash, hash_from_text


class Passwords(NamedTuple):
    """The lines of a file: hashes or plain passwords by name, and sentences on the wrong lines."""

    words: dict[bytes, Hash | bytes]
    problems: tuple[str, ...]


def check_name(name: str) -> None:
    """Raise ValueError if a name of a user cannot stand in a file."""
    if not name or name != name.strip() or ":" in name or name.startswith("#"):
        raise ValueError(f"{name!r} is no name of a user: it is empty, or has a colon or spaces")
    if not name.isprintable() or len(name.encode("utf-8", "surrogatepass")) > LONGEST:
        raise ValueError(f"{name[:40]!r} is no name of a user: it is too long, or not printable")


def read_passwords(path: str) -> Passwords:
    """Read a file. OSError: it cannot be. Any thread."""
    words: dict[bytes, Hash | bytes] = {}
    problems = []
    with open(path, "rb") as file:
        for number, line in enumerate(file.read().splitlines(), 1):
            if not line.strip() or line.startswith(b"#"):
                continue
            try:
                name, word = _read_line(line)
                if name in words:
                    raise ValueError("has a name that a line above it has")
                words[name] = word
            except ValueError as problem:
                problems.append(f"line {number} of {path} {problem}")
    return Passwords(words, tuple(problems))


def _read_line(line: bytes) -> tuple[bytes, Hash | bytes]:
    name, colon, word = line.partition(b":")
    if not colon:
        raise ValueError("has no colon: it is NAME:HASH or NAME:PASSWORD")
    if not name.strip():
        raise ValueError("has no name")
    if not word:
        raise ValueError("has no password")
    if not word.startswith(PREFIX.encode()):
        return name, word
    return name, hash_from_text(word.decode("ascii", "replace").rstrip())


def set_password(path: str, name: str, word: Hash | None) -> bool:
    """
    Write the line of a user, or with None delete it; the file is made if it is not there.

    The other lines stay as they are. The file's mode is 0600 afterwards.

    Returns:
        Whether there was a line of the user before.

    Raises:
        ValueError: the name makes no sense.
        OSError: the file cannot be read or written; then it is as it was.
    """
    check_name(name)
    path = os.path.realpath(path)  # a link stays one
    own = f"{name}:".encode()
    with _locked(path, make=word is not None) as data:
        lines = data.splitlines(keepends=True)
        found = [line for line in lines if line.startswith(own)]
        new = [] if word is None else [own + str(word).encode() + b"\n"]
        kept: list[bytes] = []
        for line in lines:
            if not line.startswith(own):
                kept.append(line if line.endswith(b"\n") else line + b"\n")
            else:  # in the place of the first
                kept += new
                new = []
        if found or word is not None:
            _write(path, b"".join([*kept, *new]))
    return bool(found)


@contextmanager
def _locked(path: str, make: bool) -> Iterator[bytes]:
    """Give what is in a file, while no other writer has it."""
    # a pipe is opened at once, and refused then
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_CREAT if make else 0)
    while True:
        number = os.open(path, flags, 0o600)
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):  # it would be replaced by a file
                raise OSError(errno.EINVAL, "it is no regular file", path)
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_still(path, file.fileno()):
                continue  # a writer before this one has replaced it
            yield file.read()
            return


def _is_still(path: str, number: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(number))
    except FileNotFoundError:
        return False


def _write(path: str, data: bytes) -> None:
    """Replace a file in one step. Its owner stays who it was, as far as that is allowed."""
    before = os.stat(path)
    folder = os.path.dirname(path)
    number, made = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)  # 0600
    try:
        with os.fdopen(number, "wb") as file:
            with suppress(OSError):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    except BaseException:
        os.unlink(made)
        raise
    _sync(folder)


def _sync(folder: str) -> None:
    with suppress(OSError):  # not every file system can
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


class FreshPasswords:
    """The passwords of a file as they are now: it is read anew when it has changed. Any thread."""

    def __init__(self, path: str, tell: Callable[[str], object]) -> None:
        """``tell`` is called with a sentence on each wrong line, once a change of the file."""
        self.path = os.path.abspath(path)
        self._tell = tell
        self._read: tuple[tuple[int, ...], Passwords] | None = None

    def now(self) -> Passwords:
        """Return them. OSError: the file cannot be read."""
        status = os.stat(self.path)
        mark = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns)
        if self._read is None or self._read[0] != mark:
            found = read_passwords(self.path)
            self._read = mark, found
            for problem in found.problems:
                self._tell(problem)
        return self._read[1]
