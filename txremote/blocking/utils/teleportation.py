"""RPyC's ``rpyc.utils.teleportation``, by its names, which are refused."""

from txremote.blocking.refused import refused
from txremote.classic import NO_TELEPORT

export_function = refused("export_function", NO_TELEPORT)
import_function = refused("import_function", NO_TELEPORT)
