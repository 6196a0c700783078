"""
One live connection: what is exported over it, who may reach it, what is asked.

``exports``     objects of ours that the peer holds, counted
``imports``     objects of the peer's that we hold, counted
``pending_calls``  our requests that wait for an answer
``outbox``      frames on their way out
``handlers``    what each request of the peer does
``inbound``     the peer's requests, run and answered
``executor``    the seam for drivers: where requests run and results fire
``context``     `current_call`
``connection``  the Twisted Protocol that joins them

This room knows Twisted's Deferreds and Protocols. It imports no reactor, opens
no socket and starts no thread: the clock, the executor and the transport are
handed in.
"""
