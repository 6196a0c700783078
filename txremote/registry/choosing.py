"""From the URL of a registry to the registry."""

from __future__ import annotations

from typing import Any

from txremote.registry.ports import Registry
from txremote.registry.redis_registry import RedisRegistry
from txremote.registry.rpyc_registry import RpycRegistry
from txremote.registry.urls import registry_url


def registry_from(url: str | None, reactor: Any) -> Registry:
    """
    Return the registry of a URL. Nothing is asked yet.

    Args:
        url: As `txremote.registry.urls` has it; None for that in ``TXREMOTE_REGISTRY``.
        reactor: A reactor, or the loop of `txremote.aio`.

    Raises:
        ValueError: It names no registry.
        ImportError: Redis needs a library that is not installed.
    """
    found = registry_url(url)
    return RpycRegistry(found, reactor) if found.is_rpyc else RedisRegistry(found, reactor)
