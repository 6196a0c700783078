"""
Settings: their values as they are written, those that a plan declares, and plans made of them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from txremote.config import (
    BYTES,
    COUNT,
    FLAG,
    SECONDS,
    SECONDS_OR_NEVER,
    TEXT,
    TEXTS,
    ConnectionConfig,
    Kind,
)
from txremote.daemon.plan import (
    CONSOLE_SETTINGS,
    LIMITS,
    PROCESS_SETTINGS,
    SERVER_SETTINGS,
    SWITCHES,
    ConsolePlan,
    Plan,
    ServerPlan,
    Setting,
    server_plan,
)
from txremote.daemon.problems import ConfigOrigin

KNOWN = {setting.name: setting for setting in LIMITS}

# kind, what is written in a file, what it means
GOOD: list[tuple[Kind, Any, Any]] = [
    (TEXT, "x", "x"),
    (TEXTS, "x", ("x",)),
    (TEXTS, ["x", "y"], ("x", "y")),
    (FLAG, True, True),
    (COUNT, 3, 3),
    (BYTES, 65536, 65536),
    (SECONDS, 3, 3),
    (SECONDS, 0, 0),
    (SECONDS, 0.5, 0.5),
    (SECONDS_OR_NEVER, 2, 2),
    (SECONDS_OR_NEVER, 0, None),
]

# kind, what is written in a file and means nothing
BAD: list[tuple[Kind, Any]] = [
    (TEXT, 3),
    (TEXT, ["x"]),
    (TEXTS, []),
    (TEXTS, ["x", 3]),
    (FLAG, 1),
    (FLAG, "yes"),
    (COUNT, True),
    (COUNT, 3.0),
    (COUNT, "3"),
    (COUNT, 0),
    (BYTES, -1),
    (SECONDS, True),
    (SECONDS, "3"),
    (SECONDS, -1),
    (SECONDS, float("inf")),
    (SECONDS, float("nan")),
    (SECONDS_OR_NEVER, -0.1),
]


@pytest.mark.parametrize(("kind", "written", "meant"), GOOD)
def test_a_value_of_the_right_kind(kind: Kind, written: Any, meant: Any) -> None:
    """It is taken; several strings may be one; no time is no limit."""
    assert Setting("x", kind, "").of_value(written) == meant


@pytest.mark.parametrize(("kind", "written"), BAD)
def test_a_value_of_a_wrong_kind(kind: Kind, written: Any) -> None:
    """It is refused, with what it should be and what it is."""
    with pytest.raises(ValueError, match=f"^takes {kind.phrase}, not ") as caught:
        Setting("x", kind, "").of_value(written)
    assert str(caught.value).endswith(repr(written))


@pytest.mark.parametrize(
    ("kind", "typed", "meant"),
    [(COUNT, "12", 12), (SECONDS, "1.5", 1.5), (SECONDS_OR_NEVER, "0", None), (TEXT, "1", "1")],
)
def test_a_word_of_a_command_line(kind: Kind, typed: str, meant: Any) -> None:
    """It means what it says."""
    assert Setting("x", kind, "").of_text(typed) == meant


@pytest.mark.parametrize(
    ("kind", "typed"), [(COUNT, "1.5"), (BYTES, "64M"), (SECONDS, "nan"), (SECONDS, "soon")]
)
def test_a_word_that_means_nothing(kind: Kind, typed: str) -> None:
    """It is refused as it was typed."""
    with pytest.raises(ValueError, match=f"^takes {kind.phrase}, not '{typed}'$"):
        Setting("x", kind, "").of_text(typed)


def test_what_a_limit_allows_is_what_its_switch_allows() -> None:
    """The sentence of the switch is told as well."""
    assert KNOWN["max-calls"].of_value(1) == 1
    with pytest.raises(ValueError, match="takes a whole number, not 0: max_calls must be a pos"):
        KNOWN["max-calls"].of_value(0)
    with pytest.raises(ValueError, match=r"bytes, not '99999999999': .*4294967295"):
        KNOWN["max-frame"].of_text("99999999999")


def test_limits_have_the_defaults_of_their_switches() -> None:
    """There is one place where they stand."""
    defaults = ConnectionConfig()
    for limit in LIMITS:
        assert limit.default == getattr(defaults, limit.field)
    shown = {limit.name: limit.shown_default for limit in LIMITS}
    assert shown["max-unsent"] == "268435456"
    assert (shown["frame-timeout"], shown["call-timeout"]) == ("60", "0")


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
    server = server_plan(origin, {"service": "a.B", "tls_cert": "c", "max_calls": 3})
    assert (server.service, server.tls_cert, server.switches) == ("a.B", "c", {"max_calls": 3})
    open_server = server_plan(origin, {"access": "public", "allow_pickle": False})
    assert open_server.switches == {"access": "public", "allow_pickle": False}
    console = ConsolePlan(origin=origin, container=("d.E",))
    assert (console.name, console.container, console.max_line) == ("console", ("d.E",), 16384)


def test_passwords_are_not_in_a_plan_s_repr() -> None:
    """Which may be logged."""
    assert "sesame" not in repr(server_plan(ConfigOrigin(), {"auth": ("memory:ann:sesame",)}))
