"""Time limits around those who read streams: all of them end the stream at its owner, once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from twisted.internet.defer import Deferred, TimeoutError as DeferredTimeout

from tests.peer.pairs import Outcome
from tests.peer.test_outgoing import feed_pair, pairs_are_lost, settle
from txremote import stream
from txremote.testing import Pair

__all__ = ["pairs_are_lost"]  # a fixture

SECONDS = 5


class Mine:
    """A client's generator, which gives one item and then none for long."""

    def __init__(self) -> None:
        self.ends = 0

    async def items(self) -> AsyncIterator[int]:
        """Give it."""
        try:
            yield 1
            await Deferred()
        finally:
            self.ends += 1


def nothing_is_left(pair: Pair) -> bool:
    """Tell whether neither end has a call or a stream under way."""
    ends = [pair.client, pair.server]
    streams = [end.streams for end in ends if end.streams is not None]
    return not any(map(len, [end.inbound for end in ends])) and not any(
        each.incoming or each.outgoing or each._windows for each in streams
    )


@pytest.mark.parametrize("option", ["request_timeout", "call_timeout"])
def test_a_call_that_reads_its_callers_stream_and_takes_too_long(option: str) -> None:
    """Whether its caller limits its time or its server: the loop in it is left."""
    pair, _feed = feed_pair(**{option: SECONDS})
    mine = Mine()
    asked = Outcome(pair.client.root.total(stream(mine.items())))
    settle(pair)
    assert (asked.fired, mine.ends) == (False, 0)
    pair.advance(SECONDS + 1)
    settle(pair)
    assert isinstance(asked.error, TimeoutError)
    assert mine.ends == 1
    assert nothing_is_left(pair)


def test_a_time_limit_for_calls_is_none_for_a_stream_and_one_around_its_loop_leaves_it() -> None:
    pair, feed = feed_pair(request_timeout=SECONDS)
    items = []

    async def read() -> None:
        async for item in pair.client.root.waiting():
            items.append(item)

    over = Outcome(Deferred.fromCoroutine(read()).addTimeout(3 * SECONDS, pair.clock))
    settle(pair)
    pair.advance(2 * SECONDS)
    feed.gates[0].callback(None)
    settle(pair)
    assert (items, over.fired) == ([0], False)
    pair.advance(2 * SECONDS)
    settle(pair)
    assert isinstance(over.error, DeferredTimeout)
    assert feed.ends == ["finally"]
    assert nothing_is_left(pair)
