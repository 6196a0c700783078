"""
What connections log, and how much of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.peer.pairs import Outcome, logged
from txremote import Service, exposed
from txremote.levels import levels
from txremote.peer.logging import RateLimit, RateLimitedCount
from txremote.testing import connected_pair


class Failing(Service):
    """Fails."""

    @exposed
    def fail(self) -> None:
        raise ValueError("no good")


@pytest.fixture(autouse=True)
def _verbose_afterwards() -> Iterator[None]:
    yield
    levels.reset()


@pytest.mark.parametrize("verbose", [True, False])
def test_a_call_s_exception_that_its_caller_sees_is_a_detail(verbose: bool) -> None:
    """It names the call, who called, and what was raised."""
    levels.begin(verbose)
    pair: Any = connected_pair(server_root=Failing)
    with logged() as log:
        Outcome(pair.client.root.fail())
        pair.pump()
    told = "[txremote.call#debug] Failing.fail, called by unix, raised ValueError"
    assert (told in log.text()) is verbose


def test_one_that_its_caller_does_not_see_is_an_error() -> None:
    """Under the number that the caller has."""
    levels.begin(verbose=False)
    pair: Any = connected_pair(
        server_root=Failing, server_config={"include_local_traceback": False}
    )
    with logged() as log:
        Outcome(pair.client.root.fail())
        pair.pump()
    assert "[txremote.call#error] Failing.fail, called by" in log.text()
    assert ", failed, reference " in log.text()


def test_what_comes_often_is_told_of_now_and_then() -> None:
    """The first at once, the others as a number, with the next that comes later."""
    refused = RateLimitedCount(every=10.0)
    assert [refused.one_more(now) for now in (0.0, 1.0, 9.9, 10.0, 10.1, 30.0)] == [
        1,
        0,
        0,
        3,
        0,
        2,
    ]


def test_so_much_goes_through_in_a_span_and_the_rest_is_counted() -> None:
    """What is left out costs nothing of the next span."""
    ration = RateLimit(10, 5.0)
    allowed = [ration.allows(4, now) for now in (100.0, 101.0, 102.0, 103.0, 104.0, 105.0)]
    assert allowed == [True, True, True, False, False, True]
    assert ration.take_left_out() == 2
    assert ration.take_left_out() == 0
