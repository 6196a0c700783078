"""
The screen in a real terminal, at a real server: views, order, filter, a server that goes away.
"""

from __future__ import annotations

import pytest

from tests.monitor.top.conftest import PASSWORDS, Operated, twistd
from tests.monitor.top.tmux import Terminal, needs_tmux
from tests.processes import SERVES, free_port, script

pytest.importorskip("textual", reason="the extra 'top' is not installed")

ANN = {"TXREMOTE_PASSWORD": PASSWORDS["ann"]}


@needs_tmux
def test_views_order_and_filter(operated: Operated) -> None:
    """By keys, on a terminal of the usual size; leaving gives the terminal back."""
    login = ("--login", "ann")
    with Terminal(script("txremote"), "top", operated.server, *login, env=ANN) as screen:
        screen.wait_for(r"serving · \d+ connections? · .*^ *\d+ +ann +127\.0\.0\.1:\d+")
        screen.wait_for(r"^calls .* memory .*1 connections .* 8 log 9 topics.*c close  q quit")
        screen.press("6")
        screen.wait_for(r"^ pool +kind +state .*^ threads:1 +threads +running")
        screen.press("s")
        screen.wait_for(r"^ pool▼ ")
        screen.press("r")
        screen.wait_for(r"^ pool▲ ")
        screen.press("/")
        screen.wait_for("rows with this text")
        screen.press("nosuchpool", "Enter")
        screen.wait_for(r"^1 2 3 4 5 6 pools 7 8 9 /nosuchpool.*^ pool▲[^\n]*\n\n")
        screen.press("Escape")
        screen.wait_for(r"^ threads:1 ")
        screen.press("Tab")
        screen.wait_for(r"^ no +status +command .*o output .*k kill")
        screen.press("q")
        screen.wait_until_gone("o output")


@needs_tmux
def test_a_small_terminal_shows_what_matters_most() -> None:
    """And a server that goes away is told of, and seen when it is back."""
    port = free_port()
    words = (
        "--listen",
        f"tcp:{port}:interface=127.0.0.1",
        "--console",
        "tcp:0:interface=127.0.0.1",
    )
    top = (script("txremote"), "top", f"127.0.0.1:{port}", "--login", "ann")
    with twistd(*words) as server:
        server.wait_for(SERVES)
        with Terminal(*top, size=(40, 12), env=ANN) as screen:
            screen.wait_for(
                r"^serving · 1 connection.*^1 connections 2 3 4.*^ no +user +peer.* ann "
            )
            screen.press("c")
            screen.wait_for("started without --admin-write")
            server.kill()
            screen.wait_for("The server is gone: cannot connect")
            assert " ann " in screen.shown
            with twistd(*words) as again:
                screen.wait_for("The server is back")
                assert again.runs
