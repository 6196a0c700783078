"""
Serve on the standard streams: ``python -m txremote.blocking.utils.stdio
package.module.Service``, or ``--classic``. `connect_subproc` starts this.

The streams are kept for the protocol; the service's prints go to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from twisted.python.reflect import namedAny

from txremote.blocking.factory import accept
from txremote.blocking.streams import PipeStream, byte_channel_of
from txremote.classic import SlaveService
from txremote.service import check_service


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one connection until it ends, and return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if len(words) != 1:
        sys.stderr.write("usage: stdio package.module.Service | --classic\n")
        return 2
    service = SlaveService if words[0] == "--classic" else check_service(namedAny(words[0]))
    accept(byte_channel_of(PipeStream.from_std()), service).serve_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
