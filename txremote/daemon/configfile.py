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

Which settings there are is in `txremote.daemon.plan`. Everything that is wrong with a file
is told, with its line, and not just the first thing. `tomllib` says what the values
are but not where they stood, so `lines_of` goes through the text once more: it
knows no more of TOML than what ends a value, since the text has been read already
when it comes to that.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from txremote.daemon.plan import (
    CONSOLE_SETTINGS,
    PROCESS_SETTINGS,
    SERVER_SETTINGS,
    Plan,
    PlanError,
    Setting,
    Source,
    console_plan,
    process_plan,
    server_plan,
)

#: Where something stands in a file: the names and indices that lead there.
Path = tuple[str | int, ...]

_TABLES: Final = {"server": SERVER_SETTINGS, "console": CONSOLE_SETTINGS}

_TOKEN: Final = re.compile(
    r'''
      """ (?: \\. | [^\\] )*? "{3,5}     # up to two quotes more belong to the text
    | \'\'\' .*? '{3,5}
    | " (?: \\. | [^"\\] )* "
    | ' [^']* '
    | \# [^\n]*
    | [\[\]{}=\n]
    | [^\[\]{}=\n"'\#]+
    ''',
    re.DOTALL | re.VERBOSE,
)

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def read_plan(path: str) -> Plan:
    """
    Return the plan that a file describes.

    Args:
        path: The file. It stands in front of every problem as it is given here.

    Raises:
        PlanError: it cannot be read, is no TOML, or has in it what means nothing.
    """
    try:
        with open(path, "rb") as file:
            text = file.read().decode()
    except OSError as problem:
        raise PlanError([f"cannot read {path}: {problem.strerror}"]) from None
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        raise PlanError([f"{path}:{line}: the file is not UTF-8"]) from None
    return plan_of(text, path)


def plan_of(text: str, path: str) -> Plan:
    """Return the plan that a file's text describes; see `read_plan`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise PlanError([_syntax_error(str(problem), text, path)]) from None
    return _Reading(content, lines_of(text), path).plan()


def _syntax_error(message: str, text: str, path: str) -> str:
    place = _PLACE.search(message)
    # the place of an error that is found at the end of the text is in its words
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    words = message[: place.start()] if place else message
    return f"{path}:{line}: {words[:1].lower()}{words[1:]}"


class _Reading:
    """
    One file, as it is made sense of.

    Args:
        content: What it has in it.
        lines: In which lines that stands.
        path: Its name.
    """

    def __init__(self, content: dict[str, Any], lines: Mapping[Path, int], path: str) -> None:
        self._content = content
        self._lines = lines
        self._path = path
        self._problems: list[tuple[int, str]] = []

    def plan(self) -> Plan:
        """
        Return the plan.

        Raises:
            PlanError: something means nothing.
        """
        settings = {k: v for k, v in self._content.items() if k not in _TABLES}
        known = self._values(settings, PROCESS_SETTINGS, (), "at the top of the file")
        servers = [
            server_plan(self._source(path), values) for path, values in self._tables("server")
        ]
        before = len(self._problems)
        consoles = [
            console_plan(self._source(path), values) for path, values in self._tables("console")
        ]
        if len(self._problems) > before:  # whose tasks they would be is not known
            servers = [each for each in servers if each.tasks is None]
        self._check_names([each.name for each in consoles])
        if not (servers or consoles or self._problems):
            self._complain((), "there is neither a [[server]] nor a [[console]] in it")
        plan = process_plan(self._source(()), known, servers, consoles)
        if self._problems:
            raise PlanError([sentence for _line, sentence in sorted(self._problems)], plan)
        return plan

    def _tables(self, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        found = self._content.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self._complain((name,), f"write [[{name}]], with two brackets: there may be several")
            return
        for index, table in enumerate(found):
            path = (name, index)
            before = len(self._problems)
            values = self._values(table, _TABLES[name], path, f"in [[{name}]]")
            if len(self._problems) == before:  # else it is not what was meant
                yield path, values

    def _values(
        self, table: dict[str, Any], settings: tuple[Setting, ...], path: Path, where: str
    ) -> dict[str, Any]:
        known = {setting.name: setting for setting in settings}
        values = {}
        for name, value in table.items():
            place = (*path, name)
            if name not in known:
                self._complain(place, f"unknown key {name!r} {where}{_hint(name, known, path)}")
                continue
            try:
                values[name] = known[name].of_value(value)
            except ValueError as problem:
                self._complain(place, f"{name} {problem}")
        return values

    def _check_names(self, names: list[str]) -> None:
        for name, count in Counter(names).items():
            if count > 1:
                index = len(names) - 1 - names[::-1].index(name)
                place = ("console", index, "name")
                self._complain(place, f"two consoles are called {name!r}: give each a name")

    def _source(self, path: Path) -> Source:
        size = len(path)
        lines = {
            str(place[size]): line
            for place, line in self._lines.items()
            if len(place) == size + 1 and place[:size] == path
        }
        return Source(self._path, {**lines, "": self._line(path)})

    def _line(self, path: Path) -> int:
        """
        Return the line of something, or else of the first thing in it: ``a`` is nowhere
        where there is ``[[a]]`` alone; or of what it is in: a table that is written in
        one line has no lines of its own.
        """
        while path:
            within = [line for at, line in self._lines.items() if at[: len(path)] == path]
            if within:
                return self._lines.get(path, min(within))
            path = path[:-1]
        return 1

    def _complain(self, path: Path, sentence: str) -> None:
        line = self._line(path)
        self._problems.append((line, f"{self._path}:{line}: {sentence}"))


def _hint(name: str, known: Mapping[str, Setting], path: Path) -> str:
    meant = name.replace("_", "-").lower()
    close = [meant] if meant in known else get_close_matches(meant, known, 1)
    if close:
        return f": did you mean {close[0]!r}?"
    for table, settings in _TABLES.items():
        if table not in path and any(meant == setting.name for setting in settings):
            return f": it belongs in [[{table}]]"
    if path and any(meant == setting.name for setting in PROCESS_SETTINGS):
        return ": it belongs at the top of the file, before the first [[...]]"
    if not path:
        tables = get_close_matches(meant, _TABLES, 1)
        return f": did you mean [[{tables[0]}]]?" if tables else ""
    return ""


def lines_of(text: str) -> dict[Path, int]:
    """
    Return the line in which each key and each table of a text begins, from 1.

    Args:
        text: TOML without an error in it.
    """
    found: dict[Path, int] = {}
    counts: Counter[Path] = Counter()
    table: Path = ()
    for key, line in _statements(text):
        if key.startswith("["):
            table = _table(key, counts)
            path = table
        else:
            path = (*table, *_names(key))
        for size in range(len(path), len(table), -1):  # a.b = 1 makes a, too
            found.setdefault(path[:size], line)
        found.setdefault(path, line)
    return found


def _statements(text: str) -> Iterator[tuple[str, int]]:
    """Give what begins each statement: its key, or its whole header, and the line."""
    line = 1
    key, begins = "", 1
    depth = 0
    in_value = False
    for token in _TOKEN.findall(text):
        if token == "\n" and depth == 0:
            if key.startswith("["):
                yield key, begins
            key, in_value = "", False
        elif in_value:
            depth += (token in ("[", "{")) - (token in ("]", "}"))
        elif token == "=" and not key.startswith("["):
            yield key, begins
            in_value = True
        elif token[0] != "#":
            if not key:
                begins = line
            key = (key + token).strip()
        line += token.count("\n")
    if key.startswith("[") and not in_value:
        yield key, begins


def _names(key: str) -> Path:
    """Return the names in a key, which may be quoted: `tomllib` knows how."""
    path: list[str | int] = []
    content: Any = tomllib.loads(f"{key} = 0")
    while isinstance(content, dict):
        ((name, content),) = content.items()
        path.append(name)
    return tuple(path)


def _table(header: str, counts: Counter[Path]) -> Path:
    """Return where a header leads. In a list of tables it is to the last one."""
    several = header.startswith("[[")
    names = _names(header[2:-2] if several else header[1:-1])
    path: Path = ()
    for name in names[:-1]:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path] - 1)
    path = (*path, names[-1])
    if several:
        counts[path] += 1
        path = (*path, counts[path] - 1)
    return path
