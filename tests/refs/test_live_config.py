"""
What ``conn._config`` shows, and the one switch that can be set.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from txremote.config import ConnectionConfig
from txremote.refs.live_config import LiveConfig


@pytest.fixture
def protocol() -> Any:
    """Return as much of a connection as is shown."""
    return SimpleNamespace(config=ConnectionConfig(), avatar="ann")


def test_it_has_every_switch_and_what_rpyc_adds(protocol: Any) -> None:
    """As a mapping."""
    config = LiveConfig(protocol, (("a", 1), ("b", 2)))
    shown = dict(config)
    assert (shown["allow_pickle"], shown["sync_request_timeout"]) == (False, 30)
    assert (shown["credentials"], shown["endpoints"]) == ("ann", (("a", 1), ("b", 2)))
    assert len(config) == len(shown)
    assert config.get("no such switch", 3) == 3


def test_the_timeout_of_calls_can_be_set(protocol: Any) -> None:
    """In each way in which a dict is changed."""
    config = LiveConfig(protocol, None)
    config["sync_request_timeout"] = 300
    assert protocol.config == ConnectionConfig(sync_request_timeout=300)
    config.update({"sync_request_timeout": None})
    assert config["sync_request_timeout"] is None
    config.update(sync_request_timeout=5)
    assert protocol.config.sync_request_timeout == 5
    with pytest.raises(ValueError, match="sync_request_timeout is a positive number"):
        config["sync_request_timeout"] = -1


def test_what_a_switch_is_already_can_be_set(protocol: Any) -> None:
    """Programs say twice what they want."""
    config = LiveConfig(protocol, None)
    config["allow_pickle"] = False
    config.update(allow_pickle=False, sync_request_timeout=5)
    assert protocol.config == ConnectionConfig(sync_request_timeout=5)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.__setitem__("allow_pickle", True),
        lambda config: config.__delitem__("allow_pickle"),
        lambda config: config.update(allow_pickle=True, sync_request_timeout=5),
        lambda config: config.pop("allow_pickle"),
        lambda config: config.clear(),
        lambda config: config.setdefault("allow_pickle", True),
    ],
)
def test_nothing_else_can_be_set(protocol: Any, change: Any) -> None:
    """Not even together with that."""
    with pytest.raises(TypeError, match="of a live connection does not change"):
        change(LiveConfig(protocol, None))
    assert protocol.config == ConnectionConfig()
