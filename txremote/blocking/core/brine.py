"""RPyC's ``rpyc.core.brine``, by its names."""

from txremote.wire.brine import dump as dump, dumpable as dumpable, load as load
