"""
Those who follow a task: woken together and seldom, and yet they miss nothing.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tests.console.turning_clock import Turns
from txremote.console.following import Audiences
from txremote.console.session import Session
from txremote.console.tasks import TaskManager
from txremote.tasks.states import FINISHED, KILLED
from txremote.tasks.task import Task


class Talker:
    """Puts out lines as fast as it is stepped."""

    asyncommands = ["talk", "wait"]

    def talk(self, count: int, width: int = 1) -> Iterator[str]:
        for number in range(int(count)):
            yield f"{number:0{width}}"

    def wait(self) -> Iterator[None]:
        while True:
            yield None


class Room:
    """A task, and sessions that follow it."""

    def __init__(self, line: str, followers: int, **limits: int) -> None:
        self.clock = Turns()
        self.manager = TaskManager(reactor=self.clock, **limits)
        container = Talker()
        self.sessions: list[Session] = [self.manager.open(container) for _ in range(followers)]
        talking = self.manager.open(container).submit(line)
        assert talking is not None
        self.task = talking
        self.shown: list[list[list[str]]] = []
        self.followers = [self._follow(session) for session in self.sessions]

    def _follow(self, session: Session) -> Task:
        follower = session.submit(f".output {self.task.no} -f")
        assert follower is not None
        news: list[list[str]] = []
        self.shown.append(news)
        follower.listen(output=lambda _task, lines: news.append(lines))
        return follower


@pytest.mark.parametrize(
    ("width", "limits"),
    [(1, {"max_lines": 40}), (100, {"max_bytes": 4_000}), (1, {"max_lines": 1})],
)
def test_nothing_falls_out_however_fast_a_task_puts_out(width: int, limits: dict[str, int]) -> None:
    """Its followers are woken in time, by lines and by bytes, although more comes in each turn."""
    room = Room(f"talk 3000 {width}", followers=3, **limits)
    while not all(each.done for each in room.followers):
        room.clock.turn()
    expected = [f"{number:0{width}}" for number in range(3000)]
    for news in room.shown:
        *lines, end = [line for lines in news for line in lines]
        assert lines[-3000:] == expected
        assert end.endswith(f"{FINISHED}>")


def test_followers_are_woken_once_in_a_turn_and_given_the_same_lines() -> None:
    """Three lines that come one by one are one list to all who follow."""
    room = Room("wait", followers=3)
    room.clock.turn(5)
    for word in ("one", "two", "three"):
        room.task._put_out([word])
    room.clock.turn(5)
    last = [news[-1] for news in room.shown]
    assert last[0] == ["one", "two", "three"]
    assert all(lines is last[0] for lines in last)


def test_a_follower_that_has_seen_less_is_given_the_rest() -> None:
    """Each goes on from where it was."""
    room = Room("wait", followers=2)
    room.clock.turn(5)
    room.task._put_out(["one"])
    room.followers[1].kill()
    room.clock.turn(5)
    room.task._put_out(["two"])
    room._follow(room.sessions[1])
    room.clock.turn(5)
    room.task._put_out(["three"])
    room.clock.turn(5)
    first, killed, late = ([line for lines in news for line in lines][-3:] for news in room.shown)
    assert first == late == ["one", "two", "three"]
    assert room.followers[1].status == KILLED
    assert "two" not in killed


def test_nothing_is_left_of_followers() -> None:
    """With the last of them goes what was kept for them."""
    room = Room("wait", followers=0)
    audiences = Audiences()
    (followed,) = audiences.followed([room.task])
    (again,) = audiences.followed([room.task])
    assert followed.audience is again.audience
    gone = weakref.ref(followed.audience)
    del followed, again
    gc.collect()
    assert gone() is None
