"""
The caller's side: references, netrefs, and results that are still to come.

In a reactor:

``reference``      `RemoteReference` and the paths that grow from it
``operations``     `get_remote` and its kin, for what has no awaitable syntax
``typed``          a reference by the names of a zope interface
``contract``       the names and calls that such an interface describes
``iteration``      ``async for`` over a remote iterable, in growing chunks

In code that may block:

``blocking_view``  a connection as such code sees it
``netref``         RPyC's transparent proxies
``callsite``       whether an attribute that is read is called at once
``buffiter``       a remote iterable read in growing chunks
``live_config``    a connection's configuration as ``conn._config``
``threadguard``    checks before a thread blocks

In both:

``asyncresult``    RPyC's `AsyncResult` over any Deferred
``driver``         how such a result is waited for and timed
``helpers``        `async_` and `timed`
``sharing``        the result of a Deferred that has another owner
``outcome``        how a call ended, safe to pass through Deferreds
``signatures``     the signature of a callable, without its type hints
``reactorthread``  which thread is the reactor's
``clock``          the clock of all time limits
``forks``          objects that a forked process inherits and must not use
``ports``          the type of an answer, and the part of an executor used here

A connection is known here by Protocols only: `RequestSender` in ``reference`` in a reactor,
`NetrefConnection` in ``netref`` in code that may block.
"""
