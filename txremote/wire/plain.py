"""
Types whose values are no references and nothing that is still to come.

Nearly all values that travel are of one of these, so their type is asked first.
"""

from __future__ import annotations

from typing import Final

#: Their values hold no others.
ATOMS: Final = frozenset({type(None), bool, int, float, complex, str, bytes})

#: And Python's own containers: what is in them may be anything, but they are no awaitable
#: and no reference.
PLAIN: Final = ATOMS | {tuple, list, dict, set}
