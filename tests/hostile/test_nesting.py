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
from twisted.internet.defer import gatherResults

from tests.hostile.conftest import SWITCHES, Siege
from tests.processes import ROOT
from txremote import connect

#: More chains than calls may be in flight, and the depth of each.
CHAINS = SWITCHES["max_calls"] + 10

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


@pytest.mark.parametrize("door", ["plain", "threads"])
@pytest_twisted.ensureDeferred
async def test_chains_between_a_reactor_and_the_fort(siege: Siege, door: str) -> None:
    """Each calls back, from within which the fort is asked again, six times over."""
    conn = await connect(f"tcp:127.0.0.1:{siege.ports[door]}:bindAddress=127.0.0.2")

    def back(depth: int) -> Any:
        return conn.root.nest(back, depth)

    try:
        assert await gatherResults([conn.root.nest(back, 6) for _ in range(CHAINS)]) == [6] * CHAINS
    finally:
        await conn.close()


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
