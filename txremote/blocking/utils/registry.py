"""
RPyC's ``rpyc.utils.registry``, by its names: its numbers; there is no registry yet.
"""

from txremote.blocking.factory import NO_REGISTRY
from txremote.blocking.refused import refused

DEFAULT_PRUNING_TIMEOUT = 4 * 60
MAX_DGRAM_SIZE = 1500
REGISTRY_PORT = 18811

RegistryServer = refused("RegistryServer", NO_REGISTRY)
UDPRegistryServer = refused("UDPRegistryServer", NO_REGISTRY)
TCPRegistryServer = refused("TCPRegistryServer", NO_REGISTRY)
RegistryClient = refused("RegistryClient", NO_REGISTRY)
UDPRegistryClient = refused("UDPRegistryClient", NO_REGISTRY)
TCPRegistryClient = refused("TCPRegistryClient", NO_REGISTRY)
