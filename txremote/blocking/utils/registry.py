"""
RPyC's ``rpyc.utils.registry``, by its names. Its servers, which run a reactor, are imported when
they are used first.
"""

from typing import TYPE_CHECKING

from txremote.blocking.registrars import (
    RegistryClient as RegistryClient,
    TCPRegistryClient as TCPRegistryClient,
    UDPRegistryClient as UDPRegistryClient,
)
from txremote.importing import lazy_names
from txremote.registry.messages import MAX_MESSAGE, REGISTRY_PORT as REGISTRY_PORT

if TYPE_CHECKING:
    from txremote.blocking.registry_servers import (
        RegistryServer as RegistryServer,
        TCPRegistryServer as TCPRegistryServer,
        UDPRegistryServer as UDPRegistryServer,
    )

DEFAULT_PRUNING_TIMEOUT = 4 * 60
MAX_DGRAM_SIZE = MAX_MESSAGE

_SERVERS = ("RegistryServer", "TCPRegistryServer", "UDPRegistryServer")
__getattr__, __dir__ = lazy_names(
    __name__, dict.fromkeys(_SERVERS, "txremote.blocking.registry_servers")
)
