"""
txremote for programs that run on asyncio, without a Twisted reactor.

Serve objects with `listen`, call them with `connect` or `RemoteClient`, and await what a call
gives. A connection, its references and its errors are those of `txremote`; the loop is asyncio's
or uvloop's. Neither this nor what it imports installs a reactor.

``loop``        an asyncio loop in the shape of a reactor: `AsyncioLoop`
``timedcall``   a call to be made later
``transport``   an asyncio transport in the shape of Twisted's
``sockets``     connecting sockets
``endpoints``   client endpoints that install no reactor
``ports``       listening
``connecting``  `connect`
``serving``     `listen`
``client``      `RemoteClient`
"""

from txremote.aio.client import RemoteClient
from txremote.aio.connecting import connect
from txremote.aio.serving import Server, listen
from txremote.refs.helpers import async_, timed
from txremote.views.reactor import typed
from txremote.work.run import run_async

__all__ = [
    "RemoteClient",
    "Server",
    "async_",
    "connect",
    "listen",
    "run_async",
    "timed",
    "typed",
]
