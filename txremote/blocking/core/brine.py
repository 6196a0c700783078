"""
RPyC's ``rpyc.core.brine``, by its names.
"""

from txremote.wire.brine import dump, dumpable, load

__all__ = ["dump", "dumpable", "load"]
