"""
The gate: what a peer may reach of a program's objects, and at what cost.

``access``         the one function through which every handler reaches an object
``attributes``     attributes read, set and deleted for a peer
``exposure``       what a program has declared for peers: marks, interfaces
``builtin_types``  what peers may do with objects of Python's own types
``costs``          bounds on what one call of a builtin type's method may cost
``item_costs``     items that one call makes or takes in
``number_costs``   digits of the numbers that one call makes
``weight``         how many parts comparing, hashing or showing a value visits
``unbound``        what a class gives to a peer that reads a method from it
``machinery``      reactors, transports and the like, which no peer is given
``fallbacks``      special methods that Python replaces where they are missing
``converted``      methods whose annotations declare values
``fetchable``      what a peer may have a copy of
``told``           the signature of a method, as its peer may read it
``refusals``       why a peer may not reach a name, in sentences
``threaded``       the mark of methods that run in a thread

Nothing here knows connections, sockets or reactors.
"""
