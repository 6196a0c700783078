"""
Whether something has become worse: the arithmetic of `benchmarks.compare`.

The new figure is divided by the old one of the same round, as all ratios are here, so a bad
moment of the machine hits both. The median of these ratios is the change; half the way from the
lowest to the highest is the spread of the rounds. A change counts if it is larger than both
`MARGIN` and that spread: the first keeps out what nobody would notice, the second what this
machine cannot tell from chance.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.harness import Measured, ratio

#: The part of a figure that it may change by without being called worse or better.
MARGIN = 0.03


@dataclass(frozen=True)
class Verdict:
    """
    What the rounds of two checkouts say about a figure.

    Attributes:
        change: How much larger the new figure is, as a part of the old one.
        spread: Half the way from the lowest to the highest round's ratio, as a part
            of the old figure.
        more_is_better: Whether the figure should be high.
    """

    change: float
    spread: float
    more_is_better: bool

    @property
    def counts(self) -> bool:
        """Whether the change is more than the margin and than what the rounds differ by."""
        return abs(self.change) > max(MARGIN, self.spread)

    @property
    def worse(self) -> bool:
        """Whether the change counts and is one that nobody wants."""
        return self.counts and (self.change > 0) is not self.more_is_better

    def __str__(self) -> str:
        """Say it in one word."""
        if not self.counts:
            return "same"
        return "WORSE" if self.worse else "better"


def judge(old: Measured, new: Measured, more_is_better: bool) -> Verdict:
    """
    Compare a figure of two checkouts.

    Args:
        old: The rounds of the old one, none of them failed.
        new: Those of the new one, as many.
        more_is_better: Whether the figure should be high.
    """
    if not all(old.values):  # nothing can be divided by it: 0 may only stay 0
        return Verdict(float("inf") if new.median > 0 else 0.0, 0.0, more_is_better)
    rounds = ratio(new, old)
    if rounds is None:
        raise ValueError("a figure that has failed cannot be compared")
    low, high = min(rounds.values), max(rounds.values)
    return Verdict(rounds.median - 1, (high - low) / 2, more_is_better)
