"""
`ConnectionConfig`: RPyC's switch names, values that make sense, and no change later.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from txremote import ConnectionConfig
from txremote.config import (
    BYTES,
    COUNT,
    DEFAULT_CONFIG,
    SAFE_ATTRS,
    ProgramConfig,
    _count,
    declaration_of,
    make_config,
)
from txremote.daemon.plan import LIMITS, Setting, settings_of


def test_the_defaults_open_nothing_but_what_is_exposed() -> None:
    config = ConnectionConfig()
    assert config == DEFAULT_CONFIG
    assert config.allow_exposed_attrs
    assert config.allow_safe_attrs
    for switch in (
        "allow_public_attrs",
        "allow_all_attrs",
        "allow_setattr",
        "allow_delattr",
        "allow_pickle",
        "instantiate_custom_exceptions",
        "import_custom_exceptions",
        "include_local_version",
    ):
        assert getattr(config, switch) is False, switch
    assert config.include_local_traceback is None
    assert config.sync_request_timeout == 30


def test_every_switch_of_rpyc_is_known_with_its_default_but_for_three() -> None:
    protocol = pytest.importorskip("rpyc.core.protocol")
    theirs = dict(protocol.DEFAULT_CONFIG)
    config = make_config(theirs)
    names = {field.name for field in dataclasses.fields(ConnectionConfig)} & set(theirs)
    differ = {name for name in names if getattr(config, name) != getattr(DEFAULT_CONFIG, name)}
    assert differ == {"include_local_traceback", "include_local_version", "safe_attrs"}
    assert theirs["safe_attrs"] - SAFE_ATTRS == {"__new__"}


def test_a_mapping_of_rpycs_names_makes_one() -> None:
    config = make_config({"allow_public_attrs": True, "sync_request_timeout": 5})
    assert config.allow_public_attrs
    assert config.sync_request_timeout == 5
    assert not config.allow_all_attrs


def test_a_config_is_taken_as_it_is_and_none_is_the_default() -> None:
    config = ConnectionConfig(max_calls=3)
    assert make_config(config) is config
    assert make_config(None) is DEFAULT_CONFIG
    assert make_config({"max_items": 9}, config).max_calls == 3


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("allow_public_attr", "did you mean 'allow_public_attrs'"),
        ("sync_request_timout", "did you mean 'sync_request_timeout'"),
        ("qqq", "no connection switch is called 'qqq'"),
        (3, "no connection switch is called 3"),
    ],
)
def test_a_name_that_nobody_knows_is_refused(name: Any, suggestion: str) -> None:
    with pytest.raises(TypeError, match=suggestion):
        make_config({name: True})
    if isinstance(name, str):
        with pytest.raises(TypeError, match=suggestion):
            DEFAULT_CONFIG.replace(**{name: True})


@pytest.mark.parametrize("config", ["allow_all_attrs", [("max_calls", 1)], 3, ConnectionConfig])
def test_what_is_neither_a_config_nor_a_mapping_is_refused(config: Any) -> None:
    with pytest.raises(TypeError, match="ConnectionConfig or a mapping"):
        make_config(config)


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT_CONFIG.allow_all_attrs = True  # type: ignore[misc]
    with pytest.raises(AttributeError):
        DEFAULT_CONFIG.safe_attrs.add("__class__")  # type: ignore[attr-defined]


def test_safe_attrs_is_copied_so_that_the_callers_set_may_change() -> None:
    mine = {"__len__"}
    config = ConnectionConfig(safe_attrs=mine)  # type: ignore[arg-type]
    mine.add("__class__")
    assert config.safe_attrs == frozenset({"__len__"})


def test_replace_returns_a_copy_with_changes() -> None:
    config = ConnectionConfig(max_calls=3)
    changed = config.replace(allow_pickle=True)
    assert (changed.max_calls, changed.allow_pickle) == (3, True)
    assert not config.allow_pickle


@pytest.mark.parametrize(
    "bad",
    [
        {"compress": "always"},
        {"sync_request_timeout": 0},
        {"sync_request_timeout": -1},
        {"call_timeout": 0},
        {"call_timeout": "5"},
        {"safe_attrs": "__len__"},
        {"exposed_prefix": None},
        {"max_calls": 0},
        {"max_calls": 1.5},
        {"max_calls": True},
        {"max_exports": -1},
        {"max_unsent": 0},
        {"max_frame": 0},
        {"max_frame": 1 << 33},
        {"max_inflated": 0},
        {"max_depth": 251},
        {"max_int_digits": 10**9},
        {"max_items": 0},
    ],
)
def test_a_value_that_makes_no_sense_is_refused_and_named(bad: Any) -> None:
    (name,) = bad
    with pytest.raises(ValueError, match=name):
        ConnectionConfig(**bad)
    with pytest.raises(ValueError, match=name):
        make_config(bad)


def test_none_means_for_ever() -> None:
    config = ConnectionConfig(sync_request_timeout=None, call_timeout=None)
    assert config.sync_request_timeout is None
    assert config.call_timeout is None


def test_the_limits_are_the_wires_own_object() -> None:
    limits = ConnectionConfig(max_frame=1000, max_depth=7).limits
    assert (limits.max_frame, limits.max_depth) == (1000, 7)


# --- presets ----------------------------------------------------------------------


def test_the_preset_exposed_is_the_default() -> None:
    """Naming it changes nothing."""
    assert ConnectionConfig.preset("exposed") == ConnectionConfig() == make_config({})


def test_the_preset_public_opens_public_names_and_nothing_else() -> None:
    """Neither setting nor pickling comes with it."""
    assert ConnectionConfig.preset("public") == ConnectionConfig(allow_public_attrs=True)


def test_the_preset_classic_is_what_rpycs_classic_service_switches_on() -> None:
    """Everything."""
    assert ConnectionConfig.preset("classic") == ConnectionConfig(
        allow_all_attrs=True,
        allow_setattr=True,
        allow_delattr=True,
        allow_pickle=True,
        instantiate_custom_exceptions=True,
        import_custom_exceptions=True,
    )


def test_a_preset_goes_first_and_switches_beside_it_count() -> None:
    """In a mapping, in whatever order, and by keyword."""
    for config in (
        ConnectionConfig.preset("public", allow_setattr=True, max_calls=3),
        make_config({"allow_setattr": True, "access": "public", "max_calls": 3}),
        ConnectionConfig(max_calls=3, allow_pickle=True).replace(
            access="public", allow_setattr=True
        ),
    ):
        assert config == ConnectionConfig(allow_public_attrs=True, allow_setattr=True, max_calls=3)


def test_a_preset_that_is_none_is_refused_and_the_three_are_named() -> None:
    """A slip must not open or close anything."""
    for access in ("everything", "", "Public", True, 0):
        with pytest.raises(ValueError, match="one of exposed, public, classic"):
            make_config({"access": access})
    with pytest.raises(TypeError, match="did you mean 'access'"):
        make_config({"acces": "public"})
    assert make_config({"access": None}) == ConnectionConfig()


# --- declarations -----------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneMore(ProgramConfig):
    """A configuration that has a limit more."""

    max_tries: int = _count(5, "Most tries of a peer.")


def test_a_limit_is_declared_once() -> None:
    """Its check and its absence come of that, as its option and its key do."""
    assert OneMore().max_tries == 5
    with pytest.raises(ValueError, match=r"^max_tries must be a positive int, not 0$"):
        OneMore(max_tries=0)
    lifted = OneMore.unbounded().max_tries
    assert lifted == ProgramConfig.unbounded().max_calls
    [setting] = set(settings_of(OneMore, limits=True)) - set(LIMITS)
    assert (setting.name, setting.kind, setting.default) == ("max-tries", COUNT, 5)
    assert setting.help == "Most tries of a peer."


@pytest.mark.parametrize("switch", dataclasses.fields(ConnectionConfig), ids=lambda each: each.name)
def test_each_switch_is_declared(switch: dataclasses.Field[Any]) -> None:
    """With a sentence about it, which is in the documentation of the class."""
    declared = declaration_of(switch)
    assert declared.help.endswith(".")
    assert f"{switch.name}: {declared.help}\n" in f"{ConnectionConfig.__doc__}\n"


@pytest.mark.parametrize("limit", LIMITS, ids=lambda each: each.field)
def test_each_limit_is_checked(limit: Setting) -> None:
    """A value that is none is refused, and the limit is named."""
    with pytest.raises(ValueError, match=f"^{limit.field} "):
        ConnectionConfig(**{limit.field: -1})


def test_a_program_s_own_worker_has_no_limits() -> None:
    """But those that keep the decoder from failing, and those that refuse nothing."""
    unbounded = ProgramConfig.unbounded(allow_pickle=True)
    assert unbounded.allow_pickle
    kept = {"max_depth", "max_int_digits", "keepalive_timeout", "pause_unsent"}
    for limit in LIMITS:
        value = getattr(unbounded, limit.field)
        if limit.field in kept:
            assert value == limit.default
        elif limit.kind in (COUNT, BYTES):
            assert value >= 0xFFFFFFFF, limit.name
        else:
            assert value is None, limit.name


def test_the_old_name_of_replace_still_works() -> None:
    """With a warning."""
    with pytest.warns(DeprecationWarning, match="please use txremote.ConnectionConfig.replace"):
        changed = ConnectionConfig(max_calls=3).but(allow_pickle=True)
    assert changed == ConnectionConfig(max_calls=3, allow_pickle=True)
