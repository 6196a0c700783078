"""
Coroutines in coroutines, each driven by Twisted or by asyncio, around one remote call.

However they are nested, and whichever of them gives up: each ends once and with the right thing,
the peer is told of a call that nobody waits for, and nothing is logged as unhandled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks

from tests.examples import examples
from tests.refs.test_awaiting import Office, in_asyncio, nothing_unhandled
from txremote import AsyncResult, async_
from txremote.peer.asyncio_steps import deferred_of
from txremote.refs.awaiting import awaitable

Make = Callable[[], Any]
CANCELLED = (asyncio.CancelledError, CancelledError)


def _for_twisted(waited: Any) -> Any:
    """Return what a coroutine of Twisted's can await, who knows no tasks."""
    return Deferred.fromFuture(waited) if isinstance(waited, asyncio.Future) else waited


async def _twisted(make: Make) -> Any:
    return await _for_twisted(make())


async def _asyncio(make: Make) -> Any:
    return await make()


@inlineCallbacks
def _yielding(make: Make) -> Generator[Any, Any, Any]:
    waited = make()
    if isinstance(waited, AsyncResult):  # which cannot be yielded
        waited = Deferred.fromCoroutine(_twisted(lambda: waited))
    return (yield _for_twisted(waited))


def _resumed_elsewhere(make: Make) -> Any:
    """Begin it here, and go on with it in the step of another task."""
    gate: Deferred[None] = Deferred()

    async def waits() -> Any:
        await gate
        return await _twisted(make)

    async def opens() -> None:
        if not gate.called:
            gate.callback(None)

    running = Deferred.fromCoroutine(waits())
    opening = asyncio.ensure_future(opens())
    running.addBoth(lambda result: (opening, result)[1])
    return awaitable(running)


async def _wait_for(make: Make) -> Any:
    return await asyncio.wait_for(make(), 60)


async def _timeout(make: Make) -> Any:
    async with asyncio.timeout(60):
        return await make()


async def _gather(make: Make) -> Any:
    return (await asyncio.gather(make(), asyncio.sleep(0)))[0]


async def _group(make: Make) -> Any:
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_asyncio(make))
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return task.result()


async def _as_completed(make: Make) -> Any:
    (first,) = asyncio.as_completed([make()])
    return await first


async def _shield(make: Make) -> Any:
    return await asyncio.shield(make())


#: How a coroutine around another is driven. All are given a function that begins the inner one.
LAYERS: dict[str, Callable[[Make], Any]] = {
    "Twisted": lambda make: awaitable(Deferred.fromCoroutine(_twisted(make))),
    "inlineCallbacks": lambda make: awaitable(_yielding(make)),
    "another task's step": _resumed_elsewhere,
    "an exposed coroutine": lambda make: awaitable(deferred_of(_asyncio(make))),
    **{
        each.__name__.strip("_"): lambda make, each=each: asyncio.ensure_future(each(make))
        for each in (_asyncio, _wait_for, _timeout, _gather, _group, _as_completed, _shield)
    },
}


#: Those that let what they wait for go on when they are cancelled.
LET_GO = {"shield", "as_completed"}


class Story(NamedTuple):
    """
    What happens.

    Attributes:
        call: What is awaited: a call, or the `AsyncResult` of one.
        answer: How it ends: with a value, an error, a value of another call; or not at all.
        early: Whether it has ended before it is awaited.
        layers: Around it, the innermost first.
        cancelled: After how many turns of the loop the outermost is cancelled; None: never.
    """

    call: str
    answer: str
    early: bool
    layers: list[str]
    cancelled: int | None


STORIES = st.builds(
    Story,
    call=st.sampled_from(["a call", "async_"]),
    answer=st.sampled_from(["value", "error", "another call", "nothing"]),
    early=st.booleans(),
    layers=st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=5),
    cancelled=st.none() | st.integers(0, 20),
)


def _call(story: Story, office: Office) -> Any:
    if story.call == "async_":
        return async_(office.root.ask)()
    call = office.root.ask()
    if story.answer == "another call":
        call.addCallback(lambda value: office.root.nap(value))
    return call


def _call_made(call: Any) -> Any:
    return call


async def _answer(story: Story, office: Office) -> None:
    while not office.desk.asked:
        await asyncio.sleep(0)
    asked = office.desk.asked[0]
    if asked.called or story.answer == "nothing":  # it was cancelled
        return
    if story.answer == "error":
        asked.errback(ValueError("as told"))
    else:
        asked.callback("value")


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _outcome(waited: Any) -> object:
    try:
        return await waited
    except BaseException as error:
        return error


async def _tell(story: Story, office: Office) -> None:
    answering = asyncio.ensure_future(_answer(story, office))
    make: Make = partial(_call, story, office)
    if story.early:
        make = partial(_call_made, make())
        await _turns(12)
    for layer in story.layers:
        make = partial(LAYERS[layer], make)
    outermost = make()
    if story.cancelled is not None:
        await _turns(story.cancelled)
        outermost.cancel()
    outcome = await _outcome(outermost)
    if isinstance(outcome, CANCELLED):
        assert story.cancelled is not None
        if _is_awaited(story):
            await _turns(30)
            assert len(office.pair.client.outbound.pending) == 0
            assert all(asked.called for asked in office.desk.asked), "the peer was not told"
    elif story.answer == "error":
        assert isinstance(outcome, ValueError), outcome
    else:
        assert outcome == "value"
    answering.cancel()


def _is_awaited(story: Story) -> bool:
    """Tell whether all that is begun is awaited by then, and ends with that which awaits it."""
    # a task that is cancelled before it has begun awaits nothing
    begun = story.cancelled is not None and story.cancelled >= 3 * len(story.layers)
    return begun and not story.early and LET_GO.isdisjoint(story.layers)


def _makes_sense(story: Story) -> bool:
    if story.answer == "nothing":  # only the cancelling ends it
        return story.cancelled is not None and not story.early
    # an error is logged if nobody waits for it any more, or has yet
    return story.answer != "error" or story.cancelled is None or _is_awaited(story)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_each_ends_once_and_with_the_right_thing(kind: str) -> None:
    module = pytest.importorskip(kind)

    @settings(max_examples=examples(40), deadline=None, derandomize=True)
    @given(STORIES.filter(_makes_sense))
    def each(story: Story) -> None:
        in_asyncio(partial(_tell, story), module.new_event_loop)

    with nothing_unhandled():
        each()
