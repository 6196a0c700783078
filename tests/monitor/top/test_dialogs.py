"""
A task in a real terminal: its output is followed, and it is killed if the user means it.
"""

from __future__ import annotations

import os

import pytest

from tests.monitor.top.conftest import PASSWORDS, Operated
from tests.monitor.top.tmux import Terminal, needs_tmux
from tests.processes import run, script

pytest.importorskip("textual", reason="the extra 'top' is not installed")

ANN = {"TXREMOTE_PASSWORD": PASSWORDS["ann"]}


@needs_tmux
def test_a_task_is_followed_and_killed(operated: Operated) -> None:
    """What it prints is shown as it is: no markup, and nothing that the terminal would do."""
    submit = ("tasks", operated.server, "--login", "bob", "submit", "dig 100000")
    env = {**os.environ, "TXREMOTE_PASSWORD": PASSWORDS["bob"]}
    status, _out, errors = run(script("txremote"), *submit, env=env)
    assert status == 0, errors
    login = ("--login", "ann")
    with Terminal(script("txremote"), "top", operated.server, *login, env=ANN) as screen:
        screen.wait_for("serving · ")
        screen.press("7")
        number = screen.wait_for(r"^ +(\d+) +RUNNING +dig 100000 ")[1]
        screen.press("o")
        title = rf"task {number} of console: dig 100000"
        said = r"hole (\d+) \[bold\]dict\[str, int\]\[/bold\] \[link='x'\] \]0;owned  \[2J"
        first = screen.wait_for(f"{title}.*{said}")[1]
        screen.press("End")
        while screen.wait_for(rf".*{said}")[1] == first:  # it goes on
            pass
        screen.press("Escape")
        screen.wait_for(r"^ no +status +command ")
        screen.press("k")
        screen.wait_for(rf"Kill {title}\?")
        screen.press("n")
        screen.wait_until_gone("any other key")
        screen.wait_for(rf"^ +{number} +RUNNING ")
        screen.press("k")
        screen.wait_for(rf"Kill {title}\?")
        screen.press("y")
        screen.wait_for(rf"^ +{number} +KILLED .*killed {title}")
