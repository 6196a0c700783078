"""The file of SQLite's in which tasks are kept: its tables, its checks and its thread."""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from twisted.python.failure import Failure

from txremote.tasks.states import ABORTED, FINAL

_VERSION: Final = 1
_APPLICATION: Final = 0x7478726D  # "txrm": of all files of SQLite's, ours

_SCHEMA = f"""
BEGIN EXCLUSIVE;
CREATE TABLE tasks (no INTEGER PRIMARY KEY, kind TEXT, words TEXT, owner TEXT, status TEXT,
    submitted REAL, started REAL, ended REAL, error TEXT, traceback TEXT, result TEXT);
CREATE TABLE lines (no INTEGER, number INTEGER, text TEXT, PRIMARY KEY (no, number)) WITHOUT ROWID;
CREATE TABLE ends (clean INTEGER);
INSERT INTO ends VALUES (1);
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""


class UnusableFile(ValueError):
    """Tasks cannot be kept in the file."""


class FileInUse(UnusableFile):
    """Another process has the file."""


class Row(NamedTuple):
    """A task as it is written; the fields are the columns."""

    no: int
    kind: str
    words: str
    owner: str
    status: str
    submitted: float
    started: float | None
    ended: float | None
    error: str
    traceback: str
    result: str


class Batch(NamedTuple):
    """The rows that are written in one transaction."""

    rows: list[Row]
    lines: list[tuple[int, int, str]]
    firsts: list[tuple[int, int]]  # of each task the first line that is kept
    forgotten: list[tuple[int]]


class Writer:
    """The thread that has the database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._jobs: queue.SimpleQueue[tuple[Callable[[], object], Callable[[object], object]]]
        self._jobs = queue.SimpleQueue()
        self._is_open = True
        threading.Thread(target=self._work, name="txremote tasks-db", daemon=True).start()

    def do(self, function: Callable[[], object], ended: Callable[[object], object]) -> None:
        """Call a function in the thread, and ``ended`` there with its result or Failure."""
        self._jobs.put((function, ended))

    def _work(self) -> None:
        while self._is_open:
            function, ended = self._jobs.get()
            found: object = None
            try:
                function()
            except Exception as problem:  # of the file system
                found = Failure(problem)
            ended(found)

    def write(self, batch: Batch) -> None:
        """Write a batch as a whole, or raise and write nothing of it."""
        marks = ", ".join("?" * len(Row._fields))
        with self._database as database:
            database.executemany(f"INSERT OR REPLACE INTO tasks VALUES ({marks})", batch.rows)
            database.executemany("INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", batch.lines)
            database.executemany("DELETE FROM lines WHERE no = ? AND number < ?", batch.firsts)
            database.executemany("DELETE FROM tasks WHERE no = ?", batch.forgotten)
            database.executemany("DELETE FROM lines WHERE no = ?", batch.forgotten)

    def close(self) -> None:
        """Note that the end was one that was wanted, and close the file."""
        self._is_open = False
        try:
            with self._database as database:
                database.execute("UPDATE ends SET clean = 1")
        finally:
            self._database.close()


def connected(path: str, mode: str) -> sqlite3.Connection:
    """Open a file, with a mode of SQLite's (``ro``, ``rw``, ``rwc``). UnusableFile: it failed."""
    uri = f"{Path(path).as_uri()}?mode={mode}"
    try:
        return sqlite3.connect(uri, timeout=1, uri=True, check_same_thread=False)
    except sqlite3.Error as problem:
        raise UnusableFile(f"cannot open {path}: {problem}") from None


def check_file(path: str, database: sqlite3.Connection) -> None:
    """Raise UnusableFile if a file is none that this version can use."""
    try:
        [(application,)] = database.execute("PRAGMA application_id")
        [(version,)] = database.execute("PRAGMA user_version")
        [(sound,)] = database.execute("PRAGMA quick_check(1)")
    except sqlite3.OperationalError as problem:
        if "locked" not in str(problem):
            raise UnusableFile(f"cannot read {path}: {problem}") from None
        raise FileInUse(f"{path} is in use: each console needs a file of its own") from None
    except sqlite3.DatabaseError as problem:
        raise UnusableFile(f"{path} is damaged ({problem}): move it away") from None
    if sound != "ok":
        raise UnusableFile(f"{path} is damaged ({sound}): move it away")
    if application != _APPLICATION:
        raise UnusableFile(f"{path} holds something else than tasks: name another file")
    if version > _VERSION:
        raise UnusableFile(f"{path} is of a newer txremote (version {version}): name another file")


def prepare(path: str, database: sqlite3.Connection) -> None:
    """Make the tables of a new file; take one for this process. UnusableFile: it cannot be."""
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        [(tables,)] = database.execute("SELECT count(*) FROM sqlite_master")
        if not tables:
            os.chmod(path, 0o600)
            database.executescript(_SCHEMA)
        # a commit is in the file when the process is killed; only a machine's crash loses some
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        with database:
            [(clean,)] = database.execute("SELECT clean FROM ends")
            database.execute("UPDATE ends SET clean = 0")
            how = "stopped" if clean else "killed"
            marks = ", ".join("?" * len(FINAL))
            database.execute(
                "UPDATE tasks SET error = ?, status = ?, ended = coalesce(started, submitted) "
                f"WHERE status NOT IN ({marks})",
                (f"TaskLost: the server was {how} while it ran", ABORTED, *sorted(FINAL)),
            )
    except (sqlite3.Error, OSError) as problem:
        database.rollback()
        if os.path.getsize(path):  # else the disk was full, and it is still to be made
            check_file(path, database)
        raise UnusableFile(f"cannot write {path}: {problem}") from None
    check_file(path, database)


def read_rows(database: sqlite3.Connection) -> Iterator[tuple[Row, list[tuple[int, str]]]]:
    """Give the tasks by number, each with its lines and their numbers."""
    for columns in database.execute("SELECT * FROM tasks ORDER BY no"):
        row = Row(*columns)
        wanted = "SELECT number, text FROM lines WHERE no = ? ORDER BY number"
        yield row, database.execute(wanted, (row.no,)).fetchall()
