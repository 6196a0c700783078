"""
Connections whose work happens in the thread of an event loop, such as Twisted's reactor.

``executor``        where the peer's requests run: in the loop's thread, or in a lane
``lanes``           a threaded service's requests, in order, in a worker thread
``lane_calls``      how each of those is answered once
``worker_pool``     the threads
``worker_view``     a connection as those threads see it
``connection_limits``  how many connections a listener takes, of one address too
``login_throttle``  how fast an address may guess passwords
``reactor``         the reactor of a function whose argument may be left out
``stop_order``      which services wait for which others when a program stops
``client_status``   how a client that reconnects is doing, and when it tries again
``login_refusals``  which errors of a login are refusals
``certificates``    certificates in words: whose, until when, why refused; scripts use it, too
``tcp``             the options of TCP sockets; drivers without a loop use them, too
"""
