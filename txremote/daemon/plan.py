"""
What ``twistd txremote`` is asked to do, before anything of it is done.

A command line (`txremote.daemon.tap`) and a file (`txremote.daemon.configfile`) say the same
things, so both become the same frozen `Plan`; `txremote.daemon.resolve` makes objects of
it. The tables here say which settings there are: both take what is in them, with
the same checks, and there is no other list.

Each part of a plan knows its `Source`, so that whoever finds something wrong with
it later can say where it was written, and how to write it there.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from txremote.config import (
    BYTES,
    COUNT,
    FLAG,
    FLAG_OR_AUTO,
    FLAG_OR_UNSET,
    PRESETS,
    SECONDS,
    SECONDS_OR_NEVER,
    SWITCH_NAMES,
    TEXT,
    TEXTS,
    ConnectionConfig,
    Kind,
    declaration_of,
)

ACCESS: Final = Kind(
    f"one of {', '.join(PRESETS)}",
    f"is one of {', '.join(PRESETS)}",
    lambda value: value in PRESETS,
)

DEFAULT_DRAIN: Final = 5.0
DEFAULT_MAX_LINE: Final = 16_384


@dataclass(frozen=True)
class Setting:
    """
    Something that can be set.

    Attributes:
        name: Its name in a file, and as an option behind ``--``.
        kind: What it takes.
        help: What it does, in a line.
        default: What holds where it is not set; None where there is nothing to say.
    """

    name: str
    kind: Kind
    help: str
    default: Any = None

    @property
    def field(self) -> str:
        """Its name as an attribute, and as a switch of `ConnectionConfig`."""
        return self.name.replace("-", "_")

    @property
    def shown_default(self) -> str:
        """Its default as it would be written."""
        if self.default is None:
            return "0"
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)

    def of_text(self, text: str) -> Any:
        """
        Return the value that a word of a command line means.

        Raises:
            ValueError: it means none; the end of a sentence that begins with the name.
        """
        value: Any = text
        try:
            if self.kind == FLAG_OR_AUTO:
                return _OF_WORD[text]
            if self.kind in (COUNT, BYTES):
                value = int(text)
            elif self.kind in (SECONDS, SECONDS_OR_NEVER):
                value = float(text)
        except (ValueError, KeyError):
            raise ValueError(f"takes {self.kind.phrase}, not {text!r}") from None
        return self._checked(value, text)

    def of_value(self, value: Any) -> Any:
        """
        Return the value that one of a file means.

        Raises:
            ValueError: it means none; the end of a sentence that begins with the name.
        """
        if not _MATCHES[self.kind](value):
            raise ValueError(f"takes {self.kind.phrase}, not {value!r}")
        if self.kind == TEXTS:
            return (value,) if isinstance(value, str) else tuple(value)
        return self._checked(value, value)

    def _checked(self, value: Any, written: Any) -> Any:
        """Return a value of the right type if it is in the range, too."""
        if self.kind in (SECONDS, SECONDS_OR_NEVER) and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"takes {self.kind.phrase}, not {written!r}")
        if self.kind == SECONDS_OR_NEVER and not value:
            value = None
        if self.field in SWITCH_NAMES:
            try:
                ConnectionConfig(**{self.field: value})
            except ValueError as problem:
                raise ValueError(f"takes {self.kind.phrase}, not {written!r}: {problem}") from None
        elif self.kind in (ACCESS, COUNT, BYTES) and not self.kind.accepts(value):
            raise ValueError(f"takes {self.kind.phrase}, not {written!r}")
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
    )


_OF_WORD: Final = {"true": True, "false": False, "auto": "auto"}

_MATCHES: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    ACCESS: lambda value: isinstance(value, str),
    FLAG_OR_AUTO: lambda value: isinstance(value, bool) or value == "auto",
    TEXT: lambda value: isinstance(value, str),
    TEXTS: _is_texts,
    FLAG: lambda value: isinstance(value, bool),
    COUNT: lambda value: type(value) is int,
    BYTES: lambda value: type(value) is int,
    SECONDS: _is_number,
    SECONDS_OR_NEVER: _is_number,
}


def settings_of(config: type[ConnectionConfig], *, limits: bool) -> tuple[Setting, ...]:
    """
    Return the switches of a configuration that an operator may set.

    Args:
        config: The class of the configuration.
        limits: Whether its limits are meant, or the others.
    """
    found = []
    for each in dataclasses.fields(config):
        declared = declaration_of(each)
        if declared.option and declared.is_limit == limits:
            kind = FLAG if declared.kind is FLAG_OR_UNSET else declared.kind
            text = declared.help.replace("``", "")
            default = None if declared.kind is TEXTS else each.default
            found.append(Setting(each.name.replace("_", "-"), kind, text, default))
    return tuple(found)


#: What clients may do and are told: each a switch of `ConnectionConfig`, or ``access``,
#: which stands for a set of them. Those of `TURNED_OFF` are on unless they are set.
SWITCHES: Final = (
    Setting(
        "access",
        ACCESS,
        "What clients may reach: what is exposed, public names too, or everything.",
        "exposed",
    ),
    *settings_of(ConnectionConfig, limits=False),
)

#: Switches that are true where nothing is set, so that an option can only turn them off.
TURNED_OFF: Final = tuple(each for each in SWITCHES if each.default is True)

#: The limits of a server, each a switch of `ConnectionConfig`.
LIMITS: Final = settings_of(ConnectionConfig, limits=True)

_LISTEN: Final = Setting("listen", TEXTS, "Where to listen, as a Twisted endpoint description.")
_TLS: Final = (
    Setting("tls-cert", TEXT, "Speak TLS, with the certificate chain in this PEM file."),
    Setting("tls-key", TEXT, "Its private key, if that is in another file."),
    Setting("tls-ca", TEXT, "Let in clients only with a certificate that one of these signed."),
)

#: What a ``[[server]]`` has.
SERVER_SETTINGS: Final = (
    Setting("service", TEXT, "What to serve: package.module.Class, or an instance's name."),
    Setting("tasks", TEXT, "Serve the tasks of the console of this name."),
    _LISTEN,
    Setting("classic", FLAG, "Let clients import, evaluate and execute anything.", False),
    Setting("threaded", FLAG, "Run each connection's calls in a worker thread.", False),
    *_TLS,
    Setting("auth", TEXTS, "Have clients log in, as Twisted's strcred describes it."),
    *SWITCHES,
    *LIMITS,
)

#: What a ``[[console]]`` has.
CONSOLE_SETTINGS: Final = (
    Setting("name", TEXT, "What servers call it.", "console"),
    _LISTEN,
    Setting("container", TEXTS, "Its commands: 'package.module.Class ARGS'."),
    *_TLS,
    Setting(
        "max-line", BYTES, "Longest line that is read from a console's client.", DEFAULT_MAX_LINE
    ),
)

#: What holds for the whole process.
PROCESS_SETTINGS: Final = (
    Setting("pool", TEXTS, "Pools to start, such as processes:4. run_async uses the first."),
    Setting(
        "drain",
        SECONDS,
        "How long calls in flight have when the server is told to stop.",
        DEFAULT_DRAIN,
    ),
    Setting("verbose", FLAG, "Log each call that fails and each client that comes.", False),
)


class PlanError(ValueError):
    """
    A plan cannot be carried out.

    Attributes:
        problems: All that is wrong with it, each a sentence with its place.
        rest: What it would be without the parts that are wrong, or None.
    """

    def __init__(self, problems: list[str], rest: Plan | None = None) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.rest = rest


@dataclass(frozen=True)
class Source:
    """
    Where a part of a plan was written.

    Attributes:
        file: The file, or None for a command line.
        lines: In which line of the file each setting is; ``""`` is the part's own.
        options: Those settings whose option has another name.
    """

    file: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    def at(self, name: str = "") -> str:
        """
        Return the beginning of a sentence about a setting, or about the whole part
        where it has no name: ``site.toml:7: ``, or nothing.
        """
        if self.file is None:
            return ""
        line = self.lines.get(name) or self.lines.get("") or 1
        return f"{self.file}:{line}: "

    def of(self, name: str) -> str:
        """Return the beginning of a sentence whose subject is a setting."""
        return self.at(name) + self.spelled(name)

    def spelled(self, name: str, value: str | None = None) -> str:
        """Return how a setting is written here."""
        if self.file is None:
            option = f"--{self.options.get(name, name)}"
            return option if value in (None, "true") else f"{option} {shlex.quote(value)}"
        if value is None:
            return name
        return f"{name} = {value}" if value == "true" else f'{name} = "{value}"'


@dataclass(frozen=True, kw_only=True)
class ServerPlan:
    """Objects to be served; see `SERVER_SETTINGS`."""

    source: Source
    service: str | None = None
    tasks: str | None = None
    listen: tuple[str, ...] = ()
    classic: bool = False
    threaded: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_ca: str | None = None
    auth: tuple[str, ...] = field(default=(), repr=False)  # may have passwords in it
    switches: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ConsolePlan:
    """A console to be opened; see `CONSOLE_SETTINGS`."""

    source: Source
    name: str = "console"
    listen: tuple[str, ...] = ()
    container: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_ca: str | None = None
    max_line: int = DEFAULT_MAX_LINE


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that one process is to do; see `PROCESS_SETTINGS`."""

    source: Source
    servers: tuple[ServerPlan, ...] = ()
    consoles: tuple[ConsolePlan, ...] = ()
    pool: tuple[str, ...] = ()
    drain: float = DEFAULT_DRAIN
    verbose: bool = False


def server_plan(source: Source, values: Mapping[str, Any]) -> ServerPlan:
    """
    Return the plan of a server.

    Args:
        source: Where the values were written.
        values: Checked values by the names of `SERVER_SETTINGS`; those that are not
            there have their defaults.
    """
    switches = {each.field: values[each.name] for each in SWITCHES if each.name in values}
    limits = {each.field: values[each.name] for each in LIMITS if each.name in values}
    known = _fields(SERVER_SETTINGS, values, (*SWITCHES, *LIMITS))
    return ServerPlan(source=source, switches=switches, limits=limits, **known)


def console_plan(source: Source, values: Mapping[str, Any]) -> ConsolePlan:
    """Return the plan of a console; as `server_plan`."""
    return ConsolePlan(source=source, **_fields(CONSOLE_SETTINGS, values))


def process_plan(
    source: Source,
    values: Mapping[str, Any],
    servers: list[ServerPlan],
    consoles: list[ConsolePlan],
) -> Plan:
    """Return the plan of a process; as `server_plan`."""
    known = _fields(PROCESS_SETTINGS, values)
    return Plan(source=source, servers=tuple(servers), consoles=tuple(consoles), **known)


def _fields(
    settings: tuple[Setting, ...], values: Mapping[str, Any], but: tuple[Setting, ...] = ()
) -> dict[str, Any]:
    return {
        each.field: values[each.name]
        for each in settings
        if each.name in values and each not in but
    }
