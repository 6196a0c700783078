"""One connection that comes back, and what its owner is told. More of it: test_client.py."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from tests.net.many import POLICY, Site
from txremote import connect
from txremote.net.line import Line, LineStopped, Manner


class Owner:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def went_live(self, line: Line, connection: Any) -> None:
        """It can be called on."""
        assert line.usable is connection
        self.told.append("live")

    def went_down(self, line: Line) -> None:
        """It cannot."""
        assert line.usable is None
        self.told.append("down")

    def attempt_failed(self, line: Line, failure: Any) -> None:
        """A try failed."""
        self.told.append(type(failure.value).__name__)

    def was_refused(self, line: Line, error: UnauthorizedLogin) -> None:
        """It tries no more."""
        assert line.refused is error
        self.told.append("refused")


def line_to(site: Site, owner: Owner, **manner: Any) -> Line:
    """Return a line to a site."""
    dial = partial(connect, site, dialect="6", reactor=site.clock)
    made = Manner(site.clock, retry_policy=POLICY, **manner)  # type: ignore[misc]
    return Line(owner, site.name, dial, made, f"the town at {site.name}")


def advance(site: Site, seconds: float = 0) -> None:
    """Let time go by."""
    for step in (seconds, *[0.0] * 10):
        site.clock.advance(step)
        site.pump()


def test_its_owner_is_told_its_life_in_order() -> None:
    """Live, down, each failed try, live again; nothing more after it is stopped."""
    site, owner = Site("a", Clock()), Owner()
    line = line_to(site, owner)
    line.start()
    advance(site)
    assert owner.told == ["live"]
    assert repr(line) == "<RemoteClient of the town at a (connected)>"
    site.lose(up=False)
    advance(site)
    advance(site, 2.25)
    assert owner.told == ["live", "down", "ConnectionRefusedError"]
    site.up = True
    advance(site, 4.25)
    assert owner.told[3:] == ["live"]
    line.stop()
    advance(site)
    assert owner.told[4:] == []
    assert site.connected == 0
    assert site.clock.getDelayedCalls() == []


def test_a_refusal_is_the_last_that_is_told() -> None:
    """There is no other try until it is started again."""
    site, owner = Site("a", Clock()), Owner()

    def refuse(_connection: Any) -> None:
        raise UnauthorizedLogin("no")

    line = line_to(site, owner, on_connect=refuse)
    line.start()
    advance(site)
    advance(site, 100)
    assert owner.told == ["refused"]
    assert len(site.dialled) == 1
    line.stop()
    advance(site)
    line.start()
    advance(site)
    assert owner.told == ["refused", "refused"]
    line.stop()
    advance(site)
    assert site.clock.getDelayedCalls() == []


def test_what_waits_when_it_is_stopped_ends_as_if_cancelled() -> None:
    """As with Twisted's `ClientService`."""
    with pytest.raises(CancelledError, match="the client of a is stopped"):
        raise LineStopped("a")
