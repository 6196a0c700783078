"""
What modules set in RPyC's DEFAULT_CONFIG, and for whom it holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc

from txremote.blocking import defaults
from txremote.daemon.rpyc_defaults import RPYC_DEFAULTS, DefaultsWatch

DEFAULT_CONFIG = rpyc.core.protocol.DEFAULT_CONFIG


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make modules that are put there importable; put everything back."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    DEFAULT_CONFIG.clear()
    DEFAULT_CONFIG.update(RPYC_DEFAULTS)
    for name in sys.modules.keys() - known:
        del sys.modules[name]


def module(folder: Path, name: str, *lines: str) -> None:
    """Write a module with a service ``Lab``."""
    text = ["import rpyc", "defaults = rpyc.core.protocol.DEFAULT_CONFIG", *lines]
    (folder / f"{name}.py").write_text("\n".join([*text, "class Lab(rpyc.Service): pass\n"]))


def loaded(watch: DefaultsWatch, name: str) -> Any:
    """Import a module's service under watch."""
    return watch.during(lambda: __import__(name).Lab)


def test_rpyc_s_values_are_those_of_the_installed_one() -> None:
    """Name by name."""
    assert DEFAULT_CONFIG == RPYC_DEFAULTS


def test_what_a_module_sets_holds_for_its_services(folder: Path) -> None:
    """A class and an instance of it, and no other module's."""
    module(folder, "loose", "defaults['allow_pickle'] = True")
    module(folder, "plain")
    watch = DefaultsWatch()
    loose, plain = loaded(watch, "loose"), loaded(watch, "plain")
    assert watch.changes_for(loose) == {"allow_pickle": True}
    assert watch.changes_for(loose()) == {"allow_pickle": True}
    assert watch.changes_for(plain) == {}


def test_two_modules_that_set_the_same(folder: Path) -> None:
    """Both have it, although the second finds it set."""
    for name in ("one", "two"):
        module(folder, name, "defaults.update(allow_setattr=True)")
    watch = DefaultsWatch()
    for name in ("one", "two"):
        assert watch.changes_for(loaded(watch, name)) == {"allow_setattr": True}


def test_a_module_that_another_one_imports(folder: Path) -> None:
    """A setting made while they load holds for both."""
    module(folder, "inner", "defaults['allow_delattr'] = True")
    module(folder, "outer", "import inner")
    watch = DefaultsWatch()
    outer = loaded(watch, "outer")
    assert watch.changes_for(outer) == {"allow_delattr": True}
    assert watch.changes_for(loaded(watch, "inner")) == {"allow_delattr": True}


def test_the_mapping_has_all_changes_afterwards(folder: Path) -> None:
    """For what the modules connect to themselves, with RPyC."""
    module(folder, "one", "defaults['allow_setattr'] = True")
    module(folder, "two", "defaults['sync_request_timeout'] = 5")
    watch = DefaultsWatch()
    loaded(watch, "one"), loaded(watch, "two")
    assert (DEFAULT_CONFIG["allow_setattr"], DEFAULT_CONFIG["sync_request_timeout"]) == (True, 5)


def test_the_blocking_facet_s_defaults_are_watched_too(folder: Path) -> None:
    """For a service whose import was changed."""
    (folder / "changed.py").write_text(
        "import txremote.blocking as rpyc\n"
        "rpyc.core.protocol.DEFAULT_CONFIG['allow_public_attrs'] = True\n"
        "class Lab(rpyc.Service): pass\n"
    )
    watch = DefaultsWatch()
    ours = dict(defaults.DEFAULT_CONFIG)
    try:
        assert watch.changes_for(loaded(watch, "changed")) == {"allow_public_attrs": True}
        assert defaults.DEFAULT_CONFIG["allow_public_attrs"]
    finally:
        defaults.DEFAULT_CONFIG.update(ours)


def test_what_is_no_switch_is_no_wish(folder: Path) -> None:
    """Nor is a value that is RPyC's own."""
    module(folder, "odd", "defaults['my_own'] = 1", "defaults['connid'] = 'x'")
    module(folder, "same", "defaults['safe_attrs'] = set(defaults['safe_attrs'])")
    watch = DefaultsWatch()
    assert watch.changes_for(loaded(watch, "odd")) == {}
    assert watch.changes_for(loaded(watch, "same")) == {}


def test_a_module_that_fails(folder: Path) -> None:
    """Leaves the watch as it should be for the next."""
    module(folder, "broken", "defaults['allow_pickle'] = True", "raise ValueError('no')")
    module(folder, "plain")
    watch = DefaultsWatch()
    with pytest.raises(ValueError, match="no"):
        loaded(watch, "broken")
    assert watch.changes_for(loaded(watch, "plain")) == {}
