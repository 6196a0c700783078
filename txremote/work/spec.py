"""
Pools by name: ``threads:8``, ``processes:min=2:max=8``.

A description is a kind and, behind colons, words and ``name=value`` options, as those of Twisted's
endpoints are, with the same backslash; the address in a URL needs none. Kinds are plugins
(`txremote.interfaces.IPoolKind`), found in ``twisted.plugins``, so another package can bring its
own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TypeVar

from twisted.internet.interfaces import IReactorCore
from twisted.plugin import IPlugin, getPlugins
from twisted.python.reflect import namedAny
from zope.interface import implementer

from txremote.interfaces import IPool, IPoolKind
from txremote.work.loops import loop_here
from txremote.work.ports import IPoolReactor

# The parts of a description. A URL's host and port are one part with its scheme;
# [...] is an IPv6 address.
_PART = re.compile(r"(?:[a-zA-Z][\w+.-]*://(?:\[[^\]]*\]|[^:\\])*(?::\d+)?|\\.|[^:\\])*", re.DOTALL)
_NAME = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r"[\\:=/]")
_ESCAPED = r"\\\g<0>"


Default = TypeVar("Default")
Found = TypeVar("Found")


@implementer(IPlugin, IPoolKind)
class PoolKind:
    """A plugin: a kind of pool whose `parse` is imported, by a dotted name, when it is needed."""

    def __init__(self, prefix: str, parse_name: str) -> None:
        self.prefix = prefix
        self._parse_name = parse_name

    def parse(
        self, reactor: IPoolReactor, words: Sequence[str], options: Mapping[str, str]
    ) -> IPool:
        """Make a pool; see `txremote.interfaces.IPoolKind`."""
        pool: IPool = namedAny(self._parse_name)(reactor, words, options)
        return pool


def split(spec: str) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Return a description's prefix, words and options. ValueError: it makes no sense."""
    parts = []
    position = 0
    while True:
        found = _PART.match(spec, position)
        assert found is not None  # it matches what is empty, too
        parts.append(found[0])
        position = found.end()
        if position == len(spec):
            break
        if spec[position] == "\\":
            raise ValueError(f"the backslash at the end of {spec!r} escapes nothing")
        position += 1
    words = []
    options: dict[str, str] = {}
    for part in parts[1:]:
        option = _NAME.match(part)
        if option is None:
            words.append(_ESCAPE.sub(r"\1", part))
        elif option[1] in options:
            raise ValueError(f"{option[1]}= is given twice in {spec!r}")
        else:
            options[option[1]] = _ESCAPE.sub(r"\1", option[2])
    return parts[0], tuple(words), options


def pool_from_string(spec: str, reactor: IReactorCore | None = None) -> IPool:
    """
    Make a pool of its description.

    Args:
        spec: Such as ``"threads:8"``; see the documents for the kinds there are.
        reactor: The reactor; None for the program's, or for the asyncio loop that runs here, if
            the program uses `txremote.aio`.

    Returns:
        An `IPool` that has not been started.

    Raises:
        ValueError: the description makes no sense; a sentence that says why.
        RuntimeError: an asyncio loop runs here, and nothing that would drive it: see
            `txremote.aio`.
    """
    loop = reactor if reactor is not None else loop_here("pool_from_string")
    prefix, words, options = split(spec)
    kinds: dict[str, IPoolKind] = {kind.prefix: kind for kind in getPlugins(IPoolKind)}
    if prefix not in kinds:
        raise ValueError(
            f"{prefix!r} in {spec!r} is no kind of pool: there are {', '.join(sorted(kinds))}"
        )
    return kinds[prefix].parse(loop, words, options)


def join(prefix: str, words: Sequence[str], options: Mapping[str, str]) -> str:
    """Write a description: the reverse of `split`. With backslashes only if it has to."""
    parts = prefix, tuple(words), dict(options)
    plain = ":".join([prefix, *words, *(f"{name}={value}" for name, value in options.items())])
    try:
        if split(plain) == parts:
            return plain
    except ValueError:  # a backslash at its end
        pass
    values = (f"{name}={_SPECIAL.sub(_ESCAPED, value)}" for name, value in options.items())
    return ":".join([prefix, *(_SPECIAL.sub(_ESCAPED, word) for word in words), *values])


class Description:
    """
    The words and options of a description, for the kind that reads them.

    Its str is the description. ValueError: the kind has no such option, or there is a second word.
    """

    def __init__(
        self,
        prefix: str,
        words: Sequence[str],
        options: Mapping[str, str],
        *,
        word: str,
        names: Sequence[str],
    ) -> None:
        self._text = join(prefix, words, options)
        self._prefix = prefix
        has = f"a pool of {prefix} is {prefix}:{word.upper()}, with " + ", ".join(
            f"{name}=" for name in names
        )
        for name in options:
            if name not in names:
                raise ValueError(f"{self._text!r} has an option {name}= that means nothing: {has}")
        if len(words) > 1:
            raise ValueError(f"{self._text!r} has a word too many, {words[1]!r}: {has}")
        self._given = {**({word: words[0]} if words else {}), **options}

    def __str__(self) -> str:
        return self._text

    def number(self, name: str, least: int, default: Default) -> int | Default:
        """Return a whole number, an option or the word. ValueError: it is none, or too small."""
        text = self._given.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and int(text) >= least:
            return int(text)
        raise ValueError(
            f"{text!r} in {self._text!r} is no {name}: it is a whole number, {least} or more"
        )

    def text(self, name: str) -> str | None:
        """Return an option as it is; None if it is not given."""
        return self._given.get(name)

    def read(self, name: str, convert: Callable[[str], Found], default: Default) -> Found | Default:
        """Return what a function makes of an option. ValueError: it can make nothing of it."""
        text = self._given.get(name)
        if text is None:
            return default
        try:
            return convert(text)
        except ValueError as problem:
            raise ValueError(f"{problem}, in {self._text!r}") from None

    def seconds(self, name: str, default: float) -> float:
        """Return an option in seconds. ValueError: it is none, not more than 0, or infinite."""
        text = self._given.get(name)
        if text is None:
            return default
        try:
            found = float(text)
        except ValueError:
            found = 0.0
        if 0 < found < inf:
            return found
        raise ValueError(
            f"{text!r} in {self._text!r} is no {name}: it is a number of seconds, more than 0"
        )
