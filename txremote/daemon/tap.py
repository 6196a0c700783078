"""
``twistd txremote``: services hosted by Twisted's daemon.

The options, or the file of ``--config``, become a `Plan` (`txremote.daemon.plan`), of
which `txremote.daemon.resolve` makes objects and `txremote.daemon.hosting` services.
A mistake ends the process, before the reactor runs, with a sentence that says what to do.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final, NoReturn

from twisted.application.service import MultiService
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python.usage import Options as TwistedOptions, docMakeChunks

from txremote.config import FLAG, TEXT, TEXTS
from txremote.daemon.configfile import read_plan
from txremote.daemon.hosting import Hosting, refuse
from txremote.daemon.plan import (
    CONSOLE_SETTINGS,
    LIMITS,
    PROCESS_SETTINGS,
    SERVER_SETTINGS,
    SWITCHES,
    ConsolePlan,
    Plan,
    Setting,
    server_plan,
)
from txremote.daemon.problems import ConfigOrigin, PlanError, Problem
from txremote.daemon.resolve import resolve
from txremote.versions import version_line


def _off(setting: Setting) -> str:
    return f"no-{setting.option}"


#: All that can be typed, by option. Servers and consoles share those of TLS.
_SETTINGS = {
    setting.option: setting
    for setting in (*SERVER_SETTINGS, *CONSOLE_SETTINGS, *PROCESS_SETTINGS)
    if setting.option is not None
}

#: The options by what they are for, in the order of the help. One that is in no other group is in
#: the last.
_GROUPS: Final[dict[str, Iterable[str]]] = {
    "What is served": ("config", "service", "listen", "threaded", "classic", "values"),
    "A console": ("container", "console", "tasks-db", "max-line"),
    "Who may connect": ("tls-cert", "tls-key", "tls-ca", "auth", "help-auth", "help-auth-type"),
    "Processes": ("workers", "pool", "drain"),
    "A registry": ("register", "registry", "advertise"),
    "Watching it": (
        *("admin", "admin-token", "admin-write", "operators"),
        *("log-level", "verbose", "slow", "tracing"),
    ),
    "What clients may reach": [name for each in SWITCHES for name in (each.name, _off(each))],
    "Limits": [each.name for each in LIMITS],
    "Help": (),
}


def _parameter(setting: Setting) -> list[str | None]:
    """Return the option of a setting that takes one value."""
    text = setting.help
    if setting.default is not None or setting.kind is not TEXT:
        unit = setting.kind.phrase
        for word in ("a ", "number of ", "whole ", "one of "):
            unit = unit.removeprefix(word)
        text = f"{text} [{unit}; default: {setting.shown_default}]"
    return [setting.option, setting.short, None, text]


def _flags(setting: Setting) -> list[list[str | None]]:
    """Return the options that turn a switch on and off, but for the one that is its default."""
    options: list[list[str | None]] = []
    if setting.default is not True:
        about = setting.help.replace("None: ", "With neither option: ")
        options.append([setting.option, setting.short, about])
    if setting.default is not False:
        first = setting.help.partition(". ")[0].rstrip(".")
        options.append([_off(setting), None, f"Do not {first[:1].lower()}{first[1:]}."])
    return options


class Options(TwistedOptions, AuthOptionMixin):
    """The options of ``twistd txremote``."""

    synopsis = "[options]"
    longdesc = (
        "Serve Python objects to txremote and RPyC clients, as options or the file of --config "
        "say. To begin with: twistd -n txremote --service package.module.Class"
    )
    supportedInterfaces = (IUsernamePassword,)

    optParameters = [
        ["config", "c", None, "Do what this TOML file says; no other option goes with it."],
        *(_parameter(each) for each in _SETTINGS.values() if each.kind not in (FLAG, TEXTS)),
    ]
    optFlags = [flag for each in _SETTINGS.values() if each.kind is FLAG for flag in _flags(each)]
    compData = None

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.update((name, []) for name, each in _SETTINGS.items() if each.kind is TEXTS)

    def getUsage(self, width: int | None = None) -> str:
        """Return the options in groups, where Twisted has one long list."""
        columns = width or int(os.environ.get("COLUMNS", "80"))
        shorts = {name: short for short, name in self.synonyms.items() if len(short) == 1}
        left = {}
        for option in self.longOpt:
            name = option.rstrip("=")
            kind = "flag" if name == option else "parameter"
            about = self.docs[name]
            left[name] = {"long": name, "short": shorts.get(name), "doc": about, "optType": kind}
        parts = ["", "\n".join(textwrap.wrap(self.longdesc, columns)), ""]
        for title, names in _GROUPS.items():
            group = [left.pop(name) for name in names or list(left) if name in left]
            parts += [f"{title}:", "".join(docMakeChunks(group, columns))]
        return "\n".join(parts)

    def opt_version(self) -> NoReturn:
        """Show the versions of txremote, Twisted and Python, and exit."""
        sys.stdout.write(f"{version_line()}\n")
        sys.exit(0)


def _repeatable(option: str, text: str) -> Callable[[Options, str], None]:
    """Return the method of an option that may be given several times."""

    def add(self: Options, value: str) -> None:
        self[option].append(value)

    add.__doc__ = text if "repeated" in text else f"{text} May be repeated."
    return add


for _option, _setting in _SETTINGS.items():
    if _setting.kind is TEXTS:
        _add = _repeatable(_option, _setting.help)
        for _name in filter(None, (_option, _setting.short)):
            setattr(Options, f"opt_{_name.replace('-', '_')}", _add)


def plan_of(options: Mapping[str, Any]) -> Plan:
    """Return the plan that was typed, or raise PlanError: its file cannot be read."""
    given = {name: value for name, value in options.items() if value not in (None, [], 0)}
    if "config" in given:
        others = sorted(f"--{name}" for name in given if name != "config")
        if others:
            sentence = f"--config says all there is to say: put {', '.join(others)} into the file"
            raise PlanError(Problem(ConfigOrigin(), "", sentence))
        return read_plan(given["config"])
    problems: list[Problem] = []
    known = _values(given, PROCESS_SETTINGS, problems)
    values = _values(given, SERVER_SETTINGS, problems)
    consoles = []
    if given.keys() & set(_GROUPS["A console"]):
        own = _values(given, CONSOLE_SETTINGS, problems)
        spelled = {each.name: each.option or each.name for each in CONSOLE_SETTINGS}
        origin = ConfigOrigin(options=spelled, faulty=bool(problems))
        consoles.append(ConsolePlan(origin=origin, **own))
    servers = []
    if not consoles or values.keys() & {"service", "classic", "listen"}:
        if consoles and not values.keys() & {"service", "classic"}:
            values["tasks"] = consoles[0].name
        servers.append(server_plan(ConfigOrigin(faulty=bool(problems)), values))
    return Plan(
        origin=ConfigOrigin(),
        servers=tuple(servers),
        consoles=tuple(consoles),
        problems=tuple(problems),
        **known,
    )


def _values(
    given: Mapping[str, Any], settings: Iterable[Setting], problems: list[Problem]
) -> dict[str, Any]:
    """Return the given values of some settings by field; note mistakes as problems."""
    values: dict[str, Any] = {}
    for setting in settings:
        name, option = setting.field, setting.option
        if option is None:
            continue
        try:
            if setting.kind is FLAG:
                if _off(setting) in given and option in given:
                    raise ValueError(f"and --{_off(setting)}: leave one out")
                if _off(setting) in given or option in given:
                    values[name] = option in given
            elif option in given:
                means = setting.of_value if setting.kind is TEXTS else setting.of_text
                values[name] = means(given[option])
        except ValueError as problem:
            problems.append(Problem(ConfigOrigin(), "", f"--{option} {problem}"))
    return values


def makeService(options: Options) -> MultiService:
    """Return the service that twistd runs, or raise SystemExit: the options make no sense."""
    from twisted.internet import reactor

    try:
        resolved = resolve(plan_of(options), reactor, try_ports=True)
    except PlanError as error:
        refuse(error.problems)
    if not resolved.plan.workers:
        return Hosting(resolved, reactor)
    # only here: the program of a worker imports this module
    supervisor: Any = import_module("txremote.daemon.workers.supervisor")
    if options.parent is not None and options.parent.get("chroot"):
        refuse(["--workers does not go with --chroot: the workers' interpreter is not in there"])
    service: MultiService = supervisor.Supervisor(resolved, options, reactor)
    return service
