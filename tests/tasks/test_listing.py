"""Tasks as lines for people."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from tests.tasks.task_helpers import arguments
from txremote.tasks.listing import ProgressLines, progress_text, row, row_of, time_text
from txremote.tasks.stepping import Progress
from txremote.tasks.turns import SynTask, Turns

SHOWN = "<ThreadedTask 3 [import_file a] RUNNING>"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "0 s"), (59, "59 s"), (125.9, "2:05"), (3725, "1:02:05")]
)
def test_a_time_is_read_as_people_write_it(seconds: float, text: str) -> None:
    """Seconds, minutes, hours."""
    assert time_text(seconds) == text


@pytest.mark.parametrize(
    ("figures", "rate", "left", "text"),
    [
        ((9, 20, "files"), 3.0, 3.7, "45% (9/20 files), 3/s, 3 s left"),
        ((9, None, ""), 0.123456, None, "9, 0.123/s"),
        ((0, 0, "a\x1b[2J"), None, None, "0/0 a [2J"),
    ],
)
def test_progress_is_a_line(
    figures: tuple[float, float | None, str], rate: float | None, left: float | None, text: str
) -> None:
    """What is done, of how much, how fast, and for how long still."""
    assert progress_text(figures, rate, left) == text


def test_a_row_is_plac_s_with_what_else_is_known() -> None:
    """Progress, duration, time left, and the owner."""
    assert row(SHOWN) == SHOWN
    known = {"figures": (9, 20, "files"), "duration": 75.0, "left": 90.0, "owner": "ann"}
    assert row(SHOWN, **known) == f"{SHOWN} 45%, 1:15, 1:30 left, ann"  # type: ignore[arg-type]
    assert row(SHOWN, figures=(9, None, ""), duration=0.5) == f"{SHOWN} 9"


@pytest.mark.parametrize("command", ["x" * 200, "a\nb\x1b[31m" * 40, "short", "] RUNNING> [" * 20])
@pytest.mark.parametrize("owner", ["", "ann at 10.1.2.3:4567", "o" * 300])
def test_a_row_is_never_wider_than_a_terminal(command: str, owner: str) -> None:
    """However long a command, an error or a name is; and nothing in it moves the cursor."""
    shown = f"<ThreadedTask 123456 [{command}] TOBEKILLED>"
    text = row(shown, figures=(1e300, None, ""), duration=1e6, owner=owner, error="e" * 500)
    assert len(text) <= 80
    assert text.isprintable()
    assert text.startswith("<ThreadedTask 123456 [")
    assert "] TOBEKILLED> " in text


def test_lines_about_progress_come_seldom() -> None:
    """None in the first seconds, then one each five, and only with something new."""
    clock = Clock()
    task = SynTask(*arguments(lambda: None, reactor=clock), turns=Turns(clock))
    lines = ProgressLines(clock)
    told = []
    task.started = clock.seconds()
    for done in (1, 2, 3, 3):
        task._count(Progress(done))
        clock.advance(4)
        told.append(lines.of(task))
    assert told == [None, "2, 0.25/s", None, "3, 0.188/s"]
    clock.advance(60)
    assert lines.of(task) is None
    assert row_of(task) == "<SynTask 1 [<lambda>] SUBMITTED> 3, 1:16"
