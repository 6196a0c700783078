"""
How a server is named: one text, in all commands and in everything that connects.

=================================  ===============================================================
``HOST:PORT``, ``[IPV6]:PORT``     TCP
``tcp:HOST:PORT``                  the same
``unix:PATH``, or ``/PATH``        a UNIX socket
``tls:HOST:PORT``                  TLS; the certificate has to be for HOST, by an authority that the
                                   system trusts, or one in ``ca=FILE`` or ``trustRoots=FOLDER``
``ssl:HOST:PORT``                  Twisted's older TLS: it checks nothing unless it has
                                   ``hostname=NAME`` or ``caCertsDir=FOLDER``
``registry:NAME``                  whichever servers a registry names as NAME's; with ``ca=FILE`` or
                                   ``hostname=NAME`` they are all dialled by TLS, whatever it says
=================================  ===============================================================

More follows as ``:name=value``, with ``\\:`` for a colon in it. These are Twisted's descriptions of
client endpoints, but for the first, for ``registry:``, and for ``ca=``, ``cert=``, ``key=`` and
``hostname=`` of ``tls:``. A text of another kind is left to Twisted, whose plugins may know it.
Nothing is looked up here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

FORMS: Final = "HOST:PORT, [IPV6]:PORT, unix:PATH, tcp:HOST:PORT, tls:HOST:PORT or registry:NAME"

#: The kind of a name that only a plugin of Twisted's may know.
OTHER: Final = "other"

_PLACE: Final = {"host", "port"}
_DIALLING: Final = {"timeout", "bindAddress"}
#: What may be said by each kind of name.
_OPTIONS: Final[Mapping[str, set[str]]] = {
    "tcp": _PLACE | _DIALLING,
    "unix": {"path", "timeout", "lockfile"},
    "tls": {
        *(_PLACE | _DIALLING),
        *("ca", "cert", "key", "hostname"),
        *("certificate", "privateKey", "trustRoots", "endpoint"),
    },
    "ssl": _PLACE | _DIALLING | {"certKey", "privateKey", "caCertsDir", "hostname"},
    "registry": {"name", "ca", "cert", "key", "hostname", "timeout"},
}
# what is bare, by its position
_POSITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "unix": ("path",),
    "registry": ("name",),
    **dict.fromkeys(("tcp", "tls", "ssl"), ("host", "port")),
}

_IPV6 = re.compile(r"(^|[:=])\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%\w+)?)\](?=:|$)")
_TOKEN = re.compile(r"\\(.)|([:=])|([^\\:=]+)|(\\)$", re.DOTALL)


class ServerName(NamedTuple):
    """
    The name of a server, taken apart.

    Attributes:
        text: As it was written.
        kind: ``"tcp"``, ``"unix"``, ``"tls"``, ``"ssl"``, ``"registry"`` or `OTHER`.
        host: A name or an address, of a kind that has one.
        port: 1 to 65535; of a server's own address also 0.
        path: A UNIX socket's.
        options: The rest of it, by its names.
        service: The name that a registry is asked for.
    """

    text: str
    kind: str
    host: str = ""
    port: int = 0
    path: str = ""
    options: Mapping[str, str] = {}
    service: str = ""

    @property
    def description(self) -> str:
        """The name as Twisted's ``clientFromString`` takes it; ours are not among the options."""
        if self.kind == OTHER:
            return self.text
        if self.kind == "unix":
            words = ["unix", quoted(self.path)]
        elif self.kind == "registry":
            words = ["registry", quoted(self.service)]
        else:
            words = [self.kind, quoted(self.host), str(self.port)]
        return ":".join(
            [*words, *(f"{name}={quoted(text)}" for name, text in self.options.items())]
        )

    def with_options(self, options: Mapping[str, str]) -> ServerName:
        """Return it with more options; the text says them, too."""
        added = "".join(f":{name}={quoted(text)}" for name, text in options.items())
        return self._replace(text=self.text + added, options={**self.options, **options})

    def unchecked(self) -> ServerName:
        """Return the ``ssl:`` name that checks no certificate; ``cert`` and ``key`` are kept."""
        found = self.options.get
        kept = {name: self.options[name] for name in _DIALLING & self.options.keys()}
        own = found("cert") or found("certificate") or found("certKey")
        key = found("key") or found("privateKey")
        for name, file in (("cert", own), ("key", key)):
            if file:
                kept[name] = file
        return self._replace(kind="ssl", options=kept)

    def without_tls(self) -> ServerName:
        """Return the TCP name beneath a name with TLS."""
        kept = {name: self.options[name] for name in _DIALLING & self.options.keys()}
        return self._replace(kind="tcp", options=kept)


def quoted(text: str) -> str:
    """Return a text as it stands in a description, where colons and the like mean something."""
    return re.sub(r"([\\:=])", r"\\\1", text)


def server_name(text: str) -> ServerName:
    """
    Take the name of a server apart.

    Raises:
        ValueError: It is none; the sentence shows what would be.
    """
    found = _taken_apart(text)
    if found.kind in ("tcp", "tls", "ssl") and not found.port:
        raise _no_name(text, "a port is a number from 1 to 65535")
    return found


def check_port(port: object) -> None:
    """Raise ValueError if a number is no port: the system would take its last 16 bits for one."""
    if isinstance(port, int) and not 0 <= port < 65536:
        raise ValueError(f"a port is a number from 0 to 65535, not {port}")


def listening_description(text: str) -> str:
    """
    Return the description of a server endpoint, as Twisted's ``serverFromString`` takes it:
    ``HOST:PORT``, ``[IPV6]:PORT`` and ``/PATH`` are taken too, port 0 included, and any other
    text is left as it is. ValueError: it is none of these.
    """
    if text.startswith("/"):
        return f"unix:{quoted(text)}"
    if not re.search(r":\d+$", text) or _words(text)[0][0].lower() in _OPTIONS:
        return text
    name = _taken_apart(text)
    if name.kind == OTHER:
        return text
    return f"tcp:{name.port}:interface={quoted(name.host)}"


def unknown_kind(text: str) -> ValueError:
    """Return the error of a name of another kind that Twisted does not know either."""
    return _no_name(text, meant(text, _OPTIONS))


def meant(text: str, kinds: Iterable[str]) -> str:
    """Ask whether a text of an unknown kind was to be of one of these; empty: it is like none."""
    from difflib import get_close_matches  # nearly nobody needs it

    kind, colon, rest = text.partition(":")
    near = get_close_matches(kind.lower(), kinds, 1)
    return f"did you mean {near[0]}{colon}{rest}?" if near else ""


def _taken_apart(text: str) -> ServerName:
    if text.startswith("/"):
        return ServerName(text, "unix", path=text)
    bare, options = _words(text)
    kind = bare[0].lower()
    if kind not in _OPTIONS:
        if len(bare) == 2 and kind and bare[1].isdigit() and not options:
            return ServerName(text, "tcp", bare[0], _port(text, bare[1]))
        if len(bare) + len(options) < 2 or not kind:
            raise _no_name(text)
        return ServerName(text, OTHER)
    missing = [name for name in _POSITIONS[kind] if name not in options]
    if len(bare) - 1 > len(missing):
        raise _no_name(text, f"{bare[1 + len(missing)]!r} is too much")
    options = {**dict(zip(missing, bare[1:], strict=False)), **options}
    for name in options:
        if name not in _OPTIONS[kind]:
            known = ", ".join(sorted(_OPTIONS[kind]))
            raise _no_name(text, f"{kind}: has no option {name!r}, but {known}")
    for name in _POSITIONS[kind]:
        if not options.get(name):
            raise _no_name(text, f"it has no {name}")
    if not options.get("timeout", "0").isdigit():
        raise _no_name(text, "timeout is a whole number of seconds")
    rest = {name: word for name, word in options.items() if name not in _POSITIONS[kind]}
    if kind == "unix":
        return ServerName(text, kind, path=options["path"], options=rest)
    if kind == "registry":
        return ServerName(text, kind, service=options["name"], options=rest)
    return ServerName(text, kind, options["host"], _port(text, options["port"]), options=rest)


def _words(text: str) -> tuple[list[str], dict[str, str]]:
    """Return the bare words of a description and those with a name, as Twisted's parser does."""
    plain = _IPV6.sub(lambda found: found[1] + quoted(found[2]), text)
    words = [[""]]
    for token in _TOKEN.finditer(plain):
        escaped, mark, letters, cut = token.groups()
        if cut:
            raise _no_name(text, "it ends in a backslash")
        if mark == ":":
            words.append([""])
        elif mark == "=" and len(words[-1]) == 1:
            words[-1].append("")
        else:
            words[-1][-1] += escaped or letters or mark
    bare = [word[0] for word in words if len(word) == 1]
    return bare or [""], {word[0]: word[1] for word in words if len(word) == 2}


def _port(text: str, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 5 and int(word) < 65536):
        raise _no_name(text, f"a port is a number from 1 to 65535, not {word!r}")
    return int(word)


def _no_name(text: str, why: str = "") -> ValueError:
    reason = f" ({why})" if why else ""
    return ValueError(f"{text!r} names no server{reason}: it is {FORMS}")
