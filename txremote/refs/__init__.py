"""
The caller's side: references, netrefs, and results that are still to come.

A reactor uses a `RemoteReference` and the paths that grow from it (``reference``), with
``operations``, ``iteration`` and ``typed``, which keeps to a ``contract``. Code that may block
uses netrefs (``netref``, ``netref_class``, ``callsite``, ``copying``) over a ``blocking_view``
of the connection. Both have results that are still to come (``asyncresult``, ``helpers``), and
a ``driver`` waits for those.

``reactorthread``, ``threadguard`` and ``forks`` say what may be used where, and ``clock`` is
the clock of all time limits. A connection is known here by Protocols only: `RequestSender` in
``reference``, `NetrefConnection` in ``netref``, and ``ports``.
``awaiting``  `AwaitableDeferred`: a Deferred that Twisted's coroutines and asyncio's tasks await
``interface_source``  `written_method`: a method of an interface with its annotations
``by_hand``  `value` and `fetch`: copies whatever is annotated
``copy_nodes``  how one object of a stock peer is copied, by its kind
``copy_steps``  the steps by which an object of a stock peer is copied, whatever kind it is of
``live_config``  `LiveConfig`: a connection's options as RPyC's ``conn._config`` shows them
``operators``  operators on what is no value, refused in a sentence
``outcome``  `Outcome`: how a call ended, wrapped to pass safely through Deferreds
``received``  values that were received, with netrefs for a thread
``reading``  streams of the peer's, for a loop
``reprs``  values of Python's own types read from their ``repr``
``remote_signatures``  `parse_signature`: a remote method's signature, of its owner's text
``sharing``  `follow`: the result of a Deferred that has another owner, without taking it away
``soon``  functions that bring each other about, called in a loop
``signatures``  `signature_of`: the parameters of a callable, without evaluating its type hints
``stacks``  `nothing_collected`: for those who read the stack of another thread
``value_calls``  calls whose arguments leave as values
``wanted``  what is copied of a stock peer's objects at which place, and where a value stands
"""
