"""
The special methods without which Python takes another way, and has another answer.

``bytes(x)`` without ``__bytes__`` makes as many zeros as ``__index__`` says; ``x += y`` without
``__iadd__`` makes a new object of a mutable one. So a peer is told of these methods whether it
may call them or not, and of those that a class has set to None to forbid the other way: the
call is then refused, and not answered in some other way. (RPyC tells of all methods.)

Other special methods that a peer may not call are hidden: Python then says itself that the
object is not callable, say, or no context manager.
"""

from __future__ import annotations

_ARITHMETIC = "add sub mul matmul truediv floordiv mod pow lshift rshift and or xor".split()

#: Their names.
FALLBACKS = frozenset(
    """
    __bool__ __len__ __contains__ __iter__ __reversed__ __bytes__ __buffer__ __format__
    __int__ __float__ __complex__ __index__ __trunc__ __floor__ __ceil__ __round__
    __divmod__ __rdivmod__ __subclasscheck__
    """.split()
) | {f"__{kind}{name}__" for kind in ("", "r", "i") for name in _ARITHMETIC}

_NOTHING = object()
_OF_ALL = object.__dict__


def falls_back(name: str, value: object) -> bool:
    """Tell whether Python does something else without a method: `object`'s is that itself."""
    return name in FALLBACKS and value is not _OF_ALL.get(name, _NOTHING)
