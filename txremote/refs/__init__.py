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
"""
