"""The file in which tasks are kept: what it refuses."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from txremote.tasks.store import TaskStore
from txremote.tasks.taskfile import (
    Batch,
    FileInUse,
    Row,
    UnusableFile,
    Writer,
    connected,
    prepare,
    read_rows,
)

ROW = Row(3, "AsynTask", '["work"]', "ann", "RUNNING", 1.0, 2.0, None, "", "", "")


def made(path: Path) -> None:
    """Make a file with a task in it that runs."""
    with closing(connected(str(path), "rwc")) as database:
        prepare(str(path), database)
        lines = [(3, 7, "seven"), (3, 8, "eight")]
        Writer(database).write(Batch([ROW], lines, [(3, 8)], []))


def changed(path: Path, statement: str) -> None:
    """Change a file from outside."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(statement)


def test_lines_that_fell_out_are_deleted_and_a_task_without_an_end_is_lost(tmp_path: Path) -> None:
    """The reader after a kill finds the numbers of the lines as they were."""
    path = tmp_path / "tasks.db"
    made(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(connected(str(path), "rw")) as database:
        prepare(str(path), database)
        [(row, lines)] = read_rows(database)
    assert (row.status, row.error, row.ended) == (
        "ABORTED",
        "TaskLost: the server was killed while it ran",
        2.0,
    )
    assert lines == [(8, "eight")]


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda path: path.write_bytes(b"no database at all" * 100), "is damaged .* move it away"),
        (lambda path: path.write_bytes(path.read_bytes()[:6000]), "is damaged"),
        (lambda path: changed(path, "PRAGMA user_version = 9"), "is of a newer txremote"),
        (lambda path: changed(path, "PRAGMA application_id = 9"), "holds something else than"),
    ],
    ids=["rubbish", "cut", "newer", "foreign"],
)
def test_a_file_that_cannot_be_used_is_a_sentence(harm: Any, why: str, tmp_path: Path) -> None:
    """Before a server starts, and ``txremote check`` says it, too; the file stays as it is."""
    path = tmp_path / "tasks.db"
    made(path)
    harm(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=why):
        TaskStore(str(path), Clock())
    assert path.read_bytes() == before


def test_a_disk_that_is_full_is_a_sentence_and_the_next_start_makes_the_file(
    tmp_path: Path,
) -> None:
    """It leaves nothing half made."""
    path = str(tmp_path / "tasks.db")
    with closing(connected(path, "rwc")) as database:
        database.execute("PRAGMA max_page_count = 2")  # for SQLite the same
        with pytest.raises(UnusableFile, match=r"cannot write .*: database or disk is full"):
            prepare(path, database)
    TaskStore(path, Clock())
    with closing(connected(path, "rwc")) as database:
        prepare(path, database)


def test_two_servers_cannot_have_one_file(tmp_path: Path) -> None:
    """The second is refused when it starts; to check it while the first runs is no error."""
    path = tmp_path / "tasks.db"
    made(path)
    with closing(connected(str(path), "rw")) as database:
        prepare(str(path), database)
        other = TaskStore(str(path), Clock())
        with pytest.raises(FileInUse, match="each console needs a file of its own"):
            other.open(lambda: None)  # type: ignore[arg-type, return-value]
