"""
What a caller holds: references, and results that are still to come.

``reference``    `RemoteReference` and the paths that grow from it
``iteration``    ``async for`` over a remote iterable, in growing chunks
``asyncresult``  RPyC's `AsyncResult` over any Deferred
``helpers``      `async_` and `timed`

A connection is known here only as something that can be asked: `Connection`
in ``reference`` lists what is used of it.
"""
