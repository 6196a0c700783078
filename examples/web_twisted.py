"""
A web program with twisted.web: pages, JSON and an event stream from a txremote server.

Start the server and the program, each in the folder above this one, and open
http://127.0.0.1:8080/ in some browsers::

    twistd -n txremote --service examples.prices.prices
    python -m examples.web_twisted localhost:18861 tcp:8080:interface=127.0.0.1

Change a price, and all of them show it::

    curl -X PUT "http://127.0.0.1:8080/prices/tea?cents=199"

The program holds one connection for all browsers, a `RemoteClient`. While the server is away a
request waits for it for two seconds and is then a 503; nothing has to be restarted when it is back.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from twisted.application.internet import backoffPolicy
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall, deferLater, react
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from examples.prices import Prices
from txremote import ConnectionLost, DeadReferenceError, RemoteClient, ServerStopping, typed

#: Seconds that a request waits for a connection to the server.
WAIT_TIMEOUT = 2

#: When a lost server is tried again: soon, and then every 2 seconds.
RETRY = backoffPolicy(initialDelay=0.2, maxDelay=2)

#: Seconds that the server's answer may take, that wait included.
CALL_TIMEOUT = 10

#: Seconds that a request for the next change waits for one.
POLL_TIMEOUT = 60

#: Seconds between the comments that keep proxies from closing a silent stream.
HEARTBEAT = 15

#: Seconds until a stream asks the server again after it was lost.
RESUME = 1

#: Each stream has a call under way, and the server takes 1,000 of a connection (max_calls).
MOST_STREAMS = 500

#: Seconds that requests may take to end when the program is stopped.
GRACE = 5

LOST = (DeadReferenceError, ConnectionLost, ServerStopping)

log = Logger("web")


class Refused(Exception):
    """A request is answered with this status and this sentence."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


async def ask(call, seconds, clock):
    """
    Wait for the answer to a call, and turn what the caller can do nothing about into a `Refused`.

    A call that is given up is cancelled at the server too.
    """
    try:
        return await call.addTimeout(seconds, clock)
    except (DeadReferenceError, ServerStopping):  # the call was not sent
        raise Refused(503, "the price server is away, try again") from None
    except ConnectionLost:  # it was sent, and nobody knows how far it came
        raise Refused(503, "the price server was lost: a change may be made or not") from None
    except defer.TimeoutError:
        raise Refused(504, "the price server takes too long, try again later") from None
    except KeyError as error:  # raised by the server's method, and so is the next one
        raise Refused(404, f"nothing is called {error.args[0]!r}") from None
    except ValueError as error:
        raise Refused(400, str(error.args[0])) from None


def refusal_of(failure):
    """Return what to answer for what went wrong."""
    if failure.check(Refused):
        return failure.value
    if failure.check(CancelledError):
        return Refused(503, "the web program is stopping")
    log.failure("a request failed", failure)
    return Refused(500, "this is a bug, and is in the log")


def cents_in(request):
    """Return the number that a request says."""
    try:
        return int(request.args[b"cents"][0])
    except (KeyError, ValueError):
        raise Refused(422, "say the price in cents, as ?cents=250") from None


@implementer(IPushProducer)
class Browser:
    """
    A browser that reads an event stream. Twisted tells it when the browser is slow.

    Nothing more is written, nor asked of the server, until the browser has read what was written:
    so nothing piles up here. The server holds the newest prices for it, and drops older ones.
    """

    def __init__(self, request, reactor):
        self._request = request
        self._free = succeed(None)
        self._heart = LoopingCall(self._beat)
        self._heart.clock = reactor

    def __enter__(self):
        self._request.setHeader("Content-Type", "text/event-stream")
        self._request.setHeader("Cache-Control", "no-cache")
        self._request.setHeader("X-Accel-Buffering", "no")  # for nginx
        self._request.registerProducer(self, True)
        self._heart.start(HEARTBEAT)
        return self

    def __exit__(self, *_how):
        self._heart.stop()
        if self._request.channel is not None:  # the browser is still there
            self._request.unregisterProducer()

    async def send(self, kind, data):
        """Write an event, and wait until the browser can take more."""
        text = json.dumps(data, default=asdict)  # in one line, as an event's data has to be
        self._request.write(f"event: {kind}\ndata: {text}\n\n".encode())
        await self._free

    def _beat(self):
        if self._free.called:
            self._request.write(b": still here\n\n")

    def pauseProducing(self):
        """The browser has much to read."""
        self._free = Deferred()

    def resumeProducing(self):
        """It has read that."""
        if not self._free.called:
            self._free.callback(None)

    def stopProducing(self):
        """It is gone; notifyFinish() tells that too."""


class Web(Resource):
    """
    All pages.

    Args:
        client: A `RemoteClient` of the price server.
        reactor: The clock for time-outs.
    """

    isLeaf = True

    def __init__(self, client, reactor):
        super().__init__()
        self._client = client
        self._reactor = reactor
        self._prices = typed(client.root, Prices)
        self._page = Path(__file__).with_name("prices.html").read_bytes()
        self._under_way = set()
        self._streams = set()

    def render(self, request):
        """Answer in a coroutine, which is cancelled when the browser leaves, with its call."""
        gone = []

        def left(reason):
            gone.append(reason)
            answering.cancel()

        def end(outcome):
            self._under_way.discard(answering)
            self._streams.discard(answering)
            refusal = refusal_of(outcome) if isinstance(outcome, Failure) else None
            if gone:
                return
            if refusal is not None and not request.startedWriting:
                request.setHeader("Retry-After", "1")
                self._write(request, refusal.status, {"detail": str(refusal)})
            request.finish()  # of a stream that has failed this is all that is left to do

        answering = Deferred.fromCoroutine(self._answer(request))
        self._under_way.add(answering)
        if request.postpath == [b"stream"]:
            self._streams.add(answering)
        request.notifyFinish().addErrback(left)
        answering.addBoth(end)
        return NOT_DONE_YET

    async def stop(self):
        """End the streams, and wait a while for the other requests."""
        for stream in list(self._streams):
            stream.cancel()
        # when the time is over, it cancels them
        await DeferredList(list(self._under_way)).addTimeout(GRACE, self._reactor)
        await deferLater(self._reactor, 0.1)  # until their last bytes are written

    async def _answer(self, request):
        match (request.method, *request.postpath):
            case (b"GET", b""):
                request.setHeader("Content-Type", "text/html; charset=utf-8")
                request.write(self._page)
            case (b"GET" | b"HEAD", b"health"):
                self._write(request, *self._health())
            case (b"GET", b"prices"):
                self._write(request, 200, await self._ask(self._prices.all()))
            case (b"PUT", b"prices", name):
                changing = self._prices.change(name.decode(), cents_in(request))
                self._write(request, 200, await self._ask(changing))
            case (b"GET", b"prices", name, b"next"):
                waiting = self._prices.next_change(name.decode())
                self._write(request, 200, await self._ask(waiting, POLL_TIMEOUT))
            case (b"GET", b"stream"):
                await self._stream(request)
            case _:
                raise Refused(404, "no such page")

    def _ask(self, call, seconds=CALL_TIMEOUT):
        return ask(call, seconds, self._reactor)

    def _health(self):
        """Whether requests can be answered. Not the reason: that is for the log."""
        state = self._client.status.state
        return (200 if state == "connected" else 503), {"price server": state}

    async def _stream(self, request):
        """Send each change. When the server is lost, say so and go on when it is back."""
        if len(self._streams) >= MOST_STREAMS:
            raise Refused(503, "too many streams, try again later")
        with Browser(request, self._reactor) as browser:
            while True:
                try:
                    async for price in await self._prices.changes():
                        await browser.send("price", price)
                except LOST:
                    await browser.send("away", "the price server is away")
                await deferLater(self._reactor, RESUME)
                await self._client.whenConnected()

    def _write(self, request, status, data):
        request.setResponseCode(status)
        request.setHeader("Content-Type", "application/json")
        request.write(json.dumps(data, default=asdict).encode())


async def main(reactor, server, address="tcp:8080:interface=127.0.0.1"):
    """Serve until a signal comes."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    client = RemoteClient(server, wait_timeout=WAIT_TIMEOUT, retry_policy=RETRY)
    web = Web(client, reactor)
    client.startService()  # there need not be a server yet
    port = await serverFromString(reactor, address).listen(Site(web))
    print(f"serving http on port {port.getHost().port}", flush=True)

    async def stop():
        await port.stopListening()  # no new browsers,
        await web.stop()  # then the end of those that are here, who need the client,
        await client.stopService()

    reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(stop()))
    await Deferred()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python -m examples.web_twisted SERVER [WEB_ENDPOINT]")
    react(main, sys.argv[1:])
