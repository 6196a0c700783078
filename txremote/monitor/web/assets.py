"""The files of the page, which lie in this package: read once, with their types."""

from __future__ import annotations

from importlib.resources import files
from typing import Final, NamedTuple

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """A file of the page."""

    content_type: str
    content: bytes


def read_assets() -> dict[str, Asset]:
    """Return all files of the page by name."""
    folder = files("txremote.monitor.web").joinpath("assets")
    return {
        each.name: Asset(_TYPES[each.name.rpartition(".")[2]], each.read_bytes())
        for each in folder.iterdir()
        if each.name.rpartition(".")[2] in _TYPES
    }
