"""
Looking at a server that answers, refuses or is gone, as the test says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.monitor.web.made_up import row
from txremote.monitor.rows import Overview
from txremote.monitor.top import looker as looking
from txremote.monitor.top.looker import Looker
from txremote.monitor.top.sources import Refused, SourceGone


class Server:
    """Gives rows of the kind that is asked for; raises its problem if there is one."""

    def __init__(self) -> None:
        self.problem: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    async def overview(self) -> Overview:
        """Answer, or do not."""
        if self.problem is not None:
            raise self.problem
        return row(Overview)

    async def rows(self, kind: str) -> list[Any]:
        """Answer, after what happens meanwhile."""
        self.meanwhile()
        return [kind]

    async def series(self) -> Any:
        """Answer with nothing."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it look again at once, however long it would wait."""
    monkeypatch.setattr(looking, "LOOK", 1e-9)


async def looks(server: Server, steps: list[Callable[[Looker], object]]) -> list[Any]:
    """Look once for each step, which is taken after it; return what was said and shown."""
    told: list[Any] = []
    done = asyncio.Event()

    def next_step() -> None:
        if steps:
            steps.pop(0)(looker)
        else:
            done.set()

    def show() -> None:
        told.append(list(looker.rows))
        next_step()

    looker = Looker(server, "calls", told.append, show)  # type: ignore[arg-type]
    running = asyncio.ensure_future(looker.run())
    async with asyncio.timeout(20):
        await done.wait()
    running.cancel()
    return told


def test_a_server_that_is_gone_is_told_of_and_its_last_rows_stay() -> None:
    """Until it is back."""
    server = Server()

    def go(problem: Exception | None) -> Callable[[Looker], object]:
        def step(_looker: Looker) -> None:
            server.problem = problem

        return step

    told = asyncio.run(looks(server, [go(SourceGone("no answer")), go(Refused("no")), go(None)]))
    assert told == [
        ["calls"],
        "The server is gone: no answer. It is tried again.",
        ["calls"],
        "no",
        ["calls"],
        ["calls"],
    ]


def test_rows_that_are_not_wanted_any_more_are_not_shown() -> None:
    """The user has turned to another view while they were on their way."""
    server = Server()

    def turn(looker: Looker) -> None:
        def while_it_answers() -> None:
            server.meanwhile = lambda: None
            looker.look_at("tasks")

        server.meanwhile = while_it_answers

    assert asyncio.run(looks(server, [turn])) == [["calls"], ["tasks"]]
