"""Problems of a plan: each a sentence, and the place where the mistake was written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ConfigOrigin:
    """
    Where a part of a plan was written.

    Attributes:
        file: The file, or None for a command line.
        table: The table in it, ``[[server]] 2``; empty for the top of the file.
        position: Its place among the tables.
        options: The options of settings that have another name.
        faulty: Whether a mistake in it was left out, which a missing setting may be.
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
    """A mistake in a plan, and what to do about it. The key is empty if it is no setting's."""

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
    """A plan cannot be carried out, for all these problems, in the file's order."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = [str(each) for each in sorted(problems, key=lambda each: each.place)]
        super().__init__("\n".join(self.problems))


class Problems(list[Problem]):
    """Collects problems as they are found."""

    def note(self, origin: ConfigOrigin, key: str, words: str, value: str = "") -> None:
        """Note a problem: its sentence begins with the key and its value, if there is one."""
        subject = f"{origin.spelled(key)} {value}".rstrip() if key else ""
        self.append(Problem(origin, key, f"{subject}{words}"))

    def note_mismatch(self, origin: ConfigOrigin, key: str, words: str, value: str = "") -> None:
        """Note that settings do not fit together, unless that may be a typo's fault."""
        if not origin.faulty:
            self.note(origin, key, words, value)

    @contextmanager
    def noting(self, origin: ConfigOrigin, key: str, value: str = "") -> Iterator[None]:
        """Note the exception that the block raises, if any, and go on behind it."""
        try:
            yield
        except (ValueError, ImportError) as problem:
            self.note(origin, key, f": {problem}" if key else str(problem), value)
