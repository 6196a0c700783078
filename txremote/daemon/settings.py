"""
A thing that can be set, as an option or as a key: its values, and how they are written.

The switches and limits of connections are here; `txremote.daemon.plan` declares the rest
with the fields of a plan.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from txremote.config import (
    BYTES,
    COUNT,
    FLAG,
    FLAG_OR_UNSET,
    PRESETS,
    SECONDS_OR_NEVER,
    SWITCH_NAMES,
    TEXTS,
    ConnectionConfig,
    Kind,
    declaration_of,
)

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
        """
        Return the value that a word of a command line means.

        Raises:
            ValueError: it means none; the end of a sentence that begins with the name.
        """
        try:
            value = self.kind.of_text(text)
        except (ValueError, KeyError):
            raise self._meaningless(text) from None
        return self._checked(value, text)

    def of_value(self, value: object) -> object:
        """Return the value that one of a file means; raises as `of_text`."""
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


#: What clients may do, and get: switches of `ConnectionConfig`, and ``access``, which
#: stands for a set of them.
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
