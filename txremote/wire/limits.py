"""
How much a peer may ask this side to read, inflate, nest or count.

Each limit is checked *before* the memory it guards is taken, and its error names the option.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

#: Longest message that is read from a peer that has yet to log in, in bytes, and how
#: many values may be in it.
LONGEST_OF_STRANGERS = 128 * 1024
MOST_ITEMS_OF_STRANGERS = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The bounds on what is read from a peer.

    Attributes:
        max_frame: Longest payload of one frame, in bytes as it travels.
        max_inflated: Longest payload after inflating, in bytes.
        max_depth: How deep tuples, slices and frozensets may nest.
        max_int_digits: Most decimal digits of one int.
        max_items: Most values in one frame, counted over all its tuples.
    """

    max_frame: int = 64 * 1024 * 1024
    max_inflated: int = 64 * 1024 * 1024
    max_depth: int = 100
    max_int_digits: int = 4300
    max_items: int = 2_000_000

    def for_strangers(self) -> Limits:
        """Return these limits for a peer that has yet to log in, and has little to say."""
        return replace(
            self,
            max_frame=min(self.max_frame, LONGEST_OF_STRANGERS),
            max_inflated=min(self.max_inflated, LONGEST_OF_STRANGERS),
            max_items=min(self.max_items, MOST_ITEMS_OF_STRANGERS),
        )

    def __post_init__(self) -> None:
        for name in ("max_frame", "max_inflated", "max_depth", "max_int_digits", "max_items"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a positive int, not {value!r}")
        if self.max_frame > 0xFFFFFFFF:
            raise ValueError("max_frame is at most 4294967295 bytes: a frame's length is 32 bits")
        if self.max_depth > 250:
            raise ValueError("max_depth is at most 250: the decoder recurses once per level")
        most = sys.get_int_max_str_digits()
        if most and self.max_int_digits > most:
            raise ValueError(
                f"max_int_digits is at most {most} here: raise sys.set_int_max_str_digits() first"
            )


DEFAULT_LIMITS = Limits()
