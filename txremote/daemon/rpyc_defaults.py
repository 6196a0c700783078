"""
The switches that a hosted module sets for its whole program, as RPyC's programs do.

``rpyc.core.protocol.DEFAULT_CONFIG["allow_pickle"] = True`` at the top of a module is
how many a program written for RPyC configures all its connections. Hosted by twistd,
several such modules may share one process, so what a module sets holds for the
services of that module only. The mapping, and that of ``txremote.blocking``, is watched while
the module is imported: it is put back to its own values first, and what differs
afterwards is the module's wish. When the import is done every module's changes are in
it, as they would be in RPyC, for what the modules connect to themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

from txremote.blocking.defaults import DEFAULT_CONFIG
from txremote.config import IGNORED, SAFE_ATTRS, SWITCH_NAMES

T = TypeVar("T")

#: rpyc 6.0.2 rpyc.core.protocol.DEFAULT_CONFIG
RPYC_DEFAULTS: Final[dict[str, Any]] = {
    "allow_safe_attrs": True,
    "allow_exposed_attrs": True,
    "allow_public_attrs": False,
    "allow_all_attrs": False,
    "safe_attrs": SAFE_ATTRS | {"__new__"},
    "exposed_prefix": "exposed_",
    "allow_getattr": True,
    "allow_setattr": False,
    "allow_delattr": False,
    "include_local_traceback": True,
    "include_local_version": True,
    "instantiate_custom_exceptions": False,
    "import_custom_exceptions": False,
    "instantiate_oldstyle_exceptions": False,
    "propagate_SystemExit_locally": False,
    "propagate_KeyboardInterrupt_locally": True,
    "log_exceptions": True,
    "allow_pickle": False,
    "connid": None,
    "credentials": None,
    "endpoints": None,
    "logger": None,
    "sync_request_timeout": 30,
    "before_closed": None,
    "close_catchall": False,
    "bind_threads": False,
}

# Where such mappings are, each with its values before a program changes them.
_MAPPINGS: Final = {
    "rpyc.core.protocol": RPYC_DEFAULTS,
    "txremote.blocking.defaults": dict(DEFAULT_CONFIG),
}


class DefaultsWatch:
    """
    Finds out which modules change RPyC's defaults, and how.

    It calls nothing of RPyC's and imports nothing of it: a program that does not use
    RPyC sees no difference.
    """

    def __init__(self) -> None:
        self._of_module: dict[str, dict[str, Any]] = {}

    def during(self, load: Callable[[], T]) -> T:
        """Return what a function returns that imports modules, and keep what they change."""
        before = {name: dict(live) for name, live in _live().items()}
        for name, live in _live().items():
            _set_to(live, _MAPPINGS[name])
        known = set(sys.modules)
        try:
            return load()
        finally:
            all_changes: dict[str, Any] = {}
            for name, live in _live().items():
                changes = _changes(live, _MAPPINGS[name])
                _set_to(live, {**before.get(name, _MAPPINGS[name]), **changes})
                all_changes.update(changes)
            for name in sys.modules.keys() - known:
                self._of_module[name] = all_changes

    def changes_for(self, service: Any) -> dict[str, Any]:
        """
        Return the switches that the module of a service has set.

        Args:
            service: A service, class or instance.
        """
        kind = service if isinstance(service, type) else type(service)
        return self._of_module.get(kind.__module__, {})


def _live() -> dict[str, dict[str, Any]]:
    """Return the mappings that are loaded."""
    found = {name: getattr(sys.modules.get(name), "DEFAULT_CONFIG", None) for name in _MAPPINGS}
    return {name: live for name, live in found.items() if isinstance(live, dict)}


def _set_to(live: dict[str, Any], values: dict[str, Any]) -> None:
    live.clear()
    live.update(values)


def _changes(live: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    # A program may keep things of its own there; they are no switches.
    return {
        name: value
        for name, value in live.items()
        if name in SWITCH_NAMES - IGNORED and _differs(name, value, defaults.get(name))
    }


def _differs(name: str, value: Any, default: Any) -> bool:
    if name == "safe_attrs":
        return bool(frozenset(value) != default)
    return bool(value != default)
