"""
The earlier checkout that the short form of `benchmarks.compare` compares with.

It is the last tag, or where there is none the last commit of an earlier day than this one's: so
all that a day's work has made worse is seen, and not only what its last commit did. Its files are
unpacked into a folder of their own; the repository is not written to.
"""

from __future__ import annotations

import contextlib
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path


class NoHistory(Exception):
    """There is no earlier commit. The text says why."""


def _git(repository: Path, *words: str) -> str:
    """Return what a command of git's says; "" if it fails."""
    command = ["git", "-C", str(repository), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit_before(repository: Path) -> str:
    """
    Return the commit to compare with.

    Raises:
        NoHistory: there is none here.
    """
    day = _git(repository, "show", "-s", "--format=%cs", "HEAD")
    if not day:
        raise NoHistory(f"{repository} is no repository of git's, or git is not installed")
    parent = _git(repository, "rev-parse", "--verify", "-q", "HEAD~")
    tag = _git(repository, "describe", "--tags", "--abbrev=0", "HEAD~") if parent else ""
    earlier = _git(repository, "rev-list", "-1", f"--before={day}T00:00:00", "HEAD")
    found = tag or earlier or parent
    if not found:
        raise NoHistory(f"{repository} has one commit and no history: it may be a shallow clone")
    return _git(repository, "rev-parse", f"{found}^{{commit}}")


@contextlib.contextmanager
def unpacked(repository: Path, commit: str) -> Iterator[Path]:
    """Give a folder with the files of a commit. NoHistory: they are not here."""
    with tempfile.TemporaryDirectory(prefix="before-") as name:
        archive = Path(name) / "files.tar"
        _git(repository, "archive", f"--output={archive}", commit)
        if not archive.exists() or not archive.stat().st_size:
            raise NoHistory(f"{repository} does not have the files of {commit}")
        folder = Path(name) / "checkout"
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        yield folder
