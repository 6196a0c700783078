"""
Streams: iterables that a peer reads in one flow, which its credit bounds.

``source``  `stream` and `Stream`: an iterable, an asynchronous one, a file or a producer
``chunks``  a binary file, piece by piece
``closing`` `CloseInTurn`: an iterator is closed when it is not at work
``feed``    `Feed`: what a producer of Twisted's writes, item by item
``sinks``   where a stream of the peer's is written: a consumer, a writer, a file

The objects alone are here. `txremote.peer.outgoing` sends their items, `txremote.peer.incoming`
takes those of the peer's streams, `txremote.refs.reading` gives them to a loop, and
`txremote.peer.into` to a sink.
"""
