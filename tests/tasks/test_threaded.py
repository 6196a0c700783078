"""
Commands in threads: killed, waited for, and how their output comes to the reactor.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater

from tests.tasks.task_helpers import DEADLINE, arguments, done, states_of, until_output
from txremote.tasks.capture import sink
from txremote.tasks.states import ABORTED, FINISHED, KILLED, TOBEKILLED
from txremote.tasks.stepping import Progress
from txremote.tasks.threaded import MOST_CHARACTERS, MOST_IN_MAILBOX, Errands, Mailbox, ThreadedTask

Command = Callable[..., Any]


def threaded(command: Command) -> ThreadedTask:
    """Return a task whose thread has been started."""
    task = ThreadedTask(*arguments(command, reactor=reactor), errands=Errands(reactor))
    task.begin()
    return task


@pytest_twisted.ensureDeferred
async def test_a_threaded_command_runs_in_a_thread_of_its_own() -> None:
    """It is RUNNING at once, as in plac's document, and the reactor is not held up."""
    threads: list[threading.Thread] = []
    go = threading.Event()

    def command() -> Iterator[Any]:
        threads.append(threading.current_thread())
        go.wait(DEADLINE)
        yield "one"
        yield
        yield Progress(1, 2, "half")
        yield 2

    task = threaded(command)
    assert repr(task) == "<ThreadedTask 1 [command] RUNNING>"
    go.set()
    await done(task)
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon
    assert (task.outlist, task.result, task.progress) == (["one", "2"], 2, Progress(1, 2, "half"))


@pytest_twisted.ensureDeferred
async def test_a_plain_function_may_block_its_thread() -> None:
    """It is called there, and not by the reactor."""
    task = threaded(lambda: threading.current_thread().name)
    await done(task)
    assert task.outlist == ["txremote task 1"]


@pytest_twisted.ensureDeferred
async def test_what_threaded_commands_print_is_their_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many at once, each in its own, in order with what they yield."""
    outside = io.StringIO()
    monkeypatch.setattr(sys, "stdout", outside)
    together = threading.Barrier(5)

    def command() -> Iterator[Any]:
        together.wait(DEADLINE)
        for number in range(20):
            print("printed", number)
            yield f"yielded {number}"
        print("begun", end="")

    tasks = [threaded(command) for _ in range(5)]
    print("the program's")
    expected = [f"{how} {number}" for number in range(20) for how in ("printed", "yielded")]
    for task in tasks:
        await done(task)
        assert task.outlist == [*expected, "begun"]
    assert outside.getvalue() == "the program's\n"
    assert sys.stdout is outside


@pytest_twisted.ensureDeferred
async def test_a_killed_threaded_command() -> None:
    """It notices at its next yield; its finally prints into its output."""

    def command() -> Iterator[Any]:
        try:
            yield "working"
            while True:
                yield
        finally:
            print("closing the file")

    task = threaded(command)
    states = states_of(task)
    await until_output(task, "working")
    task.kill()
    assert task.status == TOBEKILLED
    await done(task)
    assert states == [TOBEKILLED, KILLED]
    assert task.outlist == ["working", "closing the file"]


@pytest_twisted.ensureDeferred
async def test_a_thread_that_does_not_yield_cannot_be_killed() -> None:
    """Its state says so as long as it lasts; if it ends by itself, it says that."""
    go = threading.Event()

    def command() -> str:
        print("stubborn")
        go.wait(DEADLINE)
        return "done after all"

    task = threaded(command)
    await until_output(task, "stubborn")
    task.kill()
    assert task.status == TOBEKILLED
    go.set()
    await done(task)
    assert (task.status, task.result) == (FINISHED, "done after all")


@pytest_twisted.ensureDeferred
async def test_a_thread_waits_for_a_deferred() -> None:
    """It blocks, the reactor does not; the callbacks run in the reactor's thread."""
    seen: list[threading.Thread] = []

    def later() -> str:
        seen.append(threading.current_thread())
        return "result"

    def command() -> Iterator[Any]:
        deferred: Deferred[str] = Deferred()
        reactor.callFromThread(lambda: deferred.callback(later()))  # type: ignore[attr-defined]
        yield (yield deferred)
        try:
            yield _failing()
        except KeyError as problem:
            yield f"caught {problem}"

    def _failing() -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        reactor.callFromThread(  # type: ignore[attr-defined]
            deferred.errback, KeyError("x")
        )
        return deferred

    task = threaded(command)
    await done(task)
    assert task.outlist == ["result", "caught 'x'"]
    assert seen == [threading.current_thread()]


@pytest_twisted.ensureDeferred
async def test_a_coroutine_in_a_thread() -> None:
    """Its thread waits for the Deferreds that it awaits."""
    threads: list[threading.Thread] = []

    async def command() -> str:
        got = await succeed("awaited")
        threads.append(threading.current_thread())
        return got

    task = threaded(command)
    await done(task)
    assert task.outlist == ["awaited"]
    assert threads[0] is not threading.current_thread()


@pytest_twisted.ensureDeferred
async def test_a_kill_ends_a_thread_s_wait() -> None:
    """Its Deferred is cancelled, in the reactor's thread, and the generator closed."""
    cancelled: list[threading.Thread] = []

    def command() -> Iterator[Any]:
        try:
            yield "waiting"
            yield Deferred(lambda _: cancelled.append(threading.current_thread()))
        finally:
            print("closed")

    task = threaded(command)
    await until_output(task, "waiting")
    task.kill()
    await done(task)
    assert (task.status, task.outlist) == (KILLED, ["waiting", "closed"])
    assert cancelled in ([], [threading.current_thread()])  # it may not have waited yet


@pytest_twisted.ensureDeferred
async def test_a_killed_coroutine_in_a_thread_may_clean_up_slowly() -> None:
    """Its finally may await something."""

    async def command() -> None:
        try:
            print("waiting")
            await Deferred()
        finally:
            await deferLater(reactor, 0)  # type: ignore[arg-type]
            print("cleaned up")

    task = threaded(command)
    await until_output(task, "waiting")
    task.kill()
    await done(task)
    assert (task.status, task.outlist) == (KILLED, ["waiting", "cleaned up"])


@pytest_twisted.ensureDeferred
async def test_a_crash_in_a_thread_is_the_task_s() -> None:
    """With its traceback."""

    def command() -> Iterator[Any]:
        yield "one"
        raise ValueError("a bug")

    task = threaded(command)
    await done(task)
    assert (task.status, task.error) == (ABORTED, "ValueError: a bug")
    assert "in command" in task.traceback
    assert task.traceback.count("  File ") == 1


@pytest_twisted.ensureDeferred
async def test_a_system_without_threads_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is ABORTED, and says why."""
    before = sys.stdout

    def start(_self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    task = threaded(lambda: 1)
    assert (task.status, task.error) == (ABORTED, "RuntimeError: can't start new thread")
    assert sys.stdout is before


@pytest_twisted.ensureDeferred
async def test_a_thread_that_is_given_up_may_end_later() -> None:
    """Its output is not wanted any more, its end is told."""
    go = threading.Event()

    def command() -> None:
        print("stubborn")
        go.wait(DEADLINE)
        print("unheard")

    task = threaded(command)
    await until_output(task, "stubborn")
    task.kill()
    waiting = task.when_done()
    task.give_up(ValueError("stopping"))
    assert await waiting is task
    assert task.status == TOBEKILLED
    go.set()
    await done(task)
    assert (task.status, task.outlist) == (FINISHED, ["stubborn"])


# -- from thread to reactor


class Turning(Clock):
    """A reactor that does what threads ask for when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def callFromThread(self, function: Any) -> None:
        self.asked.append(function)


@pytest_twisted.ensureDeferred
async def test_a_thread_that_is_given_up_does_not_wait_for_ever() -> None:
    """Where it waits for a Deferred from then on, it is killed: nobody would wake it."""
    go = threading.Event()
    closed: list[str] = []

    def command() -> Iterator[Any]:
        try:
            go.wait(DEADLINE)
            yield Deferred()
        finally:
            closed.append("the file")

    task = threaded(command)
    task.kill()
    task.give_up(ValueError("stopping"))
    go.set()
    await done(task)
    assert task.status == KILLED
    assert closed == ["the file"]


@pytest_twisted.ensureDeferred
async def test_nothing_is_put_out_after_the_end() -> None:
    """A thread of the command's own may be in the middle of a line: those who follow have gone."""
    writers: list[Any] = []
    task = threaded(lambda: writers.append(sink.get()))
    await done(task)
    writers[0].write("too late\n")
    received: Deferred[None] = Deferred()
    reactor.callFromThread(received.callback, None)  # type: ignore[attr-defined]
    await received
    assert task.outlist == []


def test_threads_wake_the_reactor_as_one() -> None:
    """Once for all errands until it comes to them; those that come meanwhile have its next turn."""
    reactor = Turning()
    errands = Errands(reactor)
    done: list[int] = []
    errands.add(lambda: errands.add(lambda: done.append(3)))
    errands.add(lambda: done.append(1))
    errands.add(lambda: done.append(2))
    assert len(reactor.asked) == 1
    reactor.asked.pop()()
    assert (done, len(reactor.asked)) == ([1, 2], 1)
    reactor.asked.pop()()
    assert (done, reactor.asked) == ([1, 2, 3], [])


def test_an_errand_with_a_bug_is_no_end_of_the_others() -> None:
    """They are done in another turn."""
    reactor = Turning()
    errands = Errands(reactor)
    done: list[int] = []
    errands.add(lambda: done.index(7))
    errands.add(lambda: done.append(1))
    with pytest.raises(ValueError, match="7"):
        reactor.asked.pop()()
    reactor.asked.pop()()
    assert (done, reactor.asked) == ([1], [])


def test_a_mailbox_brings_much_over_at_once() -> None:
    """One errand for all that was posted, in order."""
    reactor = Turning()
    received: list[list[Any]] = []
    mailbox = Mailbox(Errands(reactor), received.append)
    for item in range(5):
        mailbox.post(item)
    assert len(reactor.asked) == 1
    reactor.asked.pop()()
    assert received == [[0, 1, 2, 3, 4]]
    mailbox.post(5)
    reactor.asked.pop()()
    assert received[1:] == [[5]]


def test_a_full_mailbox_holds_its_thread_up() -> None:
    """A command that puts out more than the reactor takes in waits for it."""
    reactor = Turning()
    received: list[list[Any]] = []
    mailbox = Mailbox(Errands(reactor), received.append)
    for item in range(MOST_IN_MAILBOX):
        mailbox.post(item)
    posted = threading.Event()
    thread = threading.Thread(target=lambda: (mailbox.post("more"), posted.set()), daemon=True)
    thread.start()
    assert not posted.wait(0.05)
    reactor.asked.pop()()
    assert posted.wait(DEADLINE)
    thread.join(DEADLINE)
    reactor.asked.pop()()
    assert [len(items) for items in received] == [MOST_IN_MAILBOX, 1]


def test_a_mailbox_is_full_of_few_long_lines_as_well() -> None:
    """So the reactor is not given a hundred MB in one turn."""
    reactor = Turning()
    received: list[list[Any]] = []
    mailbox = Mailbox(Errands(reactor), received.append)
    line = "x" * (MOST_CHARACTERS // 4)
    posted: list[int] = []

    def post() -> None:
        for number in range(20):
            mailbox.post(line)
            posted.append(number)

    thread = threading.Thread(target=post, daemon=True)
    thread.start()
    deadline = time.monotonic() + DEADLINE
    while sum(map(len, received)) < 20:
        assert time.monotonic() < deadline
        if reactor.asked:
            reactor.asked.pop()()
    thread.join(DEADLINE)
    assert max(map(len, received)) <= 4


def test_a_closed_mailbox_holds_nobody_up() -> None:
    """Items that are posted are lost, but for the last."""
    reactor = Turning()
    received: list[list[Any]] = []
    mailbox = Mailbox(Errands(reactor), received.append)
    for item in range(MOST_IN_MAILBOX):
        mailbox.post(item)
    thread = threading.Thread(target=mailbox.post, args=("more",), daemon=True)
    thread.start()
    mailbox.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    reactor.asked.pop()()
    mailbox.post("lost")
    mailbox.post("end", last=True)
    reactor.asked.pop()()
    assert received[1:] == [["end"]]
