"""
@offloaded: methods whose bodies run in a pool.
"""

from __future__ import annotations

import functools
import gc
import os
import pickle
import threading
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread

import txremote
from tests.net.servers import joined, until
from tests.work.doubles import (
    DEADLINE,
    CopyingPool,
    Step,
    default_threads,
    logged,
    no_running_pools,
    outcome,
)
from txremote import blocking, current_call, exposed, offloaded
from txremote.errors import JobTimeout, NotPicklable
from txremote.testing import connected_pair
from txremote.work.named import FunctionByName, by_name
from txremote.work.processes import ProcessPool
from txremote.work.running import set_default_pool
from txremote.work.threads import ThreadPool

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools")


def noted(function: Any) -> Any:
    """A decorator as many are."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return ("noted", function(*args))

    return call


class Counter(txremote.Service):
    """A service with a method of each shape."""

    def __init__(self) -> None:
        self.start = 5

    @exposed
    @offloaded
    def above(self, number: int) -> tuple[int, int, str]:
        """Add, and say where."""
        return self.start + number, os.getpid(), threading.current_thread().name

    @offloaded
    @exposed
    def below(self, number: int, add: int = 0) -> int:
        return self.start + number + add

    @exposed
    @offloaded(pool="threads:1", timeout=0.05)
    def in_time(self, step: Any) -> Any:
        return step()

    @exposed
    @staticmethod
    @offloaded
    def alone(number: int) -> int:
        return number + 1

    @offloaded
    @exposed
    @staticmethod
    def alone_too(number: int) -> int:
        return number + 2

    @exposed
    @classmethod
    @offloaded
    def of_class(cls, number: int) -> tuple[str, int]:
        return cls.__name__, number

    @offloaded
    def hidden(self) -> None:
        """Nobody exposed this."""

    @exposed
    @offloaded
    def fail(self, sentence: str) -> None:
        raise LookupError(sentence)

    @exposed
    @offloaded
    def peer(self) -> str:
        return str(current_call().peer)

    @exposed
    @offloaded
    def call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    @exposed
    @noted
    @offloaded(pool="threads:1")
    def noted_above(self) -> int:
        return 1

    @exposed
    @offloaded
    @noted
    def noted_below(self) -> int:
        return 1


class LaneCounter(Counter):
    """The same, whose methods are called in a lane."""

    threaded_service = True


class Sticky(Counter):
    """A service that holds what cannot be pickled."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Careful(Sticky):
    """One that leaves it out."""

    def __getstate__(self) -> dict[str, Any]:
        return {"start": self.start}


@offloaded
def plain_function(number: int) -> int:
    """No method at all."""
    return number * 2


async def started(pool: Any) -> Any:
    """Start a pool and make it the default one."""
    await pool.start()
    set_default_pool(pool)
    return pool


class TestThreads:
    """In the reactor's threads, where no pool runs."""

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("kind", [Counter, LaneCounter])
    async def test_a_peer_s_call(self, kind: Any) -> None:
        """It is answered with what the body gives, wherever @exposed stands."""
        async with joined(kind()) as conn:
            total, process, thread = await conn.root.above(3)
            assert (total, process) == (8, os.getpid())
            assert default_threads() in thread  # and no lane
            assert await conn.root.below(3, add=1) == 9
            assert await conn.root.alone(1) == 2
            assert await conn.root.alone_too(1) == 3
            assert await conn.root.of_class(1) == (kind.__name__, 1)
            assert await conn.root.noted_below() == ("noted", 1)
            with pytest.raises(LookupError, match="no such line"):
                await conn.root.fail("no such line")
            with pytest.raises(AttributeError, match="exposes no such name"):
                await conn.root.hidden()

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("kind", [Counter, LaneCounter])
    async def test_the_body_knows_who_calls(self, kind: Any) -> None:
        """current_call() works in it, as in any exposed method."""
        async with joined(kind()) as conn:
            assert "IPv4Address" in await conn.root.peer()

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("kind", [Counter, LaneCounter])
    async def test_references_are_netrefs(self, kind: Any) -> None:
        """The body may call its caller; what it gives back may be the caller's own."""
        heard: list[int] = []

        def hear(number: int) -> list[int]:
            heard.append(number)
            return heard

        async with joined(kind()) as conn:
            assert await conn.root.call(hear, 5) is heard
            assert heard == [5]

    @pytest_twisted.ensureDeferred
    async def test_the_program_s_own_call(self) -> None:
        """It gives a Deferred, too; as a function's does."""
        service = Counter()
        assert (await service.above(1))[0] == 6
        assert await service.below(1) == 6
        assert await Counter.alone(1) == 2
        assert await plain_function(4) == 8
        assert (await Counter.of_class(1)) == ("Counter", 1)

    @pytest_twisted.ensureDeferred
    async def test_a_call_in_another_thread(self) -> None:
        """It gives a Deferred that belongs to the reactor's thread; one can wait for that."""
        from twisted.internet import reactor

        service = Counter()
        deferred = await deferToThread(lambda: (service.below(1),))
        assert await deferred[0] == 6
        assert await deferToThread(blockingCallFromThread, reactor, service.below, 2) == 7
        # and it may be cancelled before it has begun
        early = await deferToThread(cancelled_at_once, service)
        assert await early == "cancelled"

    @pytest_twisted.ensureDeferred
    async def test_a_time_limit_and_a_pool_of_its_own(self) -> None:
        """As the decorator says."""
        service = Counter()
        step = Step()
        with logged(), pytest.raises(JobTimeout):
            await service.in_time(step)
        step.end.set()
        assert await service.noted_above.__wrapped__(service) == 1

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("kind", [Counter, LaneCounter])
    async def test_a_client_cancels(self, kind: Any) -> None:
        """Cancelled while it waits for a thread, the body never runs."""
        pool = await started(ThreadPool(reactor_of_the_tests(), 1))
        step = Step()
        blocking_job = pool.submit(step)
        assert await deferToThread(step.began.wait, DEADLINE)
        heard: list[int] = []
        async with joined(kind()) as conn:
            deferred = conn.root.call(heard.append, 1)
            await until(lambda: pool.statistics().queued == 1)
            deferred.cancel()
            with pytest.raises(CancelledError):
                await deferred
            await until(lambda: pool.statistics().queued == 0)
            step.end.set()
            await blocking_job
            assert await conn.root.below(1) == 6
        assert heard == []

    @pytest_twisted.ensureDeferred
    async def test_a_failure_that_nobody_handles(self) -> None:
        """It is logged with the method's name."""
        service = Counter()
        with logged() as lines:
            service.fail("no such line").addBoth(lambda failure: failure)
            while not lines:
                await deferToThread(gc.collect)
        assert lines == ["Counter.fail failed, and nobody handles it no such line"]

    @pytest_twisted.ensureDeferred
    async def test_a_blocking_client(self) -> None:
        """It cannot tell the difference."""
        async with joined(Counter()) as conn:
            port = conn.transport.getPeer().port

            def script() -> Any:
                client = blocking.connect("127.0.0.1", port)
                try:
                    return client.root.below(3)
                finally:
                    client.close()

            assert await deferToThread(script) == 8

    @pytest_twisted.ensureDeferred
    async def test_in_memory(self) -> None:
        """A service's tests with connected_pair: the answer is there when the body is done."""
        pair = connected_pair(server_root=Counter)
        found = outcome(pair.client.root.below(3))
        pair.pump()
        assert found == []
        while not found:
            await deferToThread(lambda: None)
            pair.pump()
        assert found == [8]

    def test_in_memory_with_a_pool_of_one_s_own(self) -> None:
        """With a default pool that runs jobs at once, nothing is to be waited for."""
        pool = CopyingPool()
        pool.start()
        pair = connected_pair(server_root=Counter)
        assert pair.result(pair.client.root.below(3)) == 8
        assert pool.submitted[0][4] == "Counter.below"


def cancelled_at_once(service: Counter) -> Deferred[Any]:
    deferred = service.below(1)
    deferred.cancel()
    return deferred.addErrback(lambda failure: failure.trap(CancelledError) and "cancelled")


def reactor_of_the_tests() -> Any:
    from twisted.internet import reactor

    return reactor


class TestByName:
    def test_a_function_goes_by_name(self) -> None:
        """A module and a name travel, and another process finds the function by them."""
        for call, original in (
            (Counter.above, Counter.above.__wrapped__),
            (Counter.alone, Counter.alone.__wrapped__),
            (Counter.of_class, Counter.of_class.__wrapped__),
            (plain_function, plain_function.__wrapped__),
            (Counter.noted_above, Counter.noted_above.__wrapped__.__wrapped__),
        ):
            named = by_name(original)
            assert type(named) is FunctionByName
            assert named.qualname == call.__qualname__
            assert pickle.loads(pickle.dumps(named)).find() is original

    def test_one_that_cannot_be_found_goes_itself(self) -> None:
        """Where the name leads nowhere, or to something else, it is cloudpickle's."""

        @offloaded
        def local() -> None:
            pass

        assert by_name(local.__wrapped__) is local.__wrapped__

        def impostor() -> None:
            pass

        impostor.__module__, impostor.__qualname__ = __name__, "plain_function"
        assert by_name(impostor) is impostor
        impostor.__module__ = "__main__"
        assert by_name(impostor) is impostor

    def test_in_a_pool_that_copies(self) -> None:
        """self goes by value."""
        pool = CopyingPool()
        pool.start()
        service = Counter()
        assert outcome(service.above(1))[0][0] == 6
        function, args, _kwargs, timeout, name = pool.submitted[0]
        assert type(function) is FunctionByName
        assert args[0] is service
        assert (timeout, name) == (None, "Counter.above")

    def test_self_that_cannot_go(self) -> None:
        """The error says that it is self, why, and what can be done about it."""
        pool = CopyingPool()
        pool.start()
        (error,) = outcome(Sticky().below(1))
        assert isinstance(error, NotPicklable)
        assert "Counter.below is offloaded, so its self goes to another process" in str(error)
        assert "lock" in str(error)
        assert "__getstate__" in str(error)
        assert outcome(Careful().below(1)) == [6]

    def test_an_argument_that_cannot_go(self) -> None:
        """It is the argument that is named, and no self is blamed."""
        pool = CopyingPool()
        pool.start()
        (error,) = outcome(Counter().below(threading.Lock()))
        assert isinstance(error, NotPicklable)
        assert "argument 2, a lock" in str(error)
        (error,) = outcome(plain_function(threading.Lock()))
        assert "argument 1, a lock" in str(error)

    def test_a_pool_that_there_is_none_of(self) -> None:
        """It is the call's Deferred that fails."""

        @offloaded(pool="stars:8")
        def lost() -> None:
            pass

        (error,) = outcome(lost())
        assert "'stars' in 'stars:8' is no kind of pool" in str(error)


class TestDecorator:
    def test_it_looks_like_the_function(self) -> None:
        """Name, docstring, and the function itself."""
        assert Counter.above.__name__ == "above"
        assert Counter.above.__doc__ == "Add, and say where."
        assert Counter.below.__wrapped__(Counter(), 1) == 6

    @pytest.mark.parametrize("wrong", [5, len, Counter])
    def test_what_it_is_not_for(self, wrong: Any) -> None:
        """It says so where it is written."""
        with pytest.raises(TypeError, match="@offloaded is for methods and functions"):
            offloaded(wrong)

    def test_coroutines_and_generators_stay_here(self) -> None:
        """They could not leave the place where they run."""

        async def coroutine() -> None:
            pass

        async def asynchronous_generator() -> Any:
            yield

        def generator() -> Any:
            yield

        for promising in (coroutine, asynchronous_generator, generator):
            with pytest.raises(TypeError, match=f"{promising.__name__} gives a coroutine or a"):
                offloaded(promising)


class TestProcesses:
    """In real processes."""

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("kind", [Counter, LaneCounter])
    async def test_a_peer_s_call(self, kind: Any) -> None:
        """The body runs in another process, with a copy of self, and calls its caller."""
        await started(ProcessPool(reactor_of_the_tests()))
        service = kind()
        service.start = 100
        heard: list[int] = []

        def hear(number: int) -> list[int]:
            heard.append(number)
            return heard

        async with joined(service) as conn:
            total, process, _thread = await conn.root.above(3)
            assert total == 103
            assert process != os.getpid()
            assert await conn.root.alone(1) == 2
            assert await conn.root.of_class(1) == (kind.__name__, 1)
            assert await conn.root.noted_below() == ("noted", 1)
            with pytest.raises(LookupError, match="no such line"):
                await conn.root.fail("no such line")
            assert await conn.root.call(hear, 5) is heard
            assert heard == [5]

    @pytest_twisted.ensureDeferred
    async def test_a_client_cancels(self) -> None:
        """The job is ended with its process, and the next one runs."""
        pool = await started(ProcessPool(reactor_of_the_tests()))
        never: Deferred[Any] = Deferred()
        asked: list[Any] = []

        def ask() -> Deferred[Any]:
            asked.append(1)
            return never

        async with joined(Counter()) as conn:
            deferred = conn.root.call(ask)
            await until(lambda: bool(asked))
            deferred.cancel()
            with pytest.raises(CancelledError):
                await deferred
            await until(lambda: pool.statistics().killed == 1)
            assert await conn.root.below(1) == 6
            never.callback(None)

    @pytest_twisted.ensureDeferred
    async def test_self_that_cannot_go(self) -> None:
        """The client reads what is wrong with the service."""
        await started(ProcessPool(reactor_of_the_tests()))
        async with joined(Sticky()) as conn:
            with pytest.raises(Exception, match="its self goes to another process") as caught:
                await conn.root.below(1)
            assert "NotPicklable" in type(caught.value).__name__
        async with joined(Careful()) as conn:
            assert await conn.root.below(1) == 6
