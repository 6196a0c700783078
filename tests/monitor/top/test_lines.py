"""
The lines above the tables: what they have in them, whatever their width.
"""

from __future__ import annotations

from txremote.monitor.rows import Series
from txremote.monitor.top.lines import sparkline, sparklines, titles
from txremote.monitor.top.views import VIEWS, Choice

OBJECTS = next(view for view in VIEWS if view.kind == "objects")


def test_bars_show_the_last_values() -> None:
    """From none to the largest; a gap where nothing was measured."""
    assert sparkline([9.0, 0.0, 4.0, None, 8.0], 4) == "▁▅ █"
    assert sparkline([0.0, 0.0], 5) == "▁▁"
    assert sparkline([], 5) == sparkline([1.0], 0) == ""
    series = Series(5.0, [1.0], {"calls": [1.0], "p99": [None], "rss": [2.0]})
    assert sparklines(series, 80).startswith("calls █")
    assert all(len(sparklines(series, width)) <= width for width in range(10, 200, 7))


def test_titles_of_a_narrow_screen_are_numbers() -> None:
    """But for the view that is looked at; the filter and what it leaves out come last."""
    wide = titles(OBJECTS, Choice(), 0, 200)
    assert [words for words, _style in wide] == [
        *(f"{number} {view.title}" for number, view in enumerate(VIEWS, 1)),
        "",
    ]
    narrow = titles(OBJECTS, Choice(filter="Bee"), 7, 40)
    shown = [words for words, _style in narrow]
    assert shown == ["1", "2", "3", "4", "5 objects", "6", "7", "8", "9", "/Bee 7 more"]
    assert [words for words, style in narrow if style] == ["5 objects", "/Bee 7 more"]
