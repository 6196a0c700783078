"""
The zoo of `tests.peer.odd_objects` with code that may block at both ends: a service in lanes
and a script, each giving and raising what the other asks for.
"""

from __future__ import annotations

from typing import Any

import pytest_twisted

import txremote.blocking as rpyc
from tests.blocking.script_threads import run_script
from tests.net.servers import LOOPBACK, served
from tests.peer.odd_objects import ERRORS, OBJECTS
from tests.peer.pairs import logged
from txremote import Service, exposed

#: Seconds for a call, which is answered at once: more than a busy machine needs.
PATIENCE = 60


class Lanes(Service):
    threaded_service = True

    @exposed
    def give(self, what: str) -> Any:
        return OBJECTS[what]()

    @exposed
    def give_later(self, what: str) -> Any:
        async def later() -> Any:
            return OBJECTS[what]()

        return later()

    @exposed
    def fail(self, what: str) -> None:
        raise ERRORS[what]()

    @exposed
    def fail_with(self, thing: Any) -> None:
        raise ValueError("about", thing, [thing])

    @exposed
    def ask(self, function: Any, what: str) -> str:
        """Have the script give or raise it."""
        try:
            function(what)
        except rpyc.AsyncResultTimeout:
            return "no answer"
        except Exception:
            return "an error"
        return "a result"


def _give(what: str) -> Any:
    return OBJECTS[what]()


def _fail(what: str) -> None:
    raise ERRORS[what]()


def _ends(function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except rpyc.AsyncResultTimeout:
        raise AssertionError(f"no answer to {args}") from None
    except Exception as error:
        return error
    except KeyboardInterrupt as error:  # a script's own code raised it: Ctrl-C, for all we know
        return error


@pytest_twisted.ensureDeferred
async def test_every_call_into_a_lane_and_into_a_script_ends_at_once() -> None:
    """Asked by a script of a lane, and by the lane of the script."""
    asked = []

    def script(port: Any) -> None:
        switches = {"sync_request_timeout": PATIENCE}
        with rpyc.connect("127.0.0.1", port.getHost().port, config=switches) as conn:
            root = conn.root
            for what in OBJECTS:
                for way in (root.give, root.give_later):
                    asked.append(_ends(way, what))
                asked.append(_ends(root.ask, _give, what))
            for what in ERRORS:
                asked.append(_ends(root.fail, what))
                assert isinstance(asked[-1], Exception)
                asked.append(_ends(root.ask, _fail, what))
                assert asked[-1] != "a result"
            assert "no answer" not in [one for one in asked if type(one) is str]
            conn.ping()

    with logged():
        async with served(Lanes(), LOOPBACK, config={"sync_request_timeout": PATIENCE}) as port:
            await run_script(script, port)
    assert len(asked) > 300


@pytest_twisted.ensureDeferred
async def test_an_exception_about_the_callers_object_shows_it() -> None:
    """Its repr is a request to the caller, made in the lane, where it was raised."""

    def script(port: Any) -> None:
        with rpyc.connect("127.0.0.1", port.getHost().port) as conn:
            error = _ends(conn.root.fail_with, [1, 2])
            assert error.args == ("about", "[1, 2]", "[[1, 2]]")

    with logged() as log:
        async with served(Lanes(), LOOPBACK) as port:
            await run_script(script, port)
    assert "Lanes.fail_with, called by" in log.text()
    assert "('about', [1, 2], [[1, 2]])" in log.text()
