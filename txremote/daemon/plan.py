"""
What ``twistd txremote`` is asked to do, as data.

A command line (`txremote.daemon.tap`) and a file (`txremote.daemon.configfile`) say the
same things, so both become the same frozen `Plan`; `txremote.daemon.resolve` makes objects
of it. The tables of settings here are the only list of what can be said, and hold the
checks for both.

Each part of a plan knows its `ConfigOrigin`, so that a `Problem` that is found later can
tell where a setting was written, and how to write it there.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from txremote.classic import DEFAULT_PORT as CLASSIC_PORT
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
from txremote.console import DEFAULT_ENDPOINT as CONSOLE_ENDPOINT
from txremote.console import DEFAULT_MAX_LINE
from txremote.tasks.keeper import DRAIN

ACCESS: Final = Kind(
    f"one of {', '.join(PRESETS)}",
    accepts=lambda value: isinstance(value, str) and value in PRESETS,
)

SERVER_ENDPOINT: Final = "tcp:18861:interface=127.0.0.1"
CLASSIC_ENDPOINT: Final = f"tcp:{CLASSIC_PORT}:interface=127.0.0.1"


@dataclass(frozen=True)
class Setting:
    """
    Something that can be set.

    Attributes:
        name: Its key in a file.
        kind: The values it takes.
        help: Its effect.
        default: The value where it is not set; None where there is nothing to say.
        option: Its option behind ``--``; None where only a file can set it.
        short: That of one letter.
    """

    name: str
    kind: Kind
    help: str
    default: object = None
    option: str | None = ""
    short: str | None = None

    def __post_init__(self) -> None:
        if self.option == "":
            object.__setattr__(self, "option", self.name)

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

    def of_text(self, text: str) -> object:
        """
        Return the value that a word of a command line means.

        Raises:
            ValueError: it means none; the end of a sentence that begins with the name.
        """
        try:
            value = _OF_TEXT.get(self.kind, str)(text)
        except (ValueError, KeyError):
            raise self._meaningless(text) from None
        return self._checked(value, text)

    def of_value(self, value: Any) -> object:
        """
        Return the value that one of a file means.

        Raises:
            ValueError: it means none; the end of a sentence that begins with the name.
        """
        if not _IS_OF_KIND[self.kind](value):
            raise self._meaningless(value)
        if self.kind is TEXTS:
            return (value,) if isinstance(value, str) else tuple(value)
        return self._checked(value, value)

    def _checked(self, value: Any, written: object) -> object:
        """Return a value of the right type if it is in the range, too."""
        if self.kind in (SECONDS, SECONDS_OR_NEVER) and not (math.isfinite(value) and value >= 0):
            raise self._meaningless(written)
        if self.kind is SECONDS_OR_NEVER and not value:
            value = None
        if self.field in SWITCH_NAMES:
            try:
                ConnectionConfig(**{self.field: value})
            except ValueError as problem:
                raise self._meaningless(written, f": {problem}") from None
        elif self.kind in (ACCESS, COUNT, BYTES) and not self.kind.accepts(value):
            raise self._meaningless(written)
        return value

    def _meaningless(self, written: object, why: str = "") -> ValueError:
        return ValueError(f"takes {self.kind.phrase}, not {written!r}{why}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return _is_text(value) or (
        isinstance(value, list) and value != [] and all(map(_is_text, value))
    )


_OF_TEXT: Final[Mapping[Kind, Callable[[str], object]]] = {
    FLAG_OR_AUTO: lambda text: {"true": True, "false": False, "auto": "auto"}[text],
    COUNT: int,
    BYTES: int,
    SECONDS: float,
    SECONDS_OR_NEVER: float,
}

_IS_OF_KIND: Final[Mapping[Kind, Callable[[object], bool]]] = {
    ACCESS: _is_text,
    TEXT: _is_text,
    TEXTS: _is_texts,
    FLAG: lambda value: isinstance(value, bool),
    FLAG_OR_AUTO: lambda value: isinstance(value, bool) or value == "auto",
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
            default = None if kind is TEXTS else each.default
            found.append(Setting(each.name.replace("_", "-"), kind, text, default))
    return tuple(found)


#: What clients may do, and get: switches of `ConnectionConfig`, and ``access``, which
#: stands for a set of them.
SWITCHES: Final = (
    Setting(
        "access",
        ACCESS,
        "What clients may reach: what is exposed, public names too, or everything.",
        "exposed",
    ),
    *settings_of(ConnectionConfig, limits=False),
)

#: The limits of a server, each a switch of `ConnectionConfig`.
LIMITS: Final = settings_of(ConnectionConfig, limits=True)


@dataclass(frozen=True)
class ConfigOrigin:
    """
    Where a part of a plan was written.

    Attributes:
        file: The file, or None for a command line.
        table: The table in it, ``[[server]] 2``; empty for what stands above the tables.
        position: How many tables stand before it.
        keys: The table's keys, in their order.
        options: Those settings whose option has another name.
        faulty: Whether something in it means nothing and was left out. What seems to be
            missing may be that.
    """

    file: str | None = None
    table: str = ""
    position: int = 0
    keys: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    faulty: bool = False

    @property
    def prefix(self) -> str:
        """The beginning of a sentence about it: ``site.toml: [[server]] 2: ``, or nothing."""
        return "".join(f"{part}: " for part in (self.file, self.table) if part)

    def spelled(self, name: str, value: str | None = None) -> str:
        """Return how a setting is written here, alone or with a value."""
        if self.file is None:
            option = f"--{self.options.get(name, name)}"
            return option if value in (None, "true") else f"{option} {shlex.quote(value)}"
        if value is None:
            return name
        return f"{name} = {value}" if value == "true" else f'{name} = "{value}"'


@dataclass(frozen=True)
class Problem:
    """
    Something that is wrong with a plan.

    Attributes:
        origin: The part of the plan.
        key: The setting; empty if it is none.
        sentence: What is wrong, and what to do.
    """

    origin: ConfigOrigin
    key: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.origin.prefix}{self.sentence}"

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the file's order: the table, the key."""
        keys = ("", *self.origin.keys)
        return self.origin.position, keys.index(self.key) if self.key in keys else len(keys)


class PlanError(ValueError):
    """
    A plan cannot be carried out.

    Attributes:
        problems: All that is wrong with it, in the file's order: sentences that begin
            with where it was written.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = [str(each) for each in sorted(problems, key=lambda each: each.place)]
        super().__init__("\n".join(self.problems))


_T = TypeVar("_T")


def _setting(
    default: _T,
    kind: Kind,
    text: str,
    *,
    option: str | None = "",
    short: str | None = None,
    secret: bool = False,
) -> _T:
    """Declare a field of a plan that can be set, as a `Setting` is."""
    return field(
        default=default,
        repr=not secret,
        metadata={"kind": kind, "help": text, "option": option, "short": short},
    )


def _settings(plan: type[ListenerPlan | Plan]) -> tuple[Setting, ...]:
    """Return the settings that a plan declares."""
    return tuple(
        Setting(
            each.name.replace("_", "-"),
            default=None if each.default == () else each.default,
            **each.metadata,
        )
        for each in dataclasses.fields(plan)
        if each.metadata
    )


@dataclass(frozen=True, kw_only=True)
class ListenerPlan:
    """What servers and consoles have in common."""

    origin: ConfigOrigin
    listen: tuple[str, ...] = ()
    tls_cert: str | None = _setting(
        None,
        TEXT,
        "Speak TLS wherever it listens, with the certificate chain in this PEM file. It is read "
        "again when it was renewed.",
    )
    tls_key: str | None = _setting(
        None, TEXT, "The certificate's private key, if that is in another file."
    )
    tls_ca: str | None = _setting(
        None,
        TEXT,
        "Let in clients only with a certificate that one of those in this PEM file signed.",
    )


@dataclass(frozen=True, kw_only=True)
class ServerPlan(ListenerPlan):
    """Objects to be served."""

    service: str | None = _setting(
        None,
        TEXT,
        "What to serve: package.module.Class (one instance a connection), or the name of an "
        "instance (shared by all). Found from the working directory too.",
        short="s",
    )
    tasks: str | None = _setting(
        None, TEXT, "Serve the tasks of the console of this name.", option=None
    )
    listen: tuple[str, ...] = _setting(
        (),
        TEXTS,
        "Where to listen, as a Twisted endpoint description; may be repeated. "
        f"[default: {SERVER_ENDPOINT}]",
        short="l",
    )
    classic: bool = _setting(
        False,
        FLAG,
        "Let clients import, evaluate and execute anything (RPyC's classic mode): on loopback, "
        "or with --tls-ca. "
        f"[default port: {CLASSIC_PORT}]",
    )
    threaded: bool = _setting(
        False,
        FLAG,
        "Run each connection's requests in a worker thread, where they may block. Services "
        "written for RPyC are threaded anyway.",
    )
    auth: tuple[str, ...] = _setting(
        (),
        TEXTS,
        "Have clients log in with root.login(user, password), and how that is checked: "
        "file:PATH, memory:USER:PASSWORD, unix...; may be repeated. See --help-auth.",
        secret=True,
    )
    switches: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ConsolePlan(ListenerPlan):
    """A console to be opened."""

    name: str = _setting("console", TEXT, "What servers call it.", option=None)
    listen: tuple[str, ...] = _setting(
        (),
        TEXTS,
        "Where the console listens, for telnet and the like; may be repeated. "
        f"[default: {CONSOLE_ENDPOINT}]",
        option="console",
    )
    container: tuple[str, ...] = _setting(
        (),
        TEXTS,
        "Commands for a console: 'package.module.Class ARGS', a command container as plac has "
        "them; may be repeated. What --listen serves is their tasks then, unless there is a "
        "--service.",
    )
    max_line: int = _setting(
        DEFAULT_MAX_LINE, BYTES, "Longest line that is read from a console's client."
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    All that one process is to do.

    What means nothing is left out, and is among its ``problems``.
    """

    origin: ConfigOrigin
    servers: tuple[ServerPlan, ...] = ()
    consoles: tuple[ConsolePlan, ...] = ()
    pool: tuple[str, ...] = _setting(
        (),
        TEXTS,
        "Start a pool with the server, such as processes:4, threads:8 or dask:tcp://HOST:8786; "
        "may be repeated. run_async and @offloaded use the first.",
    )
    drain: float = _setting(
        DRAIN, SECONDS, "How long calls in flight have when the server is told to stop."
    )
    verbose: bool = _setting(
        False, FLAG, "Log each call that ends with an exception, and each client that comes."
    )
    problems: tuple[Problem, ...] = ()


#: What a ``[[server]]``, a ``[[console]]`` and the top of a file may have in it.
SERVER_SETTINGS: Final = (*_settings(ServerPlan), *SWITCHES, *LIMITS)
CONSOLE_SETTINGS: Final = _settings(ConsolePlan)
PROCESS_SETTINGS: Final = _settings(Plan)


def server_plan(origin: ConfigOrigin, values: Mapping[str, object]) -> ServerPlan:
    """
    Return the plan of a server.

    Args:
        origin: Where the values were written.
        values: Checked values by the names of `SERVER_SETTINGS`; those that are not
            there have their defaults.
    """
    names = {each.field for each in (*SWITCHES, *LIMITS)}
    given = by_field(values)
    switches = {name: given.pop(name) for name in names & given.keys()}
    return ServerPlan(origin=origin, switches=switches, **given)


def by_field(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the values of settings by the names of the fields of their plan."""
    return {name.replace("-", "_"): value for name, value in values.items()}
