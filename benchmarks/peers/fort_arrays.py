"""
An array that a `fort` gives back, where there is numpy. No contestant.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from txremote import Service, exposed


class Arrays(Service, values=True):
    """The service."""

    @exposed
    def doubled(self, array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Twice of it."""
        return array * 2


def some_array(number: int) -> npt.NDArray[np.float64]:
    """Return one that depends on the number."""
    return np.arange(500, dtype=np.float64) + number
