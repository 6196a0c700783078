"""
What a script's configuration means, and the defaults it can change.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import fields

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import client, linked, scripted, serving
from txremote.blocking.defaults import DEFAULT_CONFIG, config_of_script
from txremote.config import ConnectionConfig


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Leave the defaults as they were."""
    before = dict(DEFAULT_CONFIG)
    yield
    DEFAULT_CONFIG.clear()
    DEFAULT_CONFIG.update(before)


def test_every_switch_of_ours_and_of_rpyc_s_is_there() -> None:
    """With our defaults."""
    import rpyc as stock

    for each in fields(ConnectionConfig):
        assert DEFAULT_CONFIG[each.name] == each.default
    assert set(stock.core.protocol.DEFAULT_CONFIG) <= set(DEFAULT_CONFIG)


def test_what_is_set_there_holds_for_later_configurations() -> None:
    """Unless they say otherwise; a whole configuration does."""
    DEFAULT_CONFIG["allow_public_attrs"] = True
    DEFAULT_CONFIG.update(sync_request_timeout=None)
    config = config_of_script({"sync_request_timeout": 5})
    assert config == ConnectionConfig(allow_public_attrs=True, sync_request_timeout=5)
    assert config_of_script(None).sync_request_timeout is None
    assert config_of_script(ConnectionConfig()) == ConnectionConfig()


@scripted
def test_a_connection_has_them() -> None:
    DEFAULT_CONFIG["sync_request_timeout"] = 7
    with serving(rpyc.Service) as server, client(server) as conn:
        assert conn._config["sync_request_timeout"] == 7


def test_a_name_that_rpyc_never_looked_at_is_warned_of() -> None:
    """With the line of the program that gives it."""
    with pytest.warns(UserWarning, match="no connection switch is called 'timeout'.*ignored"):
        assert config_of_script({"timeout": 30, "allow_pickle": True}).allow_pickle
    DEFAULT_CONFIG["mine"] = 1
    with pytest.warns(UserWarning, match="is called 'mine'"):
        config_of_script(None)


@scripted
def test_the_warning_names_the_line_that_connects() -> None:
    with warnings.catch_warnings(record=True) as caught, serving(rpyc.Service) as server:
        warnings.simplefilter("always")
        rpyc.connect("127.0.0.1", server.port, config={"timeout": 30}).close()
    assert [each.filename for each in caught if each.category is UserWarning] == [__file__]


def test_what_is_known_is_checked() -> None:
    """As everywhere."""
    with pytest.raises(ValueError, match="allow_pickle is True or False"):
        config_of_script({"allow_pickle": "yes"})
    with pytest.raises(TypeError, match="config is a ConnectionConfig or a mapping"):
        config_of_script(5)  # type: ignore[arg-type]


@scripted
def test_the_reactor_s_facet_does_not_look_there() -> None:
    DEFAULT_CONFIG["allow_public_attrs"] = True
    with linked(rpyc.Service) as conn:
        assert conn._config["allow_public_attrs"]
    assert not ConnectionConfig().allow_public_attrs
