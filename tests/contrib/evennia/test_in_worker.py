"""A worker process as a part of the game."""

from __future__ import annotations

import pytest

from txremote.contrib.evennia import setup


def test_a_process_without_a_game_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything of Django's is imported."""
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    with pytest.raises(RuntimeError, match=r"DJANGO_SETTINGS_MODULE is not set"):
        setup()
