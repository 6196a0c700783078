"""
The work of one ``twistd txremote``, as data.

A command line (`txremote.daemon.tap`) and a file (`txremote.daemon.configfile`) become the
same frozen `Plan`; `txremote.daemon.resolve` makes objects of it. A field that can be set
declares its setting, from which the option and the key come. Each part of a plan knows its
`ConfigOrigin`, so that a `Problem` that is found later can name the place of a setting.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, TypeVar

from txremote.classic import DEFAULT_PORT as CLASSIC_PORT
from txremote.config import (
    BYTES,
    COUNT,
    FLAG,
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
from txremote.console import DEFAULT_ENDPOINT as CONSOLE_ENDPOINT, DEFAULT_MAX_LINE
from txremote.daemon.problems import ConfigOrigin, Problem
from txremote.tasks.keeper import DRAIN

SERVER_ENDPOINT: Final = "tcp:18861:interface=127.0.0.1"
CLASSIC_ENDPOINT: Final = f"tcp:{CLASSIC_PORT}:interface=127.0.0.1"

_T = TypeVar("_T")

ACCESS: Final = Kind(f"one of {', '.join(PRESETS)}", accepts=lambda value: value in PRESETS)


@dataclass(frozen=True)
class Setting:
    """
    Something that can be set.

    Attributes:
        name: Its key in a file.
        default: The value where it is not set; None where there is nothing to say.
        option: Its option behind ``--``, the name if empty; None where only a file can set it.
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
        """Return the value of a word of a command line, or raise ValueError: a sentence's end."""
        try:
            value = self.kind.of_text(text)
        except (ValueError, KeyError):
            raise self._meaningless(text) from None
        return self._checked(value, text)

    def of_value(self, value: object) -> object:
        """Return the value of one in a file; raises as `of_text`."""
        return self._checked(value, value)

    def _checked(self, value: Any, written: object) -> object:
        means_something = type(value) in self.kind.types
        if means_something and float in self.kind.types:
            means_something = 0 <= value < inf
        elif means_something and str in self.kind.types:
            means_something = self.kind.accepts(value)
        if not means_something:
            raise self._meaningless(written)
        if self.kind is TEXTS:
            texts = (value,) if isinstance(value, str) else tuple(value)
            if not texts or not all(isinstance(each, str) for each in texts):
                raise self._meaningless(written)
            return texts
        if self.kind is SECONDS_OR_NEVER and not value:
            value = None
        if self.field in SWITCH_NAMES:
            try:
                ConnectionConfig(**{self.field: value})
            except ValueError as problem:
                raise self._meaningless(written, f": {problem}") from None
        elif self.kind in (COUNT, BYTES) and not self.kind.accepts(value):
            raise self._meaningless(written)
        return value

    def _meaningless(self, written: object, why: str = "") -> ValueError:
        return ValueError(f"takes {self.kind.phrase}, not {written!r}{why}")


def settings_of(config: type[ConnectionConfig], *, limits: bool) -> tuple[Setting, ...]:
    """Return the limits of a configuration that an operator may set, or its other switches."""
    found = []
    for each in dataclasses.fields(config):
        declared = declaration_of(each)
        if declared.option and declared.is_limit == limits:
            kind = FLAG if declared.kind is FLAG_OR_UNSET else declared.kind
            text = declared.help.replace("``", "")
            default = None if kind is TEXTS else each.default
            found.append(Setting(each.name.replace("_", "-"), kind, text, default))
    return tuple(found)


#: Switches of `ConnectionConfig`, and ``access``, which stands for a set of them.
SWITCHES: Final = (
    Setting(
        "access",
        ACCESS,
        "Open exposed names to clients, public names too, or everything.",
        "exposed",
    ),
    *settings_of(ConnectionConfig, limits=False),
)

#: The limits of a server, each a switch of `ConnectionConfig`.
LIMITS: Final = settings_of(ConnectionConfig, limits=True)


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


def _text(text: str, *, option: str | None = "", short: str | None = None) -> str | None:
    return _setting(None, TEXT, text, option=option, short=short)


def _texts(
    text: str, *, option: str = "", short: str | None = None, secret: bool = False
) -> tuple[str, ...]:
    return _setting((), TEXTS, text, option=option, short=short, secret=secret)


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
    """The settings that servers and consoles have in common."""

    origin: ConfigOrigin
    listen: tuple[str, ...] = ()
    tls_cert: str | None = _text(
        "Speak TLS wherever it listens, with the certificate chain in this PEM file. It is read "
        "again when it was renewed."
    )
    tls_key: str | None = _text("The certificate's private key, if that is in another file.")
    tls_ca: str | None = _text(
        "Let in clients only with a certificate that one of those in this PEM file signed."
    )


@dataclass(frozen=True, kw_only=True)
class ServerPlan(ListenerPlan):
    """Objects to be served."""

    service: str | None = _text(
        "Serve package.module.Class (one instance a connection), or the instance of this name "
        "(shared by all). Found from the working directory too.",
        short="s",
    )
    tasks: str | None = _text("Serve the tasks of the console of this name.", option=None)
    listen: tuple[str, ...] = _texts(
        "Where to listen, as a Twisted endpoint description; may be repeated. "
        f"[default: {SERVER_ENDPOINT}]",
        short="l",
    )
    classic: bool = _setting(
        False,
        FLAG,
        "Let clients import, evaluate and execute anything (RPyC's classic mode): on loopback, "
        f"or with --tls-ca. [default port: {CLASSIC_PORT}]",
    )
    threaded: bool = _setting(
        False,
        FLAG,
        "Run each connection's requests in a worker thread, where they may block. Services "
        "written for RPyC are threaded anyway.",
    )
    auth: tuple[str, ...] = _texts(
        "Have clients log in with root.login(user, password), and how that is checked: "
        "scrypt:FILE (see txremote passwd), file:PATH, unix...; may be repeated. See --help-auth.",
        secret=True,
    )
    operators: tuple[str, ...] = _texts(
        "Users who may look after the server with txremote top and log-level, after their login; "
        "with commas between them, or repeated."
    )
    register: tuple[str, ...] = _texts(
        "Keep the service listed under this name in the registry of --registry, while it is ready; "
        "may be repeated."
    )
    advertise: str | None = _text(
        "Where others reach the server, to be registered in place of where it listens: HOST, "
        "HOST:PORT or :PORT; behind a proxy, in a container, or of a UNIX socket."
    )
    switches: Mapping[str, object] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """The objects, in words."""
        if self.service is not None:
            return self.service
        return f"the tasks of {self.tasks!r}" if self.tasks is not None else "classic mode"


@dataclass(frozen=True, kw_only=True)
class ConsolePlan(ListenerPlan):
    """A console to be opened."""

    name: str = _setting(
        "console", TEXT, "The name by which servers of its tasks refer to it.", option=None
    )
    listen: tuple[str, ...] = _texts(
        "Where the console listens, for telnet and the like; may be repeated. "
        f"[default: {CONSOLE_ENDPOINT}]",
        option="console",
    )
    container: tuple[str, ...] = _texts(
        "Commands for a console: 'package.module.Class ARGS', a command container as plac has "
        "them; may be repeated. --listen serves their tasks then, unless there is a --service."
    )
    tasks_db: str | None = _text(
        "Keep a console's tasks in this file (SQLite), so that they are listed again after a "
        "restart, with their output. Each console needs one of its own."
    )
    max_line: int = _setting(
        DEFAULT_MAX_LINE, BYTES, "Longest line that is read from a console's client."
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The work of one process. Settings that are mistakes are left out, and among ``problems``."""

    origin: ConfigOrigin
    servers: tuple[ServerPlan, ...] = ()
    consoles: tuple[ConsolePlan, ...] = ()
    pool: tuple[str, ...] = _texts(
        "Start a pool with the server, such as processes:4, threads:8 or dask:tcp://HOST:8786; "
        "may be repeated. run_async and @offloaded use the first."
    )
    registry: str | None = _setting(
        None,
        TEXT,
        "The registry of --register: rpyc://HOST[:PORT], rpyc+tcp://HOST[:PORT], "
        "redis://[:PASSWORD@]HOST[:PORT] or unix:///PATH. [default: TXREMOTE_REGISTRY]",
        secret=True,
    )
    workers: int = _setting(
        0,
        COUNT,
        "Serve with so many processes on the same ports, one for each core say, looked after by "
        "this one; SIGHUP replaces them one by one. Without it this process serves.",
    )
    drain: float = _setting(
        DRAIN, SECONDS, "How long calls in flight have when the server is told to stop."
    )
    verbose: bool = _setting(
        False, FLAG, "Log each call that ends with an exception, and each client that comes."
    )
    log_level: tuple[str, ...] = _texts(
        "Log events of this level (debug, info, warn, error, critical) and above, or with "
        "NAMESPACE=LEVEL those of a part, such as txremote.call=debug; may be repeated. "
        "[default: info]"
    )
    admin: str | None = _text(
        "Serve a page for operators there, with metrics, health and JSON: on loopback, such as "
        "tcp:9180:interface=127.0.0.1, on unix:PATH, or with tls:PORT:cert=FILE:ca=FILE."
    )
    admin_token: str | None = _text(
        "The file with the token that the page asks for; made if it is not there. Without it "
        "each start makes a fresh one, and the log names its file."
    )
    admin_write: bool = _setting(
        False, FLAG, "Let operators and the page's users close connections and kill tasks."
    )
    slow: float = _setting(
        0.1,
        SECONDS,
        "Log a call that holds the server for longer, with its line; 0: none.",
    )
    tracing: bool = _setting(
        False,
        FLAG,
        "Trace calls and jobs with OpenTelemetry, and export the spans by OTLP over HTTP, as the "
        "OTEL_ variables of the environment say.",
    )
    problems: tuple[Problem, ...] = ()


#: The keys of a ``[[server]]``, of a ``[[console]]`` and of the top of a file.
SERVER_SETTINGS: Final = (*_settings(ServerPlan), *SWITCHES, *LIMITS)
CONSOLE_SETTINGS: Final = _settings(ConsolePlan)
PROCESS_SETTINGS: Final = _settings(Plan)


def server_plan(origin: ConfigOrigin, values: Mapping[str, Any]) -> ServerPlan:
    """Return the plan of a server, of checked values by the names of fields and switches."""
    names = {each.field for each in (*SWITCHES, *LIMITS)}
    switches = {name: value for name, value in values.items() if name in names}
    given = {name: value for name, value in values.items() if name not in names}
    return ServerPlan(origin=origin, switches=switches, **given)
