"""
run_async: what comes of a job, where it runs, and what is wrong with a call.
"""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial, wraps
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.python.failure import Failure

import txremote
from tests.net.servers import joined
from tests.work.doubles import (
    CopyingPool,
    Reactor,
    Step,
    default_threads,
    logged,
    no_running_pools,
    outcome,
)
from txremote import WrongThread, exposed, live, run_async
from txremote.errors import JobTimeout, PoolStopped
from txremote.work import run as run_module
from txremote.work.run import choose
from txremote.work.running import RunningPools, set_default_pool
from txremote.work.threads import ThreadPool

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools")


def broken(sentence: str = "it broke") -> None:
    raise LookupError(sentence)


@pytest.fixture
def hand() -> Any:
    """A reactor that is turned by hand, with a pool of its threads: (reactor, pool)."""
    reactor = Reactor()
    pool = ThreadPool(reactor)
    pool.start()
    yield reactor, pool
    reactor.settle()


def run(hand: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what run_async's Deferred has in the end, a Failure as its exception."""
    reactor, pool = hand
    found = outcome(run_async(*args, pool=pool, **kwargs))
    reactor.settle()
    assert len(found) == 1
    return found[0]


class TestOutcomes:
    def test_the_result(self, hand: Any) -> None:
        """Without callbacks the Deferred has it."""
        assert run(hand, divmod, 7, 2) == (3, 1)
        assert run(hand, sorted, [1, 3, 2], reverse=True) == [3, 2, 1]

    @pytest.mark.parametrize("value", [None, [], (), 0, ""])
    def test_an_empty_result(self, hand: Any, value: Any) -> None:
        """None, [] and () reach at_return as they are."""
        seen: list[Any] = []
        run(hand, lambda: value, at_return=seen.append)
        assert seen == [value]

    def test_the_error(self, hand: Any) -> None:
        """Without at_err the Deferred has it: the real one."""
        error = run(hand, broken)
        assert type(error) is LookupError
        assert str(error) == "it broke"

    def test_at_return(self, hand: Any) -> None:
        """It is called with the result and its own named arguments, and has the last word."""
        seen: list[Any] = []

        def at_return(result: Any, **kwargs: Any) -> str:
            seen.append((result, kwargs))
            return "told"

        found = run(hand, len, "abc", at_return=at_return, at_return_kwargs={"who": "ann"})
        assert found == "told"
        assert seen == [(3, {"who": "ann"})]

    def test_at_err(self, hand: Any) -> None:
        """It is called with a Failure and its own named arguments, and has the last word."""
        seen: list[Any] = []

        def at_err(failure: Failure, **kwargs: Any) -> str:
            seen.append((failure, kwargs))
            return "told"

        found = run(hand, broken, at_return=pytest.fail, at_err=at_err, at_err_kwargs={"a": 1})
        assert found == "told"
        ((failure, kwargs),) = seen
        assert isinstance(failure, Failure)
        assert failure.check(LookupError)
        assert kwargs == {"a": 1}

    def test_at_err_hears_of_at_return(self, hand: Any) -> None:
        """A failing at_return goes to at_err."""
        seen: list[Any] = []
        run(hand, len, "abc", at_return=broken, at_err=seen.append)
        assert seen[0].check(LookupError)

    def test_callbacks_that_fail(self, hand: Any) -> None:
        """Without at_err, and where at_err fails itself, the Deferred has it."""
        assert type(run(hand, len, "abc", at_return=broken)) is LookupError
        assert type(run(hand, broken, at_err=partial(divmod, 1))) is TypeError

    def test_callbacks_that_take_their_time(self, hand: Any) -> None:
        """at_return may give a Deferred or a coroutine; so may at_err."""

        async def later(result: Any) -> Any:
            await succeed(None)
            return "later", result

        assert run(hand, len, "abc", at_return=succeed) == 3
        assert run(hand, len, "abc", at_return=later) == ("later", 3)
        word, failure = run(hand, broken, at_err=later)
        assert word == "later"
        assert failure.check(LookupError)

    def test_names_of_our_own_parameters(self, hand: Any) -> None:
        """A callable may have an argument called function."""
        assert run(hand, dict, function=1, name=2, args=3) == {"function": 1, "name": 2, "args": 3}

    def test_live_in_a_thread(self, hand: Any) -> None:
        """There live() makes no difference."""
        mine: list[int] = []
        assert run(hand, lambda same: same, live(mine)) is mine


class TestWhere:
    @pytest_twisted.ensureDeferred
    async def test_a_thread_of_the_reactor(self) -> None:
        """Where nothing else runs."""
        name = await run_async(lambda: threading.current_thread().name)
        assert default_threads() in name

    @pytest_twisted.ensureDeferred
    async def test_a_process_pool_that_runs(self) -> None:
        """It is taken by itself, and use_thread forces the thread."""
        pool = CopyingPool()
        await pool.start()
        mine: list[int] = []
        assert await run_async(lambda same: same, mine) is not mine
        assert await run_async(lambda same: same, mine, use_thread=True) is mine
        assert len(pool.submitted) == 1

    @pytest_twisted.ensureDeferred
    async def test_a_default_pool(self) -> None:
        """The pool of set_default_pool goes first."""
        pool = CopyingPool("threads:9")
        await pool.start()
        set_default_pool(pool)
        assert await run_async(len, "abc") == 3
        assert len(pool.submitted) == 1

    @pytest_twisted.ensureDeferred
    async def test_a_pool_by_name(self, no_running_pools: RunningPools) -> None:
        """It is started when it is named first, and kept."""
        names = [await run_async(threading.current_thread, pool="threads:1") for _ in range(2)]
        assert names[0] is names[1]
        assert "threads:1" in names[0].name
        assert [pool.description for pool in no_running_pools.pools] == ["threads:1"]

    @pytest_twisted.ensureDeferred
    async def test_proc_timeout(self) -> None:
        """It is the pool's affair; a thread is given up, and the Failure is a TimeoutError."""
        step = Step()
        with logged() as lines, pytest.raises(TimeoutError) as caught:
            await run_async(step, proc_timeout=0.01)
        assert isinstance(caught.value, JobTimeout)
        assert [line for line in lines if "cannot be stopped" in line]
        step.end.set()

    @pytest_twisted.ensureDeferred
    async def test_only_in_the_reactor_s_thread(self) -> None:
        """Elsewhere it raises, with a sentence that says what to do; and that works."""
        from twisted.internet import reactor

        with pytest.raises(WrongThread, match="blockingCallFromThread"):
            await deferToThread(run_async, len, "abc")
        assert await deferToThread(blockingCallFromThread, reactor, run_async, len, "abc") == 3

    @pytest_twisted.ensureDeferred
    async def test_many(self) -> None:
        """A thousand jobs, each with its own result."""
        assert await gatherResults([run_async(abs, -n) for n in range(1000)]) == list(range(1000))


class TestCancelling:
    def test_a_job_that_waits(self, hand: Any) -> None:
        """It never runs; at_return is not called, at_err is."""
        reactor, pool = hand
        runs: list[Any] = []
        seen: list[Any] = []
        deferred = run_async(runs.append, 1, at_return=pytest.fail, at_err=seen.append, pool=pool)
        deferred.cancel()
        reactor.settle()
        assert runs == []
        assert seen[0].check(CancelledError)

    def test_what_at_return_waits_for(self, hand: Any) -> None:
        """Once the job is done it is at_return's Deferred that is cancelled."""
        reactor, pool = hand
        waiting: Deferred[Any] = Deferred()
        deferred = run_async(len, "abc", at_return=lambda _result: waiting, pool=pool)
        found = outcome(deferred)
        reactor.settle()
        deferred.cancel()
        assert isinstance(found[0], CancelledError)
        assert waiting.called


class TestUnhandled:
    def test_it_is_logged_with_the_name(self, hand: Any) -> None:
        """The error of a job that nobody waits for, when it ends."""
        reactor, pool = hand
        gc.disable()
        try:
            with logged() as lines:
                run_async(broken, pool=pool)
                reactor.settle()
        finally:
            gc.enable()
        assert lines == ["broken failed, and nobody handles it it broke"]

    @pytest.mark.parametrize(
        ("function", "kwargs", "name"),
        [
            (partial(broken), {}, "broken"),
            (len, {"at_return": lambda _result: broken()}, "len"),
            (broken, {"at_err": lambda failure: failure}, "broken"),
            (Step(), {"wrong": 1}, "Step"),
            ("1 +", {}, "the source '1 +'"),
            ("1", {}, "the source '1'"),
            (None, {}, "NoneType"),
            (broken, {"at_return": 5}, "broken"),
        ],
    )
    def test_whatever_fails(self, hand: Any, function: Any, kwargs: Any, name: str) -> None:
        """A job, a callback, a call that makes no sense: once, with the callable's name."""
        reactor, pool = hand
        args = ("abc",) if function is len else ()
        gc.collect()  # what tests before this one have left is logged now
        gc.disable()
        try:
            with logged() as lines:
                run_async(function, *args, pool=pool, **kwargs)
                reactor.settle()
                if "at_return" in kwargs:  # Twisted's Failure of a callback holds its Deferred
                    gc.collect()
        finally:
            gc.enable()
        assert len(lines) == 1
        assert lines[0].startswith(f"{name} failed, and nobody handles it ")

    def test_what_is_handled_is_not(self, hand: Any) -> None:
        """By at_err, by an errback, by who awaits it, even long afterwards."""
        reactor, pool = hand

        async def waiter(deferred: Deferred[Any]) -> None:
            with pytest.raises(LookupError):
                await deferred

        with logged() as lines:
            run_async(broken, pool=pool, at_err=lambda _failure: None)
            late = [run_async(broken, pool=pool) for _ in range(3)]
            early = run_async(broken, pool=pool)
            early.addErrback(lambda _failure: None)
            chained = succeed(None).addCallback(lambda _none, last=late[2]: last)
            reactor.settle()
            late[0].addErrback(lambda _failure: None)
            Deferred.fromCoroutine(waiter(late[1]))
            chained.addErrback(lambda _failure: None)
            del early, late, chained
            gc.collect()
        assert lines == []

    def test_the_name_survives_debugging(self, hand: Any) -> None:
        """With Deferred debugging on, too."""
        reactor, pool = hand
        Deferred.debug = True
        try:
            with logged() as lines:
                run_async(broken, pool=pool)
                reactor.settle()
                gc.collect()
        finally:
            Deferred.debug = False
        assert [line for line in lines if line.startswith("broken failed")]


class TestMistakes:
    def test_callbacks_by_position(self, hand: Any) -> None:
        """As an example of Evennia's has them: the error says to give them by name."""

        def long_running_function() -> None:
            pytest.fail("it was not to run")

        error = run(hand, long_running_function, print, print)
        assert isinstance(error, TypeError)
        assert "long_running_function: too many positional arguments" in str(error)
        assert "at_return=" in str(error)

    def test_callables_that_fit_are_arguments(self, hand: Any) -> None:
        """Where the callable takes them they are its own affair."""
        assert run(hand, lambda *args: args, len, print) == (len, print)
        assert run(hand, sorted, [-1, 2], key=abs) == [-1, 2]
        assert run(hand, map, abs, [1]).__class__ is map  # whose signature nobody knows
        assert run(hand, len, "abc", at_return=print) is None

    def test_what_a_decorator_fills_in(self, hand: Any) -> None:
        """A callable that takes less than what it wraps is called, not refused."""

        def with_database(function: Any) -> Any:
            @wraps(function)
            def call(*args: Any) -> Any:
                return function("the database", *args)

            return call

        @with_database
        def ask(database: str, question: Any) -> Any:
            return question(database)

        assert run(hand, ask, len) == len("the database")

    def test_other_wrong_arguments_are_python_s_affair(self, hand: Any) -> None:
        """The callable's own TypeError, from where it was called."""
        error = run(hand, broken, 1, 2)
        assert isinstance(error, TypeError)
        assert "at_return" not in str(error)

    @pytest.mark.parametrize(
        ("function", "kwargs", "says"),
        [
            (5, {}, "a callable or a source, not 5"),
            (len, {"at_return": 5}, "at_return= takes a callable, not 5"),
            (len, {"at_err": "print"}, "at_err= takes a callable, not 'print'"),
            (len, {"proc_timeout": 0}, "more than 0, not 0"),
            (len, {"proc_timeout": "5"}, "more than 0, not '5'"),
            (len, {"pool": "stars:8"}, "'stars' in 'stars:8' is no kind of pool"),
            (len, {"pool": "threads:x"}, "'x' in 'threads:x'"),
            (len, {"pool": 8}, "'threads:8', not 8"),
            (len, {"use_thread": True, "pool": "threads"}, "use_thread=True"),
            ("_return(", {}, "'(' was never closed"),
            ("1", {"_return": 5}, "_return is the function by which a source gives"),
        ],
    )
    def test_it_is_the_deferred_that_fails(self, function: Any, kwargs: Any, says: str) -> None:
        """And at_err hears of it: nothing is raised."""
        (error,) = outcome(run_async(function, **kwargs))
        assert says in str(error)
        if "at_err" not in kwargs:
            seen: list[Any] = []
            run_async(function, **{**kwargs, "at_err": seen.append})
            assert says in seen[0].getErrorMessage()

    def test_a_source_s_variables_have_names(self) -> None:
        """Anything by position is a mistake, callbacks above all."""
        (error,) = outcome(run_async("_return(1)", print))
        assert "at_return=" in str(error)

    def test_a_pool_that_does_not_run(self) -> None:
        """Its refusal is the Failure."""
        (error,) = outcome(run_async(len, "abc", pool=ThreadPool(Reactor())))
        assert isinstance(error, PoolStopped)


class TestSource:
    def test_it_needs_another_process(self, hand: Any) -> None:
        """Without a process pool the error says how to have one."""
        reactor, pool = hand
        for where in ({"pool": pool}, {"use_thread": True}, {}):
            (error,) = outcome(run_async("_return(1)", **where))
            assert "twistd txremote --pool processes:2" in str(error)
            assert 'pool="processes:2"' in str(error)
        reactor.settle()

    def test_it_goes_with_its_variables(self) -> None:
        """Its name in the log is its first line; the reserved names go no further."""
        pool = CopyingPool()
        pool.start()
        seen: list[Any] = []
        run_async(
            "_return(x + 5)\n_return(x)", at_return=seen.append, x=3, proc_timeout=9, pool=pool
        )
        assert seen == [[8, 3]]
        ((_function, args, kwargs, timeout, name),) = pool.submitted
        assert args == ("_return(x + 5)\n_return(x)",)
        assert kwargs == {"x": 3}
        assert (timeout, name) == (9, "the source '_return(x + 5)' ...")

    def test_it_finds_the_process_pool(self) -> None:
        """Past a default pool of threads."""
        threads, processes = ThreadPool(Reactor()), CopyingPool()
        threads.start()
        processes.start()
        set_default_pool(threads)
        assert outcome(run_async("1 + 2")) == [3]

    def test_an_error_of_it(self) -> None:
        """It is run once, and at_err has the Failure."""
        pool = CopyingPool()
        pool.start()
        seen: list[Any] = []
        run_async("1 / x", x=0, at_err=seen.append, pool=pool)
        assert seen[0].check(ZeroDivisionError)
        assert len(pool.submitted) == 1


class Player(txremote.Service):
    """A service whose client may be told things."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.conns: list[Any] = []

    @exposed
    def msg(self, text: Any) -> str:
        """Hear of something."""
        self.told.append(text)
        return "heard"

    @exposed
    def fail(self, text: Any) -> None:
        """Refuse to hear."""
        raise LookupError(text)


class TestRemoteCallbacks:
    @pytest_twisted.ensureDeferred
    async def test_a_method_of_a_reference(self) -> None:
        """Both callbacks; what it gives, or fails with, is what the Deferred has."""
        root = Player()
        async with joined(root) as conn:
            assert await run_async(len, "abc", at_return=conn.root.msg) == "heard"
            assert root.told == [3]
            with pytest.raises(LookupError):
                await run_async(len, "abc", at_return=conn.root.fail)
            assert await run_async(broken, at_err=conn.root.msg) == "heard"
            assert "it broke" in await root.told[1].callRemote("__str__")

    @pytest_twisted.ensureDeferred
    async def test_a_reference_itself(self) -> None:
        """A function of the other end's, which it passed to us."""

        class Caller(txremote.Service):
            @exposed
            def later(self, callback: Any) -> Any:
                return run_async(len, "abc", at_return=callback)

        heard: list[int] = []
        async with joined(Caller()) as conn:
            assert await conn.root.later(heard.append) is None
        assert heard == [3]

    @pytest_twisted.ensureDeferred
    async def test_a_netref(self) -> None:
        """It blocks, so it is called in a thread, and what it gives has no netrefs."""
        from twisted.internet import reactor

        class Caller(txremote.Service):
            @exposed
            @txremote.threaded
            def later(self, callback: Any, failing: Any) -> Any:
                def start() -> Any:
                    return run_async(len, "abc", at_return=callback, at_err=failing.heard)

                return blockingCallFromThread(reactor, start)

        class Callbacks:
            def exposed_heard(self, failure: Any) -> str:
                return "the error was heard"

        heard: list[int] = []

        def callback(value: int) -> list[int]:
            heard.append(value)
            if len(heard) > 1:
                raise LookupError("no more")
            return heard

        async with joined(Caller()) as conn:
            assert await conn.root.later(callback, Callbacks()) is heard
            assert await conn.root.later(callback, Callbacks()) == "the error was heard"
        assert heard == [3, 3]


class TestSize:
    @pytest_twisted.ensureDeferred
    async def test_results_do_not_stay(self) -> None:
        """When a job is over, nothing of ours keeps its function, arguments or result."""

        class Thing:
            pass

        thing = Thing()
        gone = weakref.ref(thing)
        gc.disable()
        try:
            await run_async(lambda given: given, thing)
            del thing
            assert await deferToThread(lambda: None) is None  # the thread has moved on
            for _ in range(100):
                if gone() is None:
                    break
                await deferToThread(lambda: None)
            assert gone() is None
        finally:
            gc.enable()


def test_the_reactor_s_threads() -> None:
    """Where no pool runs; always the same, and they end with the reactor."""
    reactor, other = Reactor(), Reactor()
    pool = choose(reactor)
    assert isinstance(pool, ThreadPool)
    assert (pool.running, pool.description) == (True, "threads")
    assert choose(reactor) is pool
    assert choose(reactor, pool="threads") is pool
    assert choose(other) is not pool
    for trigger in reactor.triggers:
        trigger()
    assert not pool.running
    assert choose(reactor) is pool  # whose refusal says why: there will be no other


def test_a_process_pool_that_runs() -> None:
    """It is taken, unless use_thread says otherwise."""
    reactor = Reactor()
    processes = CopyingPool()
    processes.start()
    assert choose(reactor) is processes
    assert isinstance(choose(reactor, use_thread=True), ThreadPool)


def test_only_copies_will_do() -> None:
    """A job that has to run elsewhere passes by a default pool of threads."""
    reactor = Reactor()
    threads, processes = ThreadPool(reactor), CopyingPool()
    threads.start()
    set_default_pool(threads)
    assert choose(reactor) is threads
    assert not choose(reactor, by_value=True).by_value  # there is none
    processes.start()
    assert choose(reactor) is threads
    assert choose(reactor, by_value=True) is processes


def test_a_description_finds_a_pool_that_runs() -> None:
    """However it is written; else a new one is made, started and kept."""
    reactor = Reactor()
    program_s = ThreadPool(reactor, 2, description="threads:2:queue=5")
    program_s.start()
    assert choose(reactor, "threads:2:queue=5") is program_s
    assert choose(reactor, r"threads:\2:queue=5") is program_s
    made = choose(reactor, "threads:3")
    assert made.running
    assert choose(reactor, "threads:3") is made
    assert reactor.triggers
    for trigger in list(reactor.triggers):
        trigger()
    assert not made.running
    assert program_s.running  # the program's own affair
    assert choose(reactor, "threads:3") is made


def test_a_pool_that_did_not_start(
    no_running_pools: RunningPools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and another is made the next time."""

    class Late(CopyingPool):
        def open(self) -> Any:
            self.opening: Deferred[None] = Deferred()
            return self.opening

    monkeypatch.setattr(run_module, "pool_from_string", Late)
    reactor = Reactor()
    first = choose(reactor, "late:1")
    assert choose(reactor, "late:1") is first
    with logged() as lines:
        first.opening.errback(ConnectionError("nobody there"))
    assert [line for line in lines if "did not start" in line and "nobody there" in line]
    assert (first.running, reactor.triggers) == (False, [])
    second = choose(reactor, "late:1")
    assert second is not first
    second.opening.callback(None)


def test_a_pool_object_is_taken_as_it_is() -> None:
    """Running or not: if not, its own refusal says so."""
    pool = CopyingPool()
    assert choose(Reactor(), pool) is pool


def test_what_makes_no_sense() -> None:
    """A description of nothing, an object that is no pool, two answers to one question."""
    with pytest.raises(ValueError, match="no kind of pool"):
        choose(Reactor(), "stars:8")
    with pytest.raises(TypeError, match="'threads:8', not 8"):
        choose(Reactor(), 8)
    with pytest.raises(TypeError, match="use_thread=True"):
        choose(Reactor(), "threads:8", use_thread=True)


def test_stopping_one_that_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reactor shuts down while a pool starts: nothing is logged, none is made anew."""

    class Late(CopyingPool):
        def open(self) -> Any:
            self.opening: Deferred[None] = Deferred()
            return self.opening

        def close(self) -> None:
            self.opening.errback(ConnectionError("stopped"))

    monkeypatch.setattr(run_module, "pool_from_string", Late)
    reactor = Reactor()
    pool = choose(reactor, "late:1")
    with logged() as lines:
        stopped = [outcome(trigger()) for trigger in reactor.triggers]
    assert stopped == [[None]]
    assert lines == []
    assert choose(reactor, "late:1") is pool
