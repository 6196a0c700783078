"""
Functions that are told of each connection of the program, once, before its first message.

`txremote.tracing` is one: it puts parts of its own in place of the connection's. So where nobody
watches, no call is any different.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Each is called with a `Connection` whose transport is there, in the connection's thread.
watchers: list[Callable[[Any], object]] = []
