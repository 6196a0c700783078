"""
Topics read by real programs: a script of txremote's in a loop, and a stock RPyC by a callback.
"""

from __future__ import annotations

import sys

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.interop.peer_processes import Program
from txremote import Service, Topic, listen

SCRIPT = """\
import sys, txremote.blocking as rpyc
conn = rpyc.connect("127.0.0.1", int(sys.argv[1]))
for event in conn.root.topic.subscribe(keys="k"):
    print("got", event["n"], flush=True)
    if event["n"] == 3:
        break
conn.ping()
print("left", flush=True)
sys.stdin.read()
conn.close()
"""

STOCK = """\
import sys, rpyc
conn = rpyc.connect("127.0.0.1", int(sys.argv[1]))
conn.root.topic.subscribe(lambda event: print("got", event["n"], flush=True), keys="k")
print("subscribed", flush=True)
conn.serve_all()
"""


@pytest.mark.parametrize("source", [SCRIPT, STOCK], ids=["script", "stock"])
@pytest_twisted.ensureDeferred
async def test_a_program_gets_the_last_event_and_those_that_follow(source: str) -> None:
    topic = Topic(retain=True)

    class Feed(Service):
        exposed_topic = topic

    topic.publish({"n": 1}, "k")
    port = await listen("tcp:0:interface=127.0.0.1", Feed)
    program = Program([sys.executable, "-c", source, str(port.getHost().port)])
    try:
        await deferToThread(program.wait_for, "^got 1")
        for number in (2, 3):
            topic.publish({"n": number}, "k")
            topic.publish({"n": -1}, "other")
        await deferToThread(program.wait_for, "^got 3")
        if source is SCRIPT:
            await deferToThread(program.wait_for, "^left")
            assert topic.stats().subscribers == 0
        assert "got -1" not in program.output
        assert topic.stats().dropped == 0
    finally:
        program.kill()
        await port.stopListening()
