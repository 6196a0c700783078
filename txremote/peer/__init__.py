"""
One live connection: the objects it exports, who may reach them, the calls both ways.

``connection``     the Twisted Protocol that joins the parts
``ports``          the parts' view of it and of each other, as Protocols
``lifecycle``      its states, and which may follow which
``receiving``      bytes become messages; ``outbox`` is the way out
``inbound``        the peer's calls, run and answered; ``handlers`` has what each does
``call_ledger``    which of them run, wait or are refused
``pending_calls``  our requests that wait for an answer; ``outbound`` sends them
``exports``        objects of ours that the peer holds; ``imports`` the peer's that we hold
``backpressure``, ``timeouts``, ``closing``  what stops it, bounds it in time, and ends it
``event_flows``  events of our topics that the peer reads
``executor``       the seam for drivers: where requests run and results fire
``context``        `current_call`
``abandoned``  generators that their reader leaves before the end
``answers``  `Answers`: results and exceptions on their way to the peer
``asyncio_steps``  coroutines that await asyncio's things
``awaiting``  `awaited`: whatever an exposed method may return in place of a result, as a Deferred
``called``  what a call of the peer's is a call of, for the log
``callbacks``  functions of the peer's that take values, as an annotation of ours says
``calling``  reading, changing and calling an object for the peer, by name or by a path of names
``checked``  `Checked`: what is done with a result that is still to come
``checked_items``  iterators whose items are declared as values
``converting``  calls of methods whose annotations declare values
``dialling``  finding the dialect of a server: which attempts to make, and which one to keep
``error_report``  `ErrorReport`: an exception as the peer is sent it, and as the log has it
``failing``  `FailureLog`: methods that fail, as an operator hears of them
``fetching``  copies of what a peer has by reference, where values are declared
``graphs``  `Graphs`: calls of ours that use results of others of ours before these are there
``halfway``  `Halfway`: how far a path came at its owner, where it goes on elsewhere
``hooks``  a service's hooks, ``on_connect`` and ``on_disconnect``: called, waited for, logged
``immediate``  executor, driver and guard of a connection in memory
``incoming_events``  events of a peer's topic that are read here
``incoming``  streams of the peer's that are read here, and all of a connection
``into``  `stream_into`: a stream of the peer's, written to a consumer, a file or a writer
``introduction``  how the connecting side introduces itself
``item_weights``  about how many bytes the items of a stream take
``kept``  results that the peer's further calls use, and those calls until they can begin
``lasting``  `Lasting`: what a request returns that takes as long as it takes
``logging``  the events of a connection, and how many of them are logged
``memory_budget``  the memory that the connections of a listener hold together, in bytes
``observing``  requests that are timed, for an observer of calls
``naming``  how the log names a peer: by its address, and by its user where it has logged in
``promise``  `Promise`: the result of a call as a target and an argument of others
``reaching``  methods that are reached in a way of their own: steps, and what shows an object
``reading``  messages of the peer's: a request of its own, or the answer to one of ours
``outgoing``  streams of ours that the peer reads
``references``  both reference tables of a connection, as boxing asks for them
``request``  one request of the peer: where it runs, and how it gets its answer
``stock_copying``  copies of a stock peer's objects, for parameters that are annotated as values
``stock_wanted``  what an annotation wants of a stock peer's objects
``subscriptions``  `Subscriptions`: those of one connection, in both directions
``tls_words``  why TLS has failed, in words, from what OpenSSL or Python's ssl says
``turns``  long work of connections, a slice in each turn of the reactor
``unanswered_call``  `UnansweredCall`: the Deferred of a call of ours
``variables``  a connection's context variables
``watchers``  functions that are told of each connection of the program
``waiting``  `Waiting`: a request that is answered when a Deferred has fired
``x509``  `x509_of`: a peer's certificate as cryptography has it
``with_values``  requests with values in their arguments

This room knows Twisted's Deferreds and Protocols. It imports no reactor, opens no socket and
starts no thread: the clock, the executor and the transport are handed in.
"""
