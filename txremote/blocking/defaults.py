"""
`DEFAULT_CONFIG`: the default options of a script's connections
(``rpyc.core.protocol.DEFAULT_CONFIG``), and the meaning of its ``config=``.

A value that a program sets in it holds for the blocking connections and servers that it
makes from then on. The reactor's `txremote.connect` and `txremote.listen` do not use it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from txremote.config import (
    DEFAULT_CONFIG as DEFAULTS,
    IGNORED,
    SWITCH_NAMES,
    ConnectionConfig,
    make_config,
    unknown_switch,
)

#: Options by name, RPyC's and txremote's. Three values differ from RPyC's, each for
#: safety; see `txremote.config`.
DEFAULT_CONFIG: dict[str, object] = {
    **{name: getattr(DEFAULTS, name) for name in sorted(SWITCH_NAMES)},
    **dict.fromkeys(sorted(IGNORED)),
}


def config_of_script(
    config: ConnectionConfig | Mapping[str, object] | None, depth: int = 2
) -> ConnectionConfig:
    """
    Return the configuration for a script's argument: options that differ from
    `DEFAULT_CONFIG`, a whole configuration, or None.

    Programs of RPyC's pass names that never had an effect: these cause a warning, at the
    program's line, which is ``depth`` calls up, and are ignored.
    """
    if isinstance(config, ConnectionConfig):
        return config
    base = make_config(_known(DEFAULT_CONFIG, depth + 3))
    if not isinstance(config, Mapping):
        return make_config(config, base)
    return make_config(_known(config, depth + 3), base)


def _known(config: Mapping[str, object], stacklevel: int) -> dict[str, object]:
    known = {}
    for name, value in config.items():
        if name in SWITCH_NAMES or name in IGNORED or name == "access":
            known[name] = value
        else:
            warnings.warn(f"{unknown_switch(name)}; it is ignored", stacklevel=stacklevel)
    return known
