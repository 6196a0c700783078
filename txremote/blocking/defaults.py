"""
`DEFAULT_CONFIG`: the switches of connections that say nothing else
(``rpyc.core.protocol.DEFAULT_CONFIG``), and what a script's ``config=`` means.

It is a dict, as RPyC's is, and what a program sets in it holds for the blocking
connections and servers that it makes from then on. Nobody else looks at it: the
reactor's `txremote.connect` and `txremote.listen` do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from txremote.config import (
    DEFAULT_CONFIG as DEFAULTS,
)
from txremote.config import (
    IGNORED,
    SWITCH_NAMES,
    ConnectionConfig,
    make_config,
    unknown_switch,
)

#: Switches by name, RPyC's and txremote's. Three values differ from RPyC's, each for
#: safety; see `txremote.config`.
DEFAULT_CONFIG: dict[str, Any] = {
    **{name: getattr(DEFAULTS, name) for name in sorted(SWITCH_NAMES)},
    **dict.fromkeys(sorted(IGNORED)),
}


def config_of_script(
    config: ConnectionConfig | Mapping[str, Any] | None, depth: int = 2
) -> ConnectionConfig:
    """
    Return the configuration that a script's argument means.

    RPyC takes any mapping and looks only at the names it knows, so programs pass names
    that never had an effect: here they are warned of, and ignored.

    Args:
        config: A configuration, or a mapping of switches that differ from
            `DEFAULT_CONFIG`, or None.
        depth: How many functions stand between the program and this one; the warning
            names the program's line.

    Raises:
        TypeError: it is neither.
        ValueError: a value is out of range.
    """
    if isinstance(config, ConnectionConfig):
        return config
    base = make_config(_known(DEFAULT_CONFIG, depth + 3))
    if not isinstance(config, Mapping):
        return make_config(config, base)
    return make_config(_known(config, depth + 3), base)


def _known(config: Mapping[str, Any], stacklevel: int) -> dict[str, Any]:
    known = {}
    for name, value in config.items():
        if name in SWITCH_NAMES or name in IGNORED or name == "access":
            known[name] = value
        else:
            warnings.warn(f"{unknown_switch(name)}; it is ignored", stacklevel=stacklevel)
    return known
