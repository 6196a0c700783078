"""
What a caller holds: references, and results that are still to come.

``reference``    `RemoteReference` and the paths that grow from it
``typed``        a reference by the names of a zope interface
``contract``     what such an interface says of names and calls
``iteration``    ``async for`` over a remote iterable, in growing chunks
``asyncresult``  RPyC's `AsyncResult` over any Deferred
``driver``       how such a result is waited for and timed
``reactorthread``  which thread is the reactor's
``threadguard``  what a blocking call checks before it blocks
``clock``        the one clock of all limits of time
``helpers``      `async_` and `timed`

A connection is known here only as something that can be asked: `Connection`
in ``reference`` lists what is used of it.
"""
