"""
Published packages that use rpyc, run with txremote in RPyC's place.

A driver for each package calls its code; none of that code is here. `packages` says which
versions, and installs them; `play` runs one side of a driver in a process of its own.
"""
