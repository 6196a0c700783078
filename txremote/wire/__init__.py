"""
Bytes to values and back: RPyC's protocol with nothing around it.

Everything here is a pure function or a small object fed with bytes. No module
of this room knows Twisted, a socket, a thread or a policy, so all of it can be
tried with literals at a prompt, and every other room builds on it.

``boxing``  values and references to bytes and back, in one pass each way
``brine``  immutable values to bytes and back
``consts``  the numbers of RPyC's protocol, under RPyC's names, and of our extensions
``decoder``  the arguments of messages, decoded at once or in slices
``exceptions``  exceptions to tuples and back (RPyC calls this vinegar)
``framing``  a stream of bytes to payloads, and payloads to frames
``limits``  how much a peer may ask this side to read, inflate, nest or count
``messages``  payloads to requests, replies and exceptions, in three dialects
``naming``  the names of objects and classes, found without asking the objects
``plain``  types whose values are no references and nothing that is still to come
``slices``  a long payload, decoded in slices, so that a reactor may do other things between them
``tags``  the tags of brine: the first byte of each value, and what stands behind it
"""
