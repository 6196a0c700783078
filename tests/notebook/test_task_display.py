"""`watch`: tasks of a server, in a real kernel."""

import pytest

SETUP = """
from txremote.notebook import watch
tasks = await conn.root.task_service()
"""


@pytest.fixture
def tasks(kernel):
    """A kernel with the server's tasks."""
    cell = kernel.run(SETUP)
    assert not cell.error, cell.traceback
    return kernel


def test_a_task_shows_progress_and_output_and_gives_its_result(tasks):
    """The display has the last of both when the result is there."""
    cell = tasks.run("await watch(await tasks.submit('sample 30'), 'sampling')")
    _display, result = cell.results
    assert result["text/plain"] == "'measured 30'"
    shown = tasks.shown()
    lines = shown["text/plain"].splitlines()
    assert lines[:2] == ["sampling: FINISHED", "sampling 30/30 sample 30"]
    assert lines[2:] == [f"measured {n}" for n in range(11, 31)]
    assert '<progress max="1" value="1.0000">' in shown["text/html"]


def test_a_task_that_fails_raises_its_exception(tasks):
    """As the command raised it."""
    cell = tasks.run("await watch(await tasks.submit('fail'))")
    assert cell.error == "ValueError: no sample"
    assert tasks.shown()["text/plain"].startswith("task: ABORTED")


def test_an_interrupt_leaves_the_task_alone(tasks):
    """And its display, which shows the end when it comes."""
    cell = tasks.begin("task = await tasks.submit('hold')\nawait watch(task, 'held')")
    tasks.wait_until(lambda: "&lt;script&gt;" in (tasks.shown() or {}).get("text/html", ""))
    assert "<script>" not in tasks.shown()["text/html"]
    assert "$\\href" not in tasks.shown()["text/html"]
    tasks.interrupt()
    assert tasks.finish(cell).error == "CancelledError: "
    assert tasks.run("await task.status").plain == "'RUNNING'"
    tasks.run("await task.kill()")
    tasks.wait_until(lambda: tasks.shown()["text/plain"].startswith("held: KILLED"))


def test_a_lost_connection_is_shown_and_raised(tasks):
    """Nobody waits for a server that is gone."""
    tasks.run("task = await tasks.submit('hold')\nwatching = watch(task, 'held')")
    tasks.wait_until(lambda: tasks.shown()["text/plain"].startswith("held: RUNNING"))
    tasks.run("await task.kill()\nmore = watch(await tasks.submit('hold'), 'lost')")
    tasks.run("await conn.close()")
    tasks.wait_until(lambda: tasks.shown()["text/plain"].startswith("lost: connection lost"))
    assert tasks.run("await more").error.startswith("ConnectionLost: the connection was lost")


def test_only_references_are_watched(tasks):
    """A number of a task is none."""
    assert tasks.run("watch(5)").error.startswith("TypeError: watch takes a task")
