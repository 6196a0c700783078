"""
Bytes to values and back: RPyC's protocol with nothing around it.

Everything here is a pure function or a small object fed with bytes. No module
of this room knows Twisted, a socket, a thread or a policy, so all of it can be
tried with literals at a prompt, and every other room builds on it.

``consts``      the numbers of the protocol, with RPyC's names
``tags``        the first byte of each encoded value
``limits``      how much a peer may ask us to hold
``brine``       immutable values <-> bytes
``boxing``      values *and references* <-> bytes
``framing``     a byte stream <-> payloads
``messages``    payloads <-> requests, replies and exceptions, in three dialects
``decoder``     the arguments of messages, for one connection
``slices``      long payloads, a part at a time
``exceptions``  Python exceptions <-> the tuples that travel
"""
