"""
Calls that call back, at the limit of calls in flight: nobody waits for ever.

The peers are good ones here, of every kind; what could hurt is the limit itself.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import DeferredList

from tests.hostile.conftest import SWITCHES, Siege
from tests.processes import ROOT
from txremote import connect

#: More chains than calls may be in flight.
CHAINS = SWITCHES["max_calls"] + 10

#: What may be unanswered at all.
MOST = SWITCHES["max_calls"] + SWITCHES["max_waiting"]

_SCRIPT = """
import sys, importlib
rpyc = importlib.import_module(sys.argv[1])
port, chains, depth = map(int, sys.argv[2:])
conn = rpyc.connect("127.0.0.1", port, config={"sync_request_timeout": 20})
root = conn.root
nest = rpyc.async_(root.nest)

def back(depth):
    return root.nest(back, depth)

results = [nest(back, depth) for _ in range(chains)]
for result in results:
    result.set_expiry(20)
    result.wait()
print(sum(result.value for result in results))
conn.close()
"""


async def chains(port: int, count: int, depth: int) -> list[Any]:
    """Return what becomes of so many chains that go so deep."""
    conn = await connect(f"tcp:127.0.0.1:{port}:bindAddress=127.0.0.2")

    def back(depth: int) -> Any:
        return conn.root.nest(back, depth)

    try:
        calls = [conn.root.nest(back, depth) for _ in range(count)]
        ended = DeferredList(calls, consumeErrors=True)
        return [result for _success, result in await timed_out_in(20, ended)]
    finally:
        await conn.close()


def timed_out_in(seconds: float, deferred: Any) -> Any:
    """Have it fail, and not hang."""
    from twisted.internet import reactor

    return deferred.addTimeout(seconds, reactor)


@pytest.mark.parametrize("door", ["plain", "threads"])
@pytest_twisted.ensureDeferred
async def test_chains_between_a_reactor_and_the_fort(siege: Siege, door: str) -> None:
    """Each calls back, from within which the fort is asked again, three times over."""
    depth = MOST // CHAINS - 1
    with siege.attack():
        assert await chains(siege.ports[door], CHAINS, depth) == [depth] * CHAINS


@pytest.mark.parametrize("door", ["plain", "threads"])
@pytest_twisted.ensureDeferred
async def test_chains_that_go_past_all_limits(siege: Siege, door: str) -> None:
    """Each ends all the same: with an error that names the option, or the stack's end."""
    with siege.attack():
        for result in await chains(siege.ports[door], CHAINS, MOST):
            assert result.check(RecursionError) or "max_waiting" in str(result.value), result


@pytest.mark.parametrize("facet", ["txremote.blocking", "rpyc"])
@pytest.mark.parametrize("door", ["plain", "threads"])
def test_chains_between_a_script_and_the_fort(siege: Siege, facet: str, door: str) -> None:
    """The same from a script, whose calls nest on one stack."""
    depth = 1 if facet == "rpyc" else 2
    words = [facet, siege.ports[door], CHAINS, depth]
    with siege.attack():
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            check=False,
        )
        assert done.stdout.strip() == str(CHAINS * depth), done.stderr[-2000:]
