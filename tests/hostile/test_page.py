"""
The admin page under what no browser sends, byte for byte as the soak's and the fuzz's strangers do.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import pytest_twisted
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from benchmarks.peers.visitors_page import HOSTILE, Parts
from tests.monitor.web.made_up import TOKEN, MadeUpMonitor
from tests.net.servers import logged
from txremote.monitor.web.channel import REQUEST_SECONDS
from txremote.monitor.web.guards import Guard
from txremote.monitor.web.site import AdminSite


class Stranger(StringTransport):
    """A stranger's connection, which may be dropped."""

    def abortConnection(self) -> None:
        """Drop it."""
        self.disconnecting = True


@pytest.mark.parametrize("kind", dict.fromkeys(HOSTILE))
@pytest_twisted.ensureDeferred
async def test_a_stranger_is_told_no_figures_and_leaves_nothing(
    kind: Callable[[random.Random], Parts],
) -> None:
    """No answer is JSON or a failure, nothing is logged as one, and no timer is left."""
    clock = Clock()
    site = AdminSite(MadeUpMonitor(), Guard(TOKEN), lambda *_: ("", b""), clock)  # type: ignore[arg-type]
    async with logged() as events:
        for number in range(40):
            channel, stranger = site.buildProtocol(None), Stranger()
            channel.makeConnection(stranger)
            for part in kind(random.Random(number)):
                if not stranger.disconnecting:
                    channel.dataReceived(part)
            clock.advance(REQUEST_SECONDS)
            said = stranger.value()
            assert b"application/json" not in said
            assert not said.startswith(b"HTTP/1.1 5")
            assert not said or said.startswith(b"HTTP/1.")
            channel.connectionLost()
    assert not site.channels
    assert not site.streams
    assert not clock.getDelayedCalls()
    assert not [event for event in events if "log_failure" in event]
