"""Rows: plain data that becomes JSON as it is, whatever a peer calls itself."""

from __future__ import annotations

import json

import msgspec
import pytest

from txremote.monitor.rows import LONGEST, LogRow, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Shop.price", "Shop.price"),
        ("käse \N{SNOWMAN}", "käse \N{SNOWMAN}"),
        ("a\x1b[31m\r\nb", "a [31m  b"),
        ("half \ud800 a pair", "half   a pair"),
        ("right \u202e to left", "right   to left"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # text, not markup
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * 100_000, "x" * (LONGEST - 3) + "..."),
    ],
)
def test_a_hostile_text_becomes_short_printable_text(text: str, shown: str) -> None:
    assert plain(text) == shown
    row = LogRow(at=1.5, level="warn", namespace="txremote", text=plain(text))
    assert json.loads(msgspec.json.encode(row))["text"] == shown
