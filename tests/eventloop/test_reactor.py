"""Which reactor is meant where none is given."""

from __future__ import annotations

import subprocess
import sys

from twisted.internet import reactor
from twisted.internet.task import Clock

from tests.drivers import of_a_reactor
from txremote.eventloop.reactor import chosen_reactor

IN_ASYNCIO = """
import asyncio
import sys

import txremote


class Void(txremote.Service):
    pass


ATTEMPTS = (
    lambda: txremote.connect("tcp:127.0.0.1:1"),
    lambda: txremote.listen("tcp:0:interface=127.0.0.1", Void),
    lambda: txremote.RemoteClient("tcp:127.0.0.1:1"),
)


def refusals():
    for attempt in ATTEMPTS:
        try:
            attempt()
        except RuntimeError as error:
            assert "txremote.aio" in str(error)
            yield error


async def main(count):
    assert len(list(refusals())) == count


asyncio.run(main(3))
assert "twisted.internet.reactor" not in sys.modules

from twisted.internet import asyncioreactor, defer

loop = asyncio.new_event_loop()
asyncioreactor.install(loop)
asyncio.run(main(3))  # in another loop than the reactor's
loop.run_until_complete(main(0))

from twisted.internet import reactor, task
from twisted.internet.threads import deferToThread


async def with_reactor(_reactor):
    assert not list(refusals())  # no loop runs yet
    await task.deferLater(reactor, 0)
    await defer.Deferred.fromFuture(loop.create_task(main(0)))
    await deferToThread(lambda: asyncio.run(main(3)))  # nor in another thread


task.react(lambda reactor: defer.Deferred.fromCoroutine(with_reactor(reactor)))
"""


def test_the_one_that_is_given_is_meant() -> None:
    clock = Clock()
    assert chosen_reactor(clock) is clock  # type: ignore[comparison-overlap, arg-type]


@of_a_reactor
def test_else_the_one_that_the_program_runs() -> None:
    assert chosen_reactor(None) is reactor


def test_a_loop_without_a_reactor_is_sent_to_txremote_aio() -> None:
    """At once, and no reactor is installed; where the reactor's own loop runs, all is well."""
    ran = subprocess.run(
        [sys.executable, "-c", IN_ASYNCIO], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
