"""
``twistd txremote``: services hosted by Twisted's daemon.

What is typed, or stands in the file of ``--config``, becomes a `Plan`
(`txremote.daemon.plan`), of which `txremote.daemon.resolve` makes objects and
`txremote.daemon.hosting`
services. What a user gets wrong ends in a sentence that says what to do, and an
exit status that is not 0. Everything is checked before the reactor runs: services
are imported, endpoints parsed, ports taken.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python.usage import Options as TwistedOptions

from txremote.config import FLAG, FLAG_OR_AUTO, TEXT, TEXTS
from txremote.daemon.configfile import read_plan
from txremote.daemon.hosting import Hosting, refuse
from txremote.daemon.plan import (
    ACCESS,
    CONSOLE_SETTINGS,
    LIMITS,
    PROCESS_SETTINGS,
    SERVER_SETTINGS,
    SWITCHES,
    TURNED_OFF,
    Plan,
    PlanError,
    Setting,
    Source,
    console_plan,
    process_plan,
    server_plan,
)
from txremote.daemon.resolve import read_and_resolve

# How the settings of consoles are spelled here: --listen is where servers listen.
_CONSOLE_OPTIONS = {"listen": "console"}


def _parameter(setting: Setting) -> list[Any]:
    unit = setting.kind.phrase.removeprefix("a ").removeprefix("number of ").removeprefix("whole ")
    unit = unit.removeprefix("one of ")
    return [
        setting.name,
        None,
        None,
        f"{setting.help} [{unit}; default: {setting.shown_default}]",
    ]


def _flags(setting: Setting) -> list[list[Any]]:
    """
    Return the options of a switch: one that turns it on, unless it is on; one that
    turns it off, unless it is off.
    """
    off = setting.help[:1].lower() + setting.help[1:]
    return [
        *([] if setting in TURNED_OFF else [[setting.name, None, setting.help]]),
        *([] if setting.default is False else [[_off(setting), None, f"Do not {off}"]]),
    ]


def _off(setting: Setting) -> str:
    return f"no-{setting.name}"


_OF_PROCESS = {setting.name: setting for setting in PROCESS_SETTINGS}
_OF_CONSOLE = {setting.name: setting for setting in CONSOLE_SETTINGS}


class Options(TwistedOptions, AuthOptionMixin):
    """The options of ``twistd txremote``."""

    synopsis = "[options]"
    longdesc = (
        "Serve Python objects to txremote and RPyC clients. What it serves is told by options, "
        "or by a file with --config."
    )
    supportedInterfaces = (IUsernamePassword,)

    optParameters = [
        [
            "service",
            "s",
            None,
            "What to serve: package.module.Class (one instance a connection), or "
            "the name of an instance (shared by all). Found from the working directory too.",
        ],
        ["config", "c", None, "Do what this TOML file says; no other option goes with it."],
        [
            "tls-cert",
            None,
            None,
            "Speak TLS wherever it listens, with the certificate chain in this PEM file. "
            "It is read again when it was renewed.",
        ],
        ["tls-key", None, None, "The certificate's private key, if that is in another file."],
        [
            "tls-ca",
            None,
            None,
            "Let in clients only with a certificate that one of those in this PEM file signed.",
        ],
        _parameter(_OF_PROCESS["drain"]),
        *(_parameter(each) for each in SWITCHES if each.kind in (ACCESS, TEXT, FLAG_OR_AUTO)),
        *(_parameter(setting) for setting in LIMITS),
        _parameter(_OF_CONSOLE["max-line"]),
    ]

    optFlags = [
        [
            "threaded",
            None,
            "Run each connection's requests in a worker thread, where they may block. "
            "Services written for RPyC are threaded anyway.",
        ],
        [
            "classic",
            None,
            "Let clients import, evaluate and execute anything (RPyC's classic mode): on "
            "loopback, or with --tls-ca. [default port: 18812]",
        ],
        [
            "verbose",
            None,
            "Log each call that ends with an exception, and each client that comes.",
        ],
        *(flag for each in SWITCHES if each.kind == FLAG for flag in _flags(each)),
    ]

    compData = None

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["listen"] = []
        self["pool"] = []
        self["console"] = []
        self["container"] = []
        self["auth"] = []
        self["safe-attrs"] = []

    def opt_listen(self, endpoint: str) -> None:
        """
        Where to listen, as a Twisted endpoint description; may be repeated.
        [default: tcp:18861:interface=127.0.0.1]
        """
        self["listen"].append(endpoint)

    opt_l = opt_listen

    def opt_pool(self, description: str) -> None:
        """
        Start a pool with the server, such as processes:4, threads:8 or
        dask:tcp://HOST:8786; may be repeated. run_async and @offloaded use the first.
        """
        self["pool"].append(description)

    def opt_container(self, description: str) -> None:
        """
        Commands for a console: 'package.module.Class ARGS', a command container as plac
        has them; may be repeated. What --listen serves is their tasks then, unless
        there is a --service.
        """
        self["container"].append(description)

    def opt_console(self, endpoint: str) -> None:
        """
        Where the console listens, for telnet and the like; may be repeated.
        [default: tcp:2199:interface=127.0.0.1]
        """
        self["console"].append(endpoint)

    def opt_auth(self, description: str) -> None:
        """
        Have clients log in with root.login(user, password), and how that is checked:
        file:PATH, memory:USER:PASSWORD, unix...; may be repeated. See --help-auth.
        """
        self["auth"].append(description)

    def opt_safe_attrs(self, name: str) -> None:
        """
        An operator that is open, such as __len__; may be repeated. Those that are named
        stand in place of RPyC's list.
        """
        self["safe-attrs"].append(name)


def plan_of(options: Options) -> Plan:
    """
    Return the plan that was typed.

    Raises:
        PlanError: it makes no sense.
    """
    given = {name: value for name, value in options.items() if value not in (None, [], 0)}
    if "config" in given:
        others = sorted(f"--{name}" for name in given if name != "config")
        if others:
            raise PlanError(
                [f"--config says all there is to say: put {', '.join(others)} into the file"]
            )
        return read_plan(given["config"])
    problems: list[str] = []
    source = Source()
    has_consoles = "container" in given or "console" in given
    consoles = []
    if has_consoles:
        own = Source(options=_CONSOLE_OPTIONS)
        values = _values(given, CONSOLE_SETTINGS, own, problems)
        consoles.append(console_plan(own, values))
    values = _values(given, SERVER_SETTINGS, source, problems)
    servers = []
    if not (has_consoles and values.keys().isdisjoint({"service", "classic", "listen"})):
        if has_consoles and values.keys().isdisjoint({"service", "classic"}):
            values["tasks"] = consoles[0].name
        servers.append(server_plan(source, values))
    known = _values(given, PROCESS_SETTINGS, source, problems)
    if problems:
        raise PlanError(problems)
    return process_plan(source, known, servers, consoles)


def _values(
    given: dict[str, Any], settings: tuple[Setting, ...], source: Source, problems: list[str]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in settings:
        option = source.options.get(setting.name, setting.name)
        if setting.kind == FLAG and _off(setting) in given:
            if option in given:
                problems.append(f"--{option} and --{_off(setting)}: leave one out")
            values[setting.name] = False
            continue
        if option not in given:
            continue
        value = given[option]
        if setting.kind == TEXTS:
            values[setting.name] = tuple(value)
        elif setting.kind == FLAG:
            values[setting.name] = True
        else:
            try:
                values[setting.name] = setting.of_text(value)
            except ValueError as problem:
                problems.append(f"--{option} {problem}")
    return values


def makeService(options: Options) -> MultiService:
    """
    Return the service that twistd runs (twisted.application.service.ServiceMaker).

    Raises:
        SystemExit: the options make no sense; one sentence for each.
    """
    from twisted.internet import reactor

    try:
        return Hosting(read_and_resolve(lambda: plan_of(options), reactor), reactor)
    except PlanError as error:
        refuse(error.problems)
