"""
``--config FILE.toml``: a plan from a file.

::

    pool = ["processes:4"]
    drain = 10

    [[server]]
    service = "shop.Shop"
    listen = ["tcp:18861:interface=127.0.0.1", "unix:/run/shop.sock"]
    max-connections = 500

    [[console]]
    container = "shop.Importer"

`txremote.daemon.plan` declares the settings. All problems of a file are reported, not just
the first: in the file's order, each with its table and its key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from txremote.daemon.plan import (
    CONSOLE_SETTINGS,
    PROCESS_SETTINGS,
    SERVER_SETTINGS,
    ConsolePlan,
    Plan,
    by_field,
    server_plan,
)
from txremote.daemon.problems import ConfigOrigin, PlanError, Problem
from txremote.daemon.settings import Setting

_TABLES: Final = {"server": SERVER_SETTINGS, "console": CONSOLE_SETTINGS}


def read_plan(path: str) -> Plan:
    """
    Return the plan that a file describes.

    Args:
        path: The file. It stands in front of every problem as it is given here.

    Raises:
        PlanError: it cannot be read, or is no TOML.
    """
    try:
        with open(path, "rb") as file:
            text = file.read().decode()
    except OSError as problem:
        raise _unreadable("", f"cannot read {path}: {problem.strerror}") from None
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
    return _Reader(content, path).plan()


def _unreadable(path: str, sentence: str) -> PlanError:
    return PlanError(Problem(ConfigOrigin(path or None), "", sentence))


class _Reader:
    """Makes a plan of a file's content."""

    def __init__(self, content: Mapping[str, Any], path: str) -> None:
        self._content = content
        self._origin = ConfigOrigin(path, keys=tuple(content))
        self._problems: list[Problem] = []

    def plan(self) -> Plan:
        """Return the plan."""
        top = {name: value for name, value in self._content.items() if name not in _TABLES}
        known = self._values(self._origin, top, PROCESS_SETTINGS)
        servers = [server_plan(*each) for each in self._tables("server")]
        consoles = [
            ConsolePlan(origin=origin, **by_field(values))
            for origin, values in self._tables("console")
        ]
        names: set[str] = set()
        for each in consoles:
            if each.name in names:
                self._complain(
                    each.origin, "name", f"two consoles are called {each.name!r}: give each a name"
                )
            names.add(each.name)
        if not (servers or consoles or self._problems):
            self._complain(
                self._origin, "", "there is neither a [[server]] nor a [[console]] in it"
            )
        return Plan(
            origin=self._origin,
            servers=tuple(servers),
            consoles=tuple(consoles),
            problems=tuple(self._problems),
            **by_field(known),
        )

    def _tables(self, name: str) -> Iterator[tuple[ConfigOrigin, dict[str, object]]]:
        """Give the tables of a name, each with those of its values that mean something."""
        found = self._content.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            sentence = f"write [[{name}]], with two brackets: there may be several"
            self._complain(self._origin, name, sentence)
            return
        for number, table in enumerate(found, 1):
            origin = ConfigOrigin(
                self._origin.file,
                f"[[{name}]] {number}",
                self._tables_before(name) + number,
                tuple(table),
            )
            before = len(self._problems)
            values = self._values(origin, table, _TABLES[name])
            yield replace(origin, faulty=len(self._problems) > before), values

    def _tables_before(self, name: str) -> int:
        """Return how many tables of another name stand before those of a name."""
        names = [each for each in self._content if each in _TABLES]
        lists = [self._content[each] for each in names[: names.index(name)]]
        return sum(len(each) for each in lists if isinstance(each, list))

    def _values(
        self, origin: ConfigOrigin, table: Mapping[str, object], settings: Iterable[Setting]
    ) -> dict[str, object]:
        known = {setting.name: setting for setting in settings}
        values: dict[str, object] = {}
        for name, value in table.items():
            if name not in known:
                where = "" if origin.table else " at the top of the file"
                hint = _hint(name, known, origin)
                self._complain(origin, name, f"unknown key {name!r}{where}{hint}")
                continue
            try:
                values[name] = known[name].of_value(value)
            except ValueError as problem:
                self._complain(origin, name, f"{name} {problem}")
        return values

    def _complain(self, origin: ConfigOrigin, key: str, sentence: str) -> None:
        self._problems.append(Problem(origin, key, sentence))


def _hint(name: str, known: Mapping[str, Setting], origin: ConfigOrigin) -> str:
    """Return the end of a sentence about an unknown key: a guess at the right one."""
    meant = name.replace("_", "-").lower()
    close = [meant] if meant in known else get_close_matches(meant, known, 1)
    if close:
        return f": did you mean {close[0]!r}?"
    for table, settings in _TABLES.items():
        if any(meant == setting.name for setting in settings):
            return f": it belongs in [[{table}]]"
    if any(meant == setting.name for setting in PROCESS_SETTINGS):
        return ": it belongs at the top of the file, before the first [[...]]"
    if not origin.table:
        tables = get_close_matches(meant, _TABLES, 1)
        return f": did you mean [[{tables[0]}]]?" if tables else ""
    return ""
