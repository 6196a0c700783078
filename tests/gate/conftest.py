"""What the tests of this room share."""

from __future__ import annotations

import pytest

from txremote.gate import item_costs


@pytest.fixture
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the number of items as the only bound; a slow machine may meet that of time first."""
    monkeypatch.setattr(item_costs, "thread_time", lambda: 0.0)
