"""Command containers as plac writes them, and what reads their command lines."""

from typing import Final

#: Where a console listens unless it is told otherwise: on plac's port.
DEFAULT_ENDPOINT: Final = "tcp:2199:interface=127.0.0.1"

#: Most bytes of a line that is read from a client.
DEFAULT_MAX_LINE: Final = 16_384
