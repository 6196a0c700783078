"""
The setting ``TXREMOTE`` of a game, read and checked.

The setting is a dict in ``server/conf/settings.py``, and every key of it is optional. A mistake
costs the part that it is in, never the game: `read_settings` gives what is right, and a sentence
for each thing that is wrong, which the plugin writes into the game's log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: The root that logged-in clients have where ``"service"`` names none.
DEFAULT_SERVICE: Final = "txremote.contrib.evennia.root.World"

#: The commands of the console where ``"containers"`` names none.
DEFAULT_CONTAINER: Final = "txremote.contrib.evennia.console.GameConsole"

#: Run in each worker process of a pool that names no ``init=`` of its own.
SETUP: Final = "txremote.contrib.evennia.in_worker.setup"

#: Seconds that a worker process has to end in: the next Server does not start beside this one.
GRACE: Final = 0.3


@dataclass(frozen=True)
class GameSettings:
    """
    The parts of ``TXREMOTE``.

    Attributes:
        pool: The description of a pool, such as ``"processes:2"``; None: threads only.
        listen: Where the service is reached: descriptions of server endpoints.
        service: The dotted name of the root's class.
        login: Whether clients log in by their accounts. False: whoever connects has the root.
        console: Where the line console is reached. It asks for no password.
        containers: Dotted names of the console's containers of commands.
        config: Switches of connections, by name.
    """

    pool: str | None = None
    listen: tuple[str, ...] = ()
    service: str = DEFAULT_SERVICE
    login: bool = True
    console: tuple[str, ...] = ()
    containers: tuple[str, ...] = (DEFAULT_CONTAINER,)
    config: Mapping[str, Any] = field(default_factory=dict)


def read_settings(given: object) -> tuple[GameSettings, list[str]]:
    """
    Read what ``TXREMOTE`` says.

    Args:
        given: The setting; None where the game has none.

    Returns:
        The settings, with the defaults for all that is not there or not right, and a sentence
        for each thing that is not right. Where the service or the switches make no sense nothing
        listens: the defaults might offer more than was meant.
    """
    if given is None:
        return GameSettings(), []
    if not isinstance(given, Mapping):
        return GameSettings(), [f"TXREMOTE is a dict, such as {{'pool': 'processes:2'}}: {given!r}"]
    found: dict[str, Any] = {}
    problems = []
    for key, value in given.items():
        if key not in _READERS:
            known = ", ".join(_READERS)
            problems.append(f"TXREMOTE has no key {key!r}: there are {known}")
            continue
        try:
            found[key] = _READERS[key](value)
        except ValueError as problem:
            problems.append(f"TXREMOTE[{key!r}] {problem}: {value!r}")
    for key, part in _GUARDS.items():
        if key in given and key not in found:
            found.pop(part, None)
    return GameSettings(**found), problems


def with_setup(pool: str) -> str:
    """Return a pool's description, with what a game's worker processes need where it names none."""
    kind, *parts = pool.split(":")
    if kind == "processes":
        for option in (f"init={SETUP}", f"grace={GRACE:g}"):
            name = option.partition("=")[0]
            if not any(part.startswith(f"{name}=") for part in parts):
                pool = f"{pool}:{option}"
    return pool


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is a text")
    return value.strip()


def _pool(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (_text(value),)
    if not isinstance(value, (list, tuple)):
        raise ValueError("is a text, or a list of them")
    return tuple(_text(each) for each in value)


def _dotted(value: object) -> str:
    name = _text(value)
    if "." not in name or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError("is the dotted name of a class, such as 'world.remote.World'")
    return name


def _dotteds(value: object) -> tuple[str, ...]:
    return tuple(_dotted(each) for each in _texts(value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is True or False")
    return value


def _switches(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError("is a dict of switches by name")
    return dict(value)


_READERS: Final[dict[str, Callable[[object], Any]]] = {
    "pool": _pool,
    "listen": _texts,
    "service": _dotted,
    "login": _flag,
    "console": _texts,
    "containers": _dotteds,
    "config": _switches,
}

#: Where the first is wrong the second is left out.
_GUARDS: Final = {
    "service": "listen",
    "login": "listen",
    "config": "listen",
    "containers": "console",
}
