"""
Types whose values are what they are: no references, and nothing that is still to come.

A value that is passed between a peer, the connection's thread and code that may block is
nearly always of one of these, so its type is asked before anything else is.
"""

from __future__ import annotations

from typing import Final

#: Their values hold no others.
ATOMS: Final = frozenset({type(None), bool, int, float, complex, str, bytes})

#: And Python's own containers: what is in them may be anything, but they are no awaitable
#: and no reference.
PLAIN: Final = ATOMS | {tuple, list, dict, set}
