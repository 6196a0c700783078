"""
Many who watch the same tasks, in any order of events: none misses a line without a word, and all
hear of the same end, once.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from hypothesis import given, settings, strategies as st
from twisted.internet.defer import Deferred

from tests.console.turning_clock import Turns
from tests.examples import examples
from txremote.console.containers import container_from
from txremote.console.dialogue import PROMPT, Dialogue, Sessions
from txremote.console.task_news import Subscription
from txremote.console.tasks import TaskManager
from txremote.tasks.keeper import THREADED
from txremote.tasks.states import ABORTED, FINAL, FINISHED, KILLED, RUNNING, STATES, TOBEKILLED
from txremote.tasks.stepping import TaskOutcome
from txremote.tasks.task import Task
from txremote.tasks.threaded import Errands, ThreadedTask

LINE = re.compile(r"(?:\d+\| )?(\d+):(\d+)")
DROPPED = re.compile(r"(?:(\d+)\| )?\.\.\. (\d+) lines were dropped")


class Reactor(Turns):
    """A reactor that turns when it is told."""

    def callFromThread(self, function: Any) -> None:
        self.callLater(0, function)


class ByHand(ThreadedTask):
    """A task whose thread is the test."""

    def begin(self) -> None:
        self._move(RUNNING)


class Talker:
    """Commands that end when they are told."""

    asyncommands = ["talk"]
    thcommands = ["shout"]
    gates: list[Deferred[Any]]

    def talk(self) -> Iterator[Any]:
        self.gates.append(Deferred())
        yield self.gates[-1]

    def shout(self) -> None:
        raise NotImplementedError


class Hearer:
    """A client that subscribes to a task, and takes its time."""

    def __init__(self, play: Play, task: Task) -> None:
        self.task = task
        self.chance = play.chance
        self.since = self.chance.choice([0, 0, task.output.next])
        self.heard: list[tuple[tuple[str, ...], str]] = []
        self.unanswered: list[Deferred[None]] = []
        self.ends = 0
        self.cancelled = False
        self.subscription = Subscription(task, self.hear, self.since, play.reactor, self.ended)

    def ended(self, _subscription: Subscription) -> None:
        self.ends += 1

    def hear(self, lines: tuple[str, ...], status: str, _progress: Any) -> Deferred[None] | None:
        assert not self.cancelled
        assert not self.unanswered
        self.heard.append((lines, status))
        if self.chance.random() < 0.5:
            return None
        self.unanswered.append(Deferred())
        return self.unanswered[-1]

    def answer(self) -> None:
        if self.unanswered:
            self.unanswered.pop().callback(None)

    def leave(self) -> None:
        self.cancelled = True
        self.subscription.cancel()

    def check(self) -> None:
        """Check all that was heard."""
        assert self.ends == 1
        states = [status for _lines, status in self.heard]
        assert [*map(STATES.index, states)] == sorted(map(STATES.index, states))
        if self.cancelled:
            return
        assert [status for status in states if status in FINAL] == [self.task.status]
        at = self.since
        for line in (line for lines, _status in self.heard for line in lines):
            dropped = DROPPED.fullmatch(line)
            if dropped:
                at += int(dropped[2])
            else:
                assert line == f"{self.task.no}:{at}"
                at += 1
        assert at == self.task.output.next


class User:
    """A user of a console, who follows tasks on a screen that may be full."""

    def __init__(self, play: Play, tasks: list[Task]) -> None:
        self.tasks = tasks
        self.chance = play.chance
        self.text = ""
        self.is_full = self.interrupted = self.left = False
        self.fills = self.chance.choice([0, 0.2])  # how often the screen does
        sessions = Sessions(play.manager, {"talker": play.container})
        self.dialogue = Dialogue(sessions, self, play.reactor)
        self.dialogue.start()
        numbers = " ".join(str(task.no) for task in tasks)
        self.dialogue.receive_line(f".output -f {numbers}")

    def write(self, text: str) -> None:
        assert not self.left
        self.text += text
        if not self.is_full and self.chance.random() < self.fills:
            self.is_full = True
            self.dialogue.pause()

    def prompt(self, text: str) -> None:
        self.text += text

    def leave(self) -> None:
        self.left = True

    def answer(self) -> None:
        """Read what is there."""
        if self.is_full:
            self.is_full = False
            self.dialogue.resume()

    def interrupt(self) -> None:
        if not self.interrupted:
            self.interrupted = True
            self.dialogue.receive_line("")

    def check(self) -> None:
        """Check all that was shown."""
        assert self.text.endswith(PROMPT)
        lines = self.text.removesuffix(PROMPT).split("\n")[:-1]
        at = dict.fromkeys((task.no for task in self.tasks), 0)
        for line in lines:
            shown, dropped = LINE.fullmatch(line), DROPPED.fullmatch(line)
            if shown:
                no, number = int(shown[1]), int(shown[2])
                assert number == at[no]
                at[no] = number + 1
            elif dropped:
                at[int(dropped[1] or self.tasks[0].no)] += int(dropped[2])
            assert "are no longer there" not in line
        if self.interrupted:
            return
        for task in self.tasks:
            assert at[task.no] == task.output.next
            assert self.text.count(repr(task)) in (1, 2)  # 2: it had ended before
        assert any(repr(task) in lines[-1] for task in self.tasks)


class Play:
    """Tasks, and those who watch them."""

    EVENTS = ["talk", "shout", "end", "kill", "subscribe", "follow", "leave", "interrupt", "time"]
    EVENTS += ["put_out"] * 5 + ["answer"] * 4 + ["turn"] * 5

    def __init__(self, chance: random.Random, max_lines: int) -> None:
        self.chance = chance
        self.reactor = Reactor()
        self.manager = TaskManager(reactor=self.reactor, max_lines=max_lines, max_running=3)
        kind = partial(ByHand, errands=Errands(self.reactor))
        self.manager._kinds[THREADED] = kind
        talker = Talker()
        talker.gates = []
        self.gates: dict[Task, Deferred[Any]] = {}
        self.talker, self.container = talker, container_from(talker)
        self.tasks: list[Task] = []
        self.count: dict[Task, int] = {}
        self.states: dict[Task, list[str]] = {}
        self.manager.listen(state=self.changed)
        self.hearers: list[Hearer] = []
        self.users: list[User] = []
        self.ends: dict[Task, int] = {}

    def play(self) -> None:
        weights = [self.chance.random() ** 2 for _ in self.EVENTS]
        for event in self.chance.choices(self.EVENTS, weights, k=120):
            getattr(self, event)()
        self.settle()
        for watcher in (*self.hearers, *self.users):
            watcher.check()
        for task in self.tasks:
            states = self.states[task]
            assert states[0] == STATES[0]
            assert [*map(STATES.index, states)] == sorted(set(map(STATES.index, states)))
            assert [state for state in states if state in FINAL] == [task.status]
            assert self.ends[task] == 1
            assert task.output.next == self.count[task]
            assert self.manager.find(task.no) is task
        assert not self.manager._live
        assert not self.reactor.getDelayedCalls()[1:]  # but for the one that forgets tasks

    def submit(self, command: str) -> None:
        task = self.manager.submit(self.container, command)
        self.tasks.append(task)
        self.count[task] = self.ends[task] = 0
        task.when_done().addCallback(self.ended)

    def changed(self, task: Task, status: str) -> None:
        self.states.setdefault(task, []).append(status)

    def ended(self, task: Task) -> None:
        self.ends[task] += 1

    def talk(self) -> None:
        self.submit("talk")

    def shout(self) -> None:
        self.submit("shout")

    def some(self) -> Task | None:
        found = [task for task in self.tasks if task.status in (RUNNING, TOBEKILLED)]
        return self.chance.choice(found) if found else None

    def put_out(self) -> None:
        task = self.some()
        if task is None:
            return
        many = self.chance.choice([1, 1, 2, 5, 20])
        lines = [f"{task.no}:{self.count[task] + n}" for n in range(many)]
        self.count[task] += many
        if not isinstance(task, ByHand):
            task._put_out(lines)
            return
        for line in lines:
            task._mailbox.post(line)
        if len(task._mailbox._items) > 500:
            self.turn()

    def end(self) -> None:
        task = self.some()
        if isinstance(task, ByHand):
            outcomes = [TaskOutcome(FINISHED), TaskOutcome(ABORTED, None, ValueError("a bug"))]
            if task.status == TOBEKILLED:
                outcomes.append(TaskOutcome(KILLED))
            task._mailbox.post(self.chance.choice(outcomes), last=True)
            self.turn()
        elif task is not None:
            for gate in self.talker.gates:
                if not gate.called:
                    gate.callback(None)
                    return

    def kill(self) -> None:
        if self.tasks:
            self.chance.choice(self.tasks).kill()

    def subscribe(self) -> None:
        if self.tasks:
            self.hearers.append(Hearer(self, self.chance.choice(self.tasks)))

    def follow(self) -> None:
        if self.tasks:
            count = min(len(self.tasks), self.chance.choice([1, 1, 2, 3]))
            self.users.append(User(self, self.chance.sample(self.tasks, count)))

    def leave(self) -> None:
        if self.hearers:
            self.chance.choice(self.hearers).leave()

    def interrupt(self) -> None:
        if self.users:
            self.chance.choice(self.users).interrupt()

    def answer(self) -> None:
        watchers = [*self.hearers, *self.users]
        if watchers:
            self.chance.choice(watchers).answer()

    def turn(self) -> None:
        self.reactor.turn()

    def time(self) -> None:
        self.reactor.advance(3)

    def settle(self) -> None:
        """Let all tasks end, and all watchers see it."""
        for _ in range(10_000):
            self.end()
            self.turn()
            for watcher in (*self.hearers, *self.users):
                watcher.answer()
            if all(task.done for task in self.tasks) and all(
                user.text.endswith(PROMPT) and user.dialogue._task is None for user in self.users
            ):
                break
        else:
            raise AssertionError("some never end")
        for _ in range(100):
            self.turn()
            for watcher in (*self.hearers, *self.users):
                watcher.answer()


@settings(max_examples=examples(200))
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 8, 100]))
def test_any_order_of_events(seed: int, max_lines: int) -> None:
    """Each watcher sees a suffix of the lines in order, and is told of what is missing."""
    Play(random.Random(seed), max_lines).play()
