"""
Switches that a hosted module sets for its whole program, as RPyC's programs do.

Many programs written for RPyC configure all their connections at the top of a module:
``rpyc.core.protocol.DEFAULT_CONFIG["allow_pickle"] = True``. Hosted by twistd, several such
modules may share one process, so a module's settings hold for its own services only: RPyC's
mapping, and that of ``txremote.blocking``, has its own values while a module is imported, and
the differences afterwards are the module's settings. Then every module's changes are in it,
as in RPyC, for connections that the modules make themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

from txremote.blocking.defaults import DEFAULT_CONFIG
from txremote.config import IGNORED, PRESETS, SAFE_ATTRS, SWITCH_NAMES

T = TypeVar("T")

#: rpyc 6.0.2 rpyc.core.protocol.DEFAULT_CONFIG
RPYC_DEFAULTS: Final[dict[str, object]] = {
    **PRESETS["exposed"],
    **dict.fromkeys(("before_closed", "connid", "credentials", "endpoints", "logger")),
    "safe_attrs": SAFE_ATTRS | {"__new__"},
    "exposed_prefix": "exposed_",
    "include_local_traceback": True,
    "include_local_version": True,
    "instantiate_oldstyle_exceptions": False,
    "propagate_SystemExit_locally": False,
    "propagate_KeyboardInterrupt_locally": True,
    "log_exceptions": True,
    "sync_request_timeout": 30,
    "close_catchall": False,
    "bind_threads": False,
}

# Where such mappings are, each with its values before a program changes them.
_MAPPINGS: Final = {
    "rpyc.core.protocol": RPYC_DEFAULTS,
    "txremote.blocking.defaults": dict(DEFAULT_CONFIG),
}


class DefaultsWatch:
    """Finds out which modules change RPyC's defaults, and how. It never imports RPyC."""

    def __init__(self) -> None:
        self._of_module: dict[str, dict[str, object]] = {}

    def during(self, load: Callable[[], T]) -> T:
        """Call a function that imports modules, keep what they change, return its result."""
        before = {name: dict(live) for name, live in _live().items()}
        for name, live in _live().items():
            live.clear()
            live.update(_MAPPINGS[name])
        known = set(sys.modules)
        try:
            return load()
        finally:
            all_changes: dict[str, object] = {}
            for name, live in _live().items():
                changes = _changes(live, _MAPPINGS[name])
                live.clear()
                live.update(before.get(name, _MAPPINGS[name]) | changes)
                all_changes.update(changes)
            for name in sys.modules.keys() - known:
                self._of_module[name] = all_changes

    def changes_for(self, service: object) -> dict[str, object]:
        """Return the switches that the module of a service, class or instance, has set."""
        kind = service if isinstance(service, type) else type(service)
        return self._of_module.get(kind.__module__, {})


def _live() -> dict[str, dict[str, object]]:
    """Return the mappings that are loaded."""
    found = {name: getattr(sys.modules.get(name), "DEFAULT_CONFIG", None) for name in _MAPPINGS}
    return {name: live for name, live in found.items() if isinstance(live, dict)}


def _changes(live: dict[str, object], defaults: dict[str, object]) -> dict[str, object]:
    # A program may keep things of its own there; they are no switches.
    return {
        name: value
        for name, value in live.items()
        if name in SWITCH_NAMES - IGNORED and _differs(value, defaults.get(name))
    }


def _differs(value: Any, default: object) -> bool:
    if isinstance(default, frozenset):  # for which any collection will do
        value = frozenset(value)
    return bool(value != default)
