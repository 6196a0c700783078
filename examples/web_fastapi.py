"""
A web program with FastAPI: pages, JSON and an event stream from a txremote server.

It runs on asyncio, without a Twisted reactor. Start the server and the program, each in the folder
above this one, and open http://127.0.0.1:8080/ in some browsers::

    twistd -n txremote --service examples.prices.prices
    python -m examples.web_fastapi localhost:18861 8080

Change a price, and all of them show it::

    curl -X PUT "http://127.0.0.1:8080/prices/tea?cents=199"

The program holds one connection for all browsers, a `RemoteClient`. While the server is away a
request waits for it for two seconds and is then a 503; nothing has to be restarted when it is back.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from twisted.application.internet import backoffPolicy

from examples.prices import Price, Prices
from txremote import ConnectionLost, DeadReferenceError, ServerStopping
from txremote.aio import RemoteClient, typed

#: Where the server is.
SERVER = os.environ.get("PRICE_SERVER", "localhost:18861")

#: Seconds that a request waits for a connection to the server.
WAIT_TIMEOUT = 2

#: When a lost server is tried again: soon, and then every 2 seconds.
RETRY = backoffPolicy(initialDelay=0.2, maxDelay=2)

#: Seconds that the server's answer may take, that wait included.
CALL_TIMEOUT = 10

#: Seconds that a request for the next change waits for one.
POLL_TIMEOUT = 60

#: Seconds until a stream asks the server again after it was lost.
RESUME = 1

#: Each stream has a call under way, and the server takes 1,000 of a connection (max_calls).
MOST_STREAMS = 500

#: Seconds that requests may take to end when the program is stopped.
GRACE = 5

LOST = (DeadReferenceError, ConnectionLost, ServerStopping)

PAGE = Path(__file__).with_name("prices.html").read_text()


@asynccontextmanager
async def lifespan(app):
    """Hold the client while the program runs. There need not be a server yet."""
    app.state.stopping = asyncio.Event()
    app.state.places = asyncio.Semaphore(MOST_STREAMS)
    client = RemoteClient(app.state.server, wait_timeout=WAIT_TIMEOUT, retry_policy=RETRY)
    async with client:
        app.state.client = client
        yield


app = FastAPI(title="Prices", lifespan=lifespan)
app.state.server = SERVER


async def remote_prices(request: Request) -> Any:
    """Give the server's object, as its class declares it. A plain ``def`` would run in a thread."""
    return typed(request.app.state.client.root, Prices)


RemotePrices = Annotated[Any, Depends(remote_prices)]


async def ask(request, call, seconds=CALL_TIMEOUT):
    """
    Wait for the answer to a call, and turn what the caller can do nothing about into a status.

    If the browser leaves, or the time is over, the call is cancelled, at the server too.
    """
    answering = asyncio.ensure_future(call)
    leaving = asyncio.ensure_future(left(request))
    try:
        await asyncio.wait(
            [answering, leaving], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if answering.done():
            return await answering
        if leaving.done():
            raise HTTPException(499, "the browser has left")
        raise HTTPException(504, "the price server takes too long, try again later")
    except (DeadReferenceError, ServerStopping):  # the call was not sent
        raise HTTPException(
            503, "the price server is away, try again", {"Retry-After": "1"}
        ) from None
    except ConnectionLost:  # it was sent, and nobody knows how far it came
        raise HTTPException(503, "the price server was lost: a change may be made or not") from None
    except KeyError as error:  # raised by the server's method, and so is the next one
        raise HTTPException(404, f"nothing is called {error.args[0]!r}") from None
    except ValueError as error:
        raise HTTPException(400, str(error.args[0])) from None
    finally:
        answering.cancel()
        leaving.cancel()


async def left(request):
    """Wait until the browser leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    """Show the prices live."""
    return PAGE


@app.get("/health")
async def health(request: Request, response: Response) -> dict[str, str]:
    """Whether requests can be answered. Not the reason: that is for the log."""
    state = request.app.state.client.status.state
    response.status_code = 200 if state == "connected" else 503
    return {"price server": state}


@app.get("/prices")
async def all_prices(request: Request, prices: RemotePrices) -> list[Price]:
    """Give all prices."""
    return await ask(request, prices.all())


@app.put("/prices/{name}")
async def change(name: str, cents: int, request: Request, prices: RemotePrices) -> Price:
    """Set a price."""
    return await ask(request, prices.change(name, cents))


@app.get("/prices/{name}/next")
async def next_change(name: str, request: Request, prices: RemotePrices) -> Price:
    """Wait until a price changes."""
    return await ask(request, prices.next_change(name), POLL_TIMEOUT)


async def place(request: Request):
    """Take one of the places for streams, until the stream has ended."""
    places = request.app.state.places
    if places.locked():
        raise HTTPException(503, "too many streams, try again later")
    async with places:
        yield


@app.get("/stream", response_class=EventSourceResponse, dependencies=[Depends(place)])
async def stream(request: Request, prices: RemotePrices) -> AsyncIterable[ServerSentEvent]:
    """
    Send each change, as Server-Sent Events.

    FastAPI asks for the next event when the browser has read enough of those before: so nothing
    piles up here. The server holds the newest prices for a slow browser, and drops older ones.
    """
    state = request.app.state
    ends = state.stopping.wait(), left(request)  # not every ASGI server ends it with the browser
    async for kind, data in until(ends, changes(state.client, prices)):
        yield ServerSentEvent(event=kind, data=data)


async def changes(client, prices):
    """Give each change. When the server is lost, say so and go on when it is back."""
    while True:
        try:
            async for price in await prices.changes():
                yield "price", price
        except LOST:
            yield "away", "the price server is away"
        await asyncio.sleep(RESUME)
        await client.connected()


async def until(ends, items):
    """Give items until one of some coroutines has ended."""
    ends = [asyncio.ensure_future(end) for end in ends]
    item = None
    try:
        while True:
            item = asyncio.ensure_future(anext(items))
            await asyncio.wait([item, *ends], return_when=asyncio.FIRST_COMPLETED)
            if not item.done():
                return
            yield await item
    finally:
        for each in (item, *ends):
            each.cancel()


class Server(uvicorn.Server):
    """
    Stops in order: no new browsers, then the end of those that are here, then `lifespan`'s end.

    uvicorn does all that by itself, but waits for streams, so they are told.
    """

    async def shutdown(self, sockets=None):
        """End."""
        app.state.stopping.set()
        await super().shutdown(sockets)


def main(server=SERVER, port="8080", loop="auto"):
    """Serve until a signal comes."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    app.state.server = server
    Server(uvicorn.Config(app, port=int(port), loop=loop, timeout_graceful_shutdown=GRACE)).run()


if __name__ == "__main__":
    if len(sys.argv) > 4:
        raise SystemExit("usage: python -m examples.web_fastapi [SERVER [PORT [LOOP]]]")
    main(*sys.argv[1:])
