"""
The files of the page.
"""

from __future__ import annotations

import re

from txremote.monitor.web.assets import read_assets


def test_the_page_loads_its_own_files_only() -> None:
    """Nothing of a network; markup is never made of text, which may be a peer's."""
    assets = read_assets()
    assert {"page.html", "page.css", "app.js", "icon.svg"} <= assets.keys()
    for name, asset in assets.items():
        text = asset.content.decode()
        found = re.findall(r"""(?:src|href|from|import)\s*[=(]?\s*["']([^"']+)["']""", text)
        for target in found:
            assert target.removeprefix("/assets/").removeprefix("./") in assets, (name, target)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text), (
            name
        )
        assert not re.search(r"""<script>|\son\w+=|\sstyle=""", text), name


def test_the_page_is_small() -> None:
    """All of it together."""
    assert sum(len(asset.content) for asset in read_assets().values()) < 100_000
