"""
Bytes to values and back: RPyC's protocol with nothing around it.

Everything here is a pure function or a small object fed with bytes. No module
of this room knows Twisted, a socket, a thread or a policy, so all of it can be
tried with literals at a prompt, and every other room builds on it.

``boxing``  values and references to bytes and back, in one pass each way
``brine``  immutable values to bytes and back
``columns``  many items of one type, packed
``consts``  the numbers of RPyC's protocol, under RPyC's names, and of our extensions
``decoder``  the arguments of messages, decoded at once or in slices
``exceptions``  exceptions to tuples and back (RPyC calls this vinegar)
``exit_errors``  the exception with which a remote context is left
``framing``  a stream of bytes to payloads, and payloads to frames
``keys``  the encodings of id packs, by which references are known
``limits``  how much a peer may ask this side to read, inflate, nest or count
``long_items``  items of a stream that are long bytes, cut out of the reads they came in
``messages``  payloads to requests, replies and exceptions, in three dialects
``naming``  the names of objects and classes, found without asking the objects
``native``  what classes tell mypyc, which compiles some of these modules
``pages``  memory for long frames: pages of the system's own, huge ones where there are
``plain``  types whose values are no references and nothing that is still to come
``record``  what a value of a class arrives as
``slices``  a long payload, decoded in slices, so that a reactor may do other things between them
``tags``  the tags of brine: the first byte of each value, and what stands behind it
``undumpable``  the error for what brine cannot carry
``value_dates``  dates, times and zones as payloads of extended values, and back
``value_flat``  small lists and dicts of plain values, written and read in one go
``value_kinds``  the kinds of extended values beside containers and records, by class and by code
``value_loading``  bytes to extended values
``value_origins``  which objects of some kinds peers have sent
``value_shapes``  how the values of a class travel inside an extended value
``value_slices``  a long extended value, decoded in slices
``value_texts``  numbers, paths, addresses and patterns as payloads, and back
``values``  extended values to bytes: brine with lists, dicts, sets, records and references
"""
