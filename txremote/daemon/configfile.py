"""
``--config FILE.toml``: a plan from a file.

::

    drain = 10
    [[server]]
    service = "shop.Shop"
    [[console]]
    container = "shop.Importer"

`txremote.daemon.plan` declares the settings. All problems of a file are reported, in the
file's order, each with its table and its key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from txremote.daemon.plan import (
    CONSOLE_SETTINGS,
    PROCESS_SETTINGS,
    SERVER_SETTINGS,
    ConsolePlan,
    Plan,
    Setting,
    server_plan,
)
from txremote.daemon.problems import ConfigOrigin, PlanError, Problem

_TABLES: Final = {"server": SERVER_SETTINGS, "console": CONSOLE_SETTINGS}


def read_plan(path: str) -> Plan:
    """Return the plan that a file describes, or raise PlanError: it is not readable TOML."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode()
    except OSError as problem:
        raise _unreadable(None, f"cannot read {path}: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        raise _unreadable(path, f"the file is not UTF-8 (at line {line})") from None
    return plan_of(text, path)


def plan_of(text: str, path: str) -> Plan:
    """Return the plan that a file's text describes; see `read_plan`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise _unreadable(path, str(problem)) from None
    problems: list[Problem] = []
    origin = ConfigOrigin(path, keys=tuple(content))
    top = {name: value for name, value in content.items() if name not in _TABLES}
    known = _values(origin, top, PROCESS_SETTINGS, problems)
    tables = _tables(content, path, problems)
    servers = [server_plan(*each) for each in tables["server"]]
    consoles = [ConsolePlan(origin=place, **values) for place, values in tables["console"]]
    names: set[str] = set()
    for each in consoles:
        if each.name in names:
            sentence = f"two consoles are called {each.name!r}: give each a name"
            problems.append(Problem(each.origin, "name", sentence))
        names.add(each.name)
    if not (servers or consoles or problems):
        sentence = "there is neither a [[server]] nor a [[console]] in it"
        problems.append(Problem(origin, "", sentence))
    return Plan(
        origin=origin,
        servers=tuple(servers),
        consoles=tuple(consoles),
        problems=tuple(problems),
        **known,
    )


def _unreadable(path: str | None, sentence: str) -> PlanError:
    return PlanError(Problem(ConfigOrigin(path), "", sentence))


def _tables(
    content: Mapping[str, object], path: str, problems: list[Problem]
) -> dict[str, list[tuple[ConfigOrigin, dict[str, Any]]]]:
    """Return the tables by name, each with those of its values that mean something."""
    tables: dict[str, list[tuple[ConfigOrigin, dict[str, Any]]]] = {name: [] for name in _TABLES}
    position = 0
    for name in content:
        if name not in _TABLES:
            continue
        found = content[name]
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            sentence = f"write [[{name}]], with two brackets: there may be several"
            problems.append(Problem(ConfigOrigin(path, keys=tuple(content)), name, sentence))
            continue
        for number, table in enumerate(found, 1):
            position += 1
            origin = ConfigOrigin(path, f"[[{name}]] {number}", position, tuple(table))
            before = len(problems)
            values = _values(origin, table, _TABLES[name], problems)
            tables[name].append((replace(origin, faulty=len(problems) > before), values))
    return tables


def _values(
    origin: ConfigOrigin,
    table: Mapping[str, object],
    settings: Iterable[Setting],
    problems: list[Problem],
) -> dict[str, Any]:
    known = {setting.name: setting for setting in settings}
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            where = "" if origin.table else " at the top of the file"
            sentence = f"unknown key {name!r}{where}{_hint(name, known, origin)}"
            problems.append(Problem(origin, name, sentence))
            continue
        try:
            values[known[name].field] = known[name].of_value(value)
        except ValueError as problem:
            problems.append(Problem(origin, name, f"{name} {problem}"))
    return values


def _hint(name: str, known: Mapping[str, Setting], origin: ConfigOrigin) -> str:
    """Return the end of a sentence about an unknown key: a guess at the right one."""
    meant = name.replace("_", "-").lower()
    if meant in known:
        return f": did you mean {meant!r}?"
    for table, settings in _TABLES.items():
        if any(meant == setting.name for setting in settings):
            return f": it belongs in [[{table}]]"
    if any(meant == setting.name for setting in PROCESS_SETTINGS):
        return ": it belongs at the top of the file, before the first [[...]]"
    close = get_close_matches(meant, known, 1)
    if close:
        return f": did you mean {close[0]!r}?"
    if not origin.table:
        tables = get_close_matches(meant, _TABLES, 1)
        return f": did you mean [[{tables[0]}]]?" if tables else ""
    return ""
