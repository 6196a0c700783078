"""
The machinery of connections, which peers are never given outside of classic mode.

A service's connection has its transport, and that its reactor, by public names. An object that
can stop the program, open a socket or fire a Deferred is known by an interface of Twisted's, or
by the name of a class that it is derived from, so that no library is imported for it.
"""

from __future__ import annotations

from functools import lru_cache

from zope.interface import implementedBy

from txremote.wire.naming import bases_of, class_module, class_qualname

_TWISTED = "twisted.internet.interfaces."

_INTERFACES = {
    "ITransport": "a transport",
    "IFileDescriptor": "a transport",
    "IProcessTransport": "a transport",
    "IProtocol": "a protocol",
    "IProcessProtocol": "a protocol",
    "IProtocolFactory": "a protocol's factory",
    "IListeningPort": "a listening port",
    "IConnector": "a connector",
    "IDelayedCall": "a delayed call",
    "IStreamClientEndpoint": "an endpoint",
    "IStreamServerEndpoint": "an endpoint",
}

_CLASSES = {
    "twisted.internet.defer.Deferred": "a Deferred",
    "twisted.internet.protocol.BaseProtocol": "a protocol",
    "twisted.python.threadpool.ThreadPool": "a thread pool",
    "asyncio.events.AbstractEventLoop": "an event loop",
    "asyncio.events.AbstractServer": "a listening port",
    "asyncio.events.Handle": "a delayed call",
    "asyncio.futures.Future": "a future",
    "_asyncio.Future": "a future",
    "asyncio.protocols.BaseProtocol": "a protocol",
    "asyncio.streams.StreamReader": "a stream",
    "asyncio.streams.StreamWriter": "a stream",
    "asyncio.transports.BaseTransport": "a transport",
    "concurrent.futures._base.Executor": "a pool",
    "concurrent.futures._base.Future": "a future",
    "_socket.socket": "a socket",
    "ssl.SSLObject": "a socket",
    "rpyc.core.protocol.Connection": "a connection",
    "rpyc.core.channel.Channel": "a connection",
    "rpyc.core.stream.Stream": "a connection",
    "rpyc.utils.server.Server": "a server",
    "txremote.blocking.streams.Channel": "a connection",
    "txremote.blocking.streams.Stream": "a connection",
    "txremote.blocking.utils.server.ThreadedServer": "a server",
    "txremote.net.client.RemoteClient": "a connection",
    "txremote.peer.context.CurrentCall": "a call that is under way",
    "txremote.refs.blocking_view.BlockingView": "a connection",
}


def machinery(kind: type) -> str | None:
    """Return what to call a part of a connection, a reactor or a server; None for others."""
    return _found(kind)


@lru_cache(maxsize=1000)
def _found(kind: type) -> str | None:
    for base in bases_of(kind):
        module = class_module(base)
        found = _CLASSES.get(f"{module}.{class_qualname(base)}")
        if found is not None:
            return found
        if module.startswith("uvloop."):
            return "an event loop"
    if getattr(kind, "__providedBy__", None) is None:
        return None
    for interface in implementedBy(kind).__iro__:  # type: ignore[no-untyped-call]
        name = interface.__identifier__
        if name.startswith(_TWISTED):
            short = name.removeprefix(_TWISTED)
            if short.startswith("IReactor"):
                return "a reactor"
            if short in _INTERFACES:
                return _INTERFACES[short]
    return None
