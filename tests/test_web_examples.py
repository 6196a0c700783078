"""
The web examples: real programs, in front of a real twistd, with real HTTP clients.

Both programs have the same pages, so the same tests are for both.
"""

import asyncio
import contextlib
import json
import re
import signal
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx
import pytest
from docutils import nodes
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web import server

import txremote.blocking as rpyc
from examples import web_fastapi, web_twisted
from examples.prices import Prices
from tests.document_runner import doctree
from tests.processes import PATIENCE, ROOT, Program, Twistd, free_port
from txremote import aio
from txremote.testing import connected_pair

SERVICE = "examples.prices.prices"

#: The code in the guide.
BLOCKS = [
    block.astext()
    for block in doctree(ROOT / "docs" / "web.rst").findall(nodes.literal_block)
    if "python" in block["classes"]
]

#: The line with the port that a program serves on.
SERVES = r"(?:serving http on port |Uvicorn running on http://127.0.0.1:)([0-9]+)"

#: The programs: the module and its arguments, given the server's endpoint.
PROGRAMS = {
    "twisted": lambda server: ("examples.web_twisted", server, "tcp:0:interface=127.0.0.1"),
    "fastapi": lambda server: ("examples.web_fastapi", server, "0", "asyncio"),
    "uvloop": lambda server: ("examples.web_fastapi", server, "0", "uvloop"),
}


class Site:
    """A server, and a program in front of it that has ``url``."""

    def __init__(self, kind):
        self._listen = f"tcp:{free_port()}:interface=127.0.0.1"
        with contextlib.ExitStack() as self._running:
            self.start_server()
            words = PROGRAMS[kind](self.server.endpoint)
            self.web = self._running.enter_context(Program(sys.executable, "-m", *words))
            self.url = f"http://127.0.0.1:{self.web.wait_for(SERVES)[1]}"
            self._running = self._running.pop_all()  # no failure: they run on

    def start_server(self):
        """Start the server, at the place of the one before."""
        self.server = self._running.enter_context(Twistd(SERVICE, listen=self._listen))

    def conn(self):
        """Return a script's connection to the server, to be closed."""
        return contextlib.closing(rpyc.connect("127.0.0.1", self.server.port))

    def run(self, function, *args):
        """Run ``function(client, *args)`` in a loop of its own: a test may be inside of one."""

        async def run():
            async with (
                asyncio.timeout(2 * PATIENCE),
                httpx.AsyncClient(base_url=self.url, timeout=PATIENCE) as client,
            ):
                return await function(client, *args)

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, run()).result()

    def close(self):
        """End both."""
        self._running.close()


@pytest.fixture(scope="module", params=PROGRAMS)
def site(request):
    """One of the programs, for all tests."""
    site = Site(request.param)
    try:
        yield site
    finally:
        site.close()


async def events(response):
    """Give (kind, data) of each event of a stream, to its end."""
    kind = None
    async for line in response.aiter_lines():
        field, _colon, text = line.partition(": ")
        if field == "event":
            kind = text
        elif field == "data":
            yield kind, json.loads(text)


async def until(condition):
    """Wait until something holds, in another process."""
    while not condition():
        await asyncio.sleep(0.01)


def price(name, cents):
    return {"name": name, "cents": cents}


class TestGuide:
    @pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0].strip())
    def test_shows_what_is_run(self, block):
        """Each piece of code of docs/web.rst stands in one of the programs, line for line."""
        assert any(
            textwrap.indent(block, indent) in path.read_text()
            for path in (ROOT / "examples").glob("web_*.py")
            for indent in ("", " " * 4, " " * 8)
        )


class TestPages:
    def test_answers_and_refusals(self, site):
        """What the server has is JSON, and what it refuses is a status and a sentence."""

        async def ask(client):
            asked = [
                *(("GET", "/health"), ("PUT", "/prices/ice?cents=95"), ("GET", "/prices")),
                *(("PUT", "/prices/ice?cents=-1"), ("PUT", "/prices/ice?cents=dear")),
                *(("PUT", "/prices/gold?cents=1"), ("GET", "/prices/gold/next")),
                *(("GET", "/nothing"), ("GET", "/")),
            ]
            return [await client.request(*each) for each in asked]

        answers = site.run(ask)
        shown = [(answer.status_code, answer.json()) for answer in answers[:-1]]
        assert shown[:3] == [
            (200, {"price server": "connected"}),
            (200, price("ice", 95)),
            (200, [price("tea", 250), price("ice", 95), price("cake", 310)]),
        ]
        refused = [(status, said["detail"]) for status, said in shown[3:]]
        assert refused[0] == (400, "a price of -1 cents")
        assert refused[1][0] == 422  # and FastAPI's own words
        assert refused[2:4] == [(404, "nothing is called 'gold'")] * 2
        assert refused[4][0] == 404
        assert "EventSource" in answers[-1].text

    def test_browser_that_leaves_ends_its_calls(self, site):
        """A stream and a request that waits are cancelled at the server with their browser."""

        async def leave(client):
            with site.conn() as conn:
                async with client.stream("GET", "/stream") as response:
                    reading = events(response)
                    first = [await anext(reading) for _name in range(3)]
                    asking = asyncio.ensure_future(client.get("/prices/tea/next"))
                    await until(lambda: conn.root.watchers() == 2)
                    await client.put("/prices/tea", params={"cents": 199})
                    assert (await asking).json() == price("tea", 199)
                    assert await anext(reading) == ("price", price("tea", 199))
                    asking = asyncio.ensure_future(client.get("/prices/tea/next"))
                    await until(lambda: conn.root.watchers() == 2)
                    asking.cancel()
                    await until(lambda: conn.root.watchers() == 1)
                    await reading.aclose()
                await until(lambda: conn.root.watchers() == 0)
            return response.headers["content-type"], [data["name"] for _kind, data in first]

        kind, names = site.run(leave)
        assert kind.startswith("text/event-stream")
        assert names == ["tea", "ice", "cake"]


class TestSlowBrowser:
    """It misses prices, never the newest, and nothing piles up for it."""

    def test_of_twisted(self):
        """While Twisted says that a browser is slow, nothing is asked of the server for it."""
        prices = Prices()
        pair = connected_pair(server_root=prices)
        client = SimpleNamespace(root=pair.client.root)
        clock = Clock()
        browser = StringTransport()
        channel = server.Site(web_twisted.Web(client, clock)).buildProtocol(None)
        channel.makeConnection(browser)
        channel.dataReceived(b"GET /stream HTTP/1.1\r\nHost: web\r\n\r\n")
        pair.pump()
        assert browser.value().count(b"event: price") == 3
        browser.clear()
        browser.producer.pauseProducing()
        for cents in range(1000):
            prices.change("tea", cents)
            prices.change("ice", cents)
            pair.pump()
            clock.advance(1)
        assert browser.value().count(b"event: price") == 1  # it was under way
        assert b"still here" not in browser.value()
        browser.producer.resumeProducing()
        pair.pump()
        written = [json.loads(text) for text in re.findall(rb"data: (.+)", browser.value())]
        assert written == [price("tea", 0), price("ice", 999), price("tea", 999)]
        clock.advance(web_twisted.HEARTBEAT)
        assert browser.value().endswith(b": still here\n\n\r\n")
        channel.connectionLost(Failure(ConnectionDone()))
        pair.pump()
        assert prices.watchers() == 0

    def test_of_fastapi(self):
        """While uvicorn does not take what is sent, no more than a few changes are asked for."""

        async def run():
            prices = Prices()
            app, sent, free, gone = web_fastapi.app, [], asyncio.Event(), asyncio.Event()

            async def send(message):
                sent.append(message.get("body", b""))
                await free.wait()

            async def receive():
                await gone.wait()
                return {"type": "http.disconnect"}

            def written():
                return [json.loads(text) for text in re.findall(rb"data: (.+)", b"".join(sent))]

            scope = {"type": "http", "method": "GET", "path": "/stream", "headers": []}
            scope |= {"query_string": b"", "asgi": {"version": "3.0", "spec_version": "2.3"}}
            async with await aio.listen("localhost:0", prices) as server:
                app.state.server = server.address
                async with asyncio.timeout(PATIENCE), app.router.lifespan_context(app):
                    free.set()
                    serving = asyncio.ensure_future(app(scope, receive, send))
                    await until(lambda: len(written()) == 3)
                    free.clear()
                    for cents in range(1000):
                        prices.change("ice", cents)
                        prices.change("tea", cents)
                        await asyncio.sleep(0)
                    assert len(written()) <= 4
                    free.set()
                    newest = [price("ice", 999), price("tea", 999)]
                    await until(lambda: all(each in written() for each in newest))
                    gone.set()
                    await serving
                    await until(lambda: prices.watchers() == 0)
            return written()

        with ThreadPoolExecutor(1) as pool:
            assert len(pool.submit(asyncio.run, run()).result()) < 20


class Load:
    """
    Fifty clients that ask without a pause, and a browser with a stream.

    Attributes:
        statuses: Of each client, those of its answers.
        seen: The events of the stream.
    """

    def __init__(self, client):
        self._client = client
        self._stopped = False
        self._reading = None
        self.statuses = [[] for _client in range(50)]
        self.seen = []

    def start(self, tasks):
        """Begin."""
        for statuses in self.statuses:
            tasks.create_task(self._ask(statuses))
        self._reading = tasks.create_task(self._read())

    def stop(self):
        """Let each client have its last answer."""
        assert not self._reading.done()
        self._reading.cancel()
        self._stopped = True

    async def each_has(self, status):
        """Wait until each client has another answer with that status; those before do not count."""
        begun = [len(each) for each in self.statuses]

        def has():
            return all(status in each[n:] for each, n in zip(self.statuses, begun, strict=True))

        await until(has)

    async def _ask(self, statuses):
        changes = statuses is self.statuses[0]
        words = "PUT /prices/tea?cents=200" if changes else "GET /prices"
        url = self._client.base_url
        while not self._stopped:
            # a client of fifty connections that takes next to no time of its own
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(f"{words} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            statuses.append(int(answer.split()[1]))
            assert answer.count(b'"cents"') == {200: 1 if changes else 3}.get(statuses[-1], 0)

    async def _read(self):
        async with self._client.stream("GET", "/stream") as response:
            async for event in events(response):
                self.seen.append(event)


class TestServerLost:
    def test_fifty_clients_while_the_server_is_killed(self, site):
        """
        Each request is answered, by 200 or 503, and by 200 once the server is back; a stream tells
        that the server is away, and goes on. The program is not restarted.
        """
        away = ("away", "the price server is away")

        async def use(client):
            load = Load(client)
            async with asyncio.TaskGroup() as tasks:
                load.start(tasks)
                await load.each_has(200)
                assert await ready(client)
                site.server.kill()
                await load.each_has(503)
                await until(lambda: away in load.seen)
                assert not await ready(client)
                told = len(load.seen)
                site.start_server()
                await load.each_has(200)
                assert await ready(client)
                back = [len(each) for each in load.statuses]
                await until(lambda: ("price", price("ice", 90)) in load.seen[told:])
                await load.each_has(200)
                load.stop()
            return load.statuses, back

        async def ready(client):
            return (await client.get("/health")).status_code == 200

        statuses, back = site.run(use)
        site.web.wait_for("lost: ")  # its log tells it
        assert set().union(*statuses) == {200, 503}
        later = [each[n:] for each, n in zip(statuses, back, strict=True)]
        assert set().union(*later) == {200}


class TestStop:
    def test_ends_its_streams_when_it_is_stopped(self, site):
        """A signal ends a stream, and then the program."""

        async def watch(client):
            async with client.stream("GET", "/stream") as response:
                reading = events(response)
                for _name in range(3):
                    await anext(reading)
                site.web.signal(signal.SIGTERM)
                return [event async for event in reading]  # an error if it is cut off

        async def left(_client):
            with site.conn() as conn:
                await until(lambda: conn.root.watchers() == 0)

        assert site.run(watch) == []
        site.web.finish()
        assert "Traceback" not in site.web.output
        assert "timeout graceful shutdown exceeded" not in site.web.output  # uvicorn cut nobody off
        site.run(left)
