"""The words of ``txremote tasks``; ``tests/console/test_remote.py`` has the work."""

from __future__ import annotations

import pytest

from txremote.cli import parser


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("submit import_file a -f", {"word": ["import_file", "a"], "follow": True}),
        ("list finished", {"word": "finished", "follow": False}),
        ("kill", {"word": -1}),
        ("output 3 4 --follow", {"word": [3, 4], "follow": True}),
    ],
)
def test_an_action_has_its_words(line: str, expected: dict[str, object]) -> None:
    """The latest task where none is named."""
    options = parser().parse_args(["tasks", "localhost:1", *line.split()])
    assert expected.items() <= vars(options).items()
