"""
txremote for programs that run on asyncio, without a Twisted reactor.

Serve objects with `listen`, call them with `connect` or `RemoteClient`, and await what a call
gives. A connection, its references and its errors are those of `txremote`; the loop is asyncio's
or uvloop's. Neither this nor what it imports installs a reactor.

``loop``        an asyncio loop in the shape of a reactor: `AsyncioLoop`
``timedcall``   a call to be made later
``transport``   an asyncio transport in the shape of Twisted's
``endpoints``   client endpoints that install no reactor
``ports``       listening
``connecting``  `connect`
``serving``     `listen`
``client``      `RemoteClient`
``logs``        Python's logging gets what txremote logs
``descriptors`` objects that read and write by themselves, as the pipes of pools do
``children``    the processes of pools
``oserrors``    Twisted's errors of connecting and listening as asyncio's programs expect them
``ending``      what is done when a loop ends
"""

from txremote.aio.client import RemoteClient
from txremote.aio.connecting import connect
from txremote.aio.loop import AsyncioLoop
from txremote.aio.serving import Server, listen
from txremote.peer.into import stream_into
from txremote.refs.helpers import async_, timed
from txremote.streams.source import stream
from txremote.views.reactor import typed
from txremote.work.loops import drive_asyncio
from txremote.work.run import run_async
from txremote.work.running import set_default_pool
from txremote.work.spec import pool_from_string

drive_asyncio(AsyncioLoop.current)  # for what is not told in which loop it runs

__all__ = [
    "RemoteClient",
    "Server",
    "async_",
    "connect",
    "listen",
    "pool_from_string",
    "run_async",
    "set_default_pool",
    "stream",
    "stream_into",
    "timed",
    "typed",
]
