"""
Where a Redis is: ``redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER]``, or
``unix://[USER:PASSWORD@]/PATH[?db=NUMBER]``, taken apart.

``?keep=N`` says how many events of each topic the Redis keeps for those who are away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

#: Events of a topic that a Redis keeps.
KEEP: Final = 10_000


@dataclass(frozen=True)
class RedisPlace:
    """
    A Redis, and which of its databases.

    Attributes:
        host: Its host; "" for a UNIX socket.
        port: Its TCP port.
        path: The path of its UNIX socket; "" for TCP.
        database: The database's number.
        user: The user's name; "" for the default user.
        password: The password; "" for none. It is shown nowhere.
        keep: How many events of each topic it keeps.
    """

    host: str = "localhost"
    port: int = 6379
    path: str = ""
    database: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    keep: int = KEEP

    def __str__(self) -> str:
        """Return it as people name it, without the password."""
        if self.path:
            return f"the Redis at {self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"the Redis at {host}:{self.port}"


def parse_redis_url(url: str) -> RedisPlace:
    """
    Return the place that a URL names.

    Raises:
        ValueError: it names none. The message does not have the password.
    """
    wanted = "redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER] or unix://[USER:PASSWORD@]/PATH"
    parts = urlsplit(url)
    if parts.scheme == "rediss":
        raise ValueError(
            "rediss://: a Redis is not reached by TLS; keep it on this host or a private network, "
            "or put a tunnel such as stunnel between"
        )
    if parts.scheme not in ("redis", "unix") or parts.fragment:
        raise ValueError(f"not the URL of a Redis, which is {wanted}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - {"db", "keep"})
    if unknown:
        raise ValueError(f"the URL of a Redis has no option {unknown[0]!r}: it has db and keep")
    path = unquote(parts.path)
    database = options.get("db", "0")
    if parts.scheme == "redis":
        database = path.strip("/") or database
        path = ""
    elif parts.hostname or not path:
        raise ValueError(f"not the URL of a Redis, which is {wanted}")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port in the URL of a Redis is no number from 0 to 65535") from None
    return RedisPlace(
        "" if path else parts.hostname or "localhost",
        6379 if port is None else port,
        path,
        _number(database, "database", 0),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        _number(options.get("keep", str(KEEP)), "keep", 1),
    )


def _number(text: str, name: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise ValueError(f"the {name} in the URL of a Redis is a number from {least}, not {text!r}")
    return int(text)
