"""
The settings that a plan declares, and the plans that are made of their values.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from txremote.daemon.plan import (
    CONSOLE_SETTINGS,
    PROCESS_SETTINGS,
    SERVER_SETTINGS,
    ConsolePlan,
    Plan,
    ServerPlan,
    by_field,
    server_plan,
)
from txremote.daemon.problems import ConfigOrigin
from txremote.daemon.settings import LIMITS, SWITCHES


@pytest.mark.parametrize(
    ("settings", "plan"),
    [(SERVER_SETTINGS, ServerPlan), (CONSOLE_SETTINGS, ConsolePlan), (PROCESS_SETTINGS, Plan)],
)
def test_each_setting_is_a_part_of_its_plan(settings: Any, plan: Any) -> None:
    """By its name, with the default that the table tells."""
    fields = {each.name: each for each in dataclasses.fields(plan)}
    for setting in settings:
        if setting not in (*LIMITS, *SWITCHES):
            default = fields[setting.field].default
            assert (None if default == () else default) == setting.default, setting.name
    assert len({setting.name for setting in settings}) == len(settings)


def test_plans_are_made_of_values() -> None:
    """Missing settings have their defaults; limits are switches."""
    origin = ConfigOrigin()
    server = server_plan(origin, {"service": "a.B", "tls-cert": "c", "max-calls": 3})
    assert (server.service, server.tls_cert, server.switches) == ("a.B", "c", {"max_calls": 3})
    open_server = server_plan(origin, {"access": "public", "allow-pickle": False})
    assert open_server.switches == {"access": "public", "allow_pickle": False}
    console = ConsolePlan(origin=origin, **by_field({"container": ("d.E",)}))
    assert (console.name, console.container, console.max_line) == ("console", ("d.E",), 16384)
    assert by_field({"tls-cert": "c"}) == {"tls_cert": "c"}


def test_passwords_are_not_in_a_plan_s_repr() -> None:
    """Which may be logged."""
    assert "sesame" not in repr(server_plan(ConfigOrigin(), {"auth": ("memory:ann:sesame",)}))
