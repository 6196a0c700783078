"""
What Python does with a remote object by its special methods is right, or is refused.

Where a special method is hidden, Python takes another way (``math.floor`` by way of
float, ``bytes`` of the zeros that an index counts) and has another answer. Every
operation is done with every object over each pair, and with the object itself.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from tests.blocking.script_threads import scripted
from tests.interop.operations import OBJECTS, OPERATIONS
from tests.interop.pairs import Pairs

_ADDRESS = re.compile(r" (at 0x[0-9a-f]+|object #\d+|object)|builtins\.")


def shown(value: Any) -> str:
    """Tell a result, remote or not, from others by what it shows."""
    if type(value) is tuple:
        return f"({', '.join(map(shown, value))})"
    if type(value) is list:
        return f"[{', '.join(map(shown, value))}]"
    return _ADDRESS.sub("", repr(value))


def done(operation: str, obj: Any) -> str:
    """Return what an operation gives, as it is shown, or the kind of its error."""
    try:
        return shown(OPERATIONS[operation](obj))
    except Exception as error:
        return f"raises {type(error).__name__}"


#: What has another way in Python.
QUICK = """
    bool|list|reversed|in|bytes|int|float|complex|floor|ceil|trunc|round|format wide|iconcat
    |matmul|imatmul|matmul right|add right|iadd|imul
"""


@scripted
def test_what_has_another_way_in_python_is_right_or_refused() -> None:
    """Over each pair. The other operations were tried in the same way, and classic mode."""
    names = [name.strip() for name in QUICK.split("|")]
    looks = {name: partial(done, name) for name in names}
    wrong: list[str] = []
    with Pairs(OBJECTS, looks, {}) as pairs:
        for make in OBJECTS:
            for name in names:
                if (make, name) != ("range", "in"):  # refused by its cost: it looks for an "a"
                    wrong += pairs.wrong(make, name)
    assert "\n".join(wrong) == ""
