"""Which registry a URL means."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from twisted.internet import reactor

from txremote.registry.choosing import registry_from
from txremote.registry.redis_registry import RedisRegistry
from txremote.registry.rpyc_registry import RpycRegistry


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("rpyc://127.0.0.1", RpycRegistry),
        ("rpyc+tcp://127.0.0.1", RpycRegistry),
        ("redis://127.0.0.1", RedisRegistry),
        ("unix:///run/redis.sock", RedisRegistry),
    ],
)
def test_a_url_means_a_registry(url: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said, or in the environment. Nothing is asked yet."""
    monkeypatch.setenv("TXREMOTE_REGISTRY", url)
    for found in (registry_from(url, reactor), registry_from(None, reactor)):
        assert isinstance(found, kind)
        assert "127.0.0.1" in repr(found) or "/run/redis.sock" in repr(found)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that has it."""
    absent: Any = None
    monkeypatch.setitem(sys.modules, "txredisapi", absent)
    with pytest.raises(ImportError, match=r"pip install 'txremote\[redis\]'"):
        registry_from("redis://127.0.0.1", reactor)
