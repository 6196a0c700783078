"""
The figures of the house: that they are counted right, not what they are.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from benchmarks import house, house_trips
from benchmarks.house import Source, circles, imports, rooms, sources

SAMPLE = '''\
"""
What it is. Who asks is told.
"""

import typing
from typing import Any, cast  # not a use

TEXT = """

no docstring
"""


class Box:
    """
    One sentence.
    """

    # a comment
    content: Any = None  # type: ignore[x]

    def get(self, key: typing.Any) -> list[Any]:
        """
        One. Two.
        """
        return cast(list, self.content)

    async def put(self): ...
'''


@pytest.fixture
def sample() -> Source:
    return Source(Path("room/sample.py"), SAMPLE)


def test_a_line_is_of_one_kind(sample: Source) -> None:
    """The lines of a text are code, and those of a docstring are not, blank ones too."""
    assert sample.lines == {"code": 11, "docstring": 9, "comment": 1, "blank": 7}
    assert sample.lines.total() == len(SAMPLE.splitlines())


def test_uses_of_any_are_counted_and_imports_are_not(sample: Source) -> None:
    assert house.any_names([sample]) == 3
    assert house.any_per_hundred([sample]) == pytest.approx(300 / 11)
    assert house.any_per_hundred([]) == 0
    assert house.type_ignores([sample]) == 1
    assert house.casts([sample]) == 1


def test_a_function_is_as_long_as_it_is_without_its_docstring(sample: Source) -> None:
    assert dict(house.functions(sample)) == {"room/sample.py:get": 2, "room/sample.py:put": 1}
    assert dict(house.classes(sample)) == {"room/sample.py:Box": 2}


def test_sentences_are_looked_at_where_they_begin(sample: Source) -> None:
    assert house.riddles([sample]) == 2
    assert house.spread_sentences([sample]) == 1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Tell who asks what it is.", 0),
        ("See Whoever.", 0),
        ("Whoever asks. Whose it is!\n\nWhat it is", 3),
        ("Args:\n    key: What to look for.", 1),
        ("Whatever.", 0),
    ],
)
def test_riddles(text: str, count: int) -> None:
    assert house.riddles([Source(Path("x.py"), f'"""{text}"""')]) == count


def test_circles_are_found_through_imports_of_every_kind(tmp_path: Path) -> None:
    """Those for types and those within functions; by dots; a package is not its modules."""
    files = {
        "__init__.py": "from txremote.low.a import a\nimport outside",
        "errors.py": "",
        "low/__init__.py": "from . import a",
        "low/a.py": "if TYPE_CHECKING:\n    from ..high.b import name",
        "low/alone.py": "from txremote.errors import Error\nfrom txremote.low import a",
        "high/b.py": "def f():\n    import txremote.high.c",
        "high/c.py": "from txremote.low import a",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = sources(tmp_path)
    graph = imports(found)
    assert graph["low.alone"] == {"errors", "low.a"}
    assert graph["low"] == {"low.a"}
    assert circles(graph) == [["high.b", "high.c", "low.a"]]
    assert circles(rooms(graph, found)) == [["high", "low"]]


def test_two_circles_are_told_apart() -> None:
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}, "e": {"a"}}
    assert circles(graph) == [["a", "b"], ["c", "d"]]


def test_a_move_is_a_call_in_another_file_than_the_last() -> None:
    steps = [("a.py", "f"), ("a.py", "g"), ("b.py", "f"), ("a.py", "f")]
    assert house_trips.figures(steps) == {"calls": 4, "files": 2, "moves": 2}
    assert house_trips.figures([]) == {"calls": 0, "files": 0, "moves": 0}


def test_a_call_in_memory_passes_the_same_files_each_time() -> None:
    """The connection is among them, or what reads for it; what carries the bytes is not."""
    told = house_trips.report([*islice(house_trips.in_memory(), 5)])
    assert len(told) == 3
    for trip in told.values():
        files = [file for file, _name in trip["steps"]]
        assert "testing.py" not in files
        assert {"peer/connection.py", "peer/receiving.py"}.intersection(files)
        assert trip["rounds"] == [house_trips.figures(trip["steps"])] * 3
