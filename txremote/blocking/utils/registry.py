"""RPyC's ``rpyc.utils.registry``, by its names: its numbers; there is no registry yet."""

from txremote.blocking.factory import NO_REGISTRY
from txremote.blocking.refused import refused, refused_in_use

DEFAULT_PRUNING_TIMEOUT = 4 * 60
MAX_DGRAM_SIZE = 1500
REGISTRY_PORT = 18811

RegistryServer = refused("RegistryServer", NO_REGISTRY)
UDPRegistryServer = refused("UDPRegistryServer", NO_REGISTRY)
TCPRegistryServer = refused("TCPRegistryServer", NO_REGISTRY)

# commands of RPyC's kind make one, and use it if they are told to register
_CLIENT = (NO_REGISTRY, "discover", "list", "register", "unregister")
RegistryClient = refused_in_use("RegistryClient", *_CLIENT)
UDPRegistryClient = refused_in_use("UDPRegistryClient", *_CLIENT)
TCPRegistryClient = refused_in_use("TCPRegistryClient", *_CLIENT)
