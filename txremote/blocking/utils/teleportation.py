"""
RPyC's ``rpyc.utils.teleportation``, by its names, which are refused.
"""

from txremote.blocking.classic import NO_TELEPORT
from txremote.blocking.refused import refused

export_function = refused("export_function", NO_TELEPORT)
import_function = refused("import_function", NO_TELEPORT)
