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
``executor``       the seam for drivers: where requests run and results fire
``context``        `current_call`

This room knows Twisted's Deferreds and Protocols. It imports no reactor, opens no socket and
starts no thread: the clock, the executor and the transport are handed in.
"""
