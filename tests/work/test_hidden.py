"""Modules that a process finds where its parent has them, whatever lies on the path."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from txremote.work.hidden import OwnPathFinder, hidden_names


def test_what_was_imported_before_a_folder_came_on_the_path_is_named(tmp_path: Path) -> None:
    """Modules and packages; what is not imported, or stands behind the library, is not."""
    for name in ("random.py", "twisted.cpython-311.so", "not_imported.py", "random.txt"):
        (tmp_path / name).touch()
    (tmp_path / "json").mkdir()
    library = os.path.dirname(os.__file__)
    assert {"random", "json", "twisted"} <= sys.modules.keys()
    assert hidden_names([str(tmp_path), "/no/such", library]) == ["json", "random", "twisted"]
    assert hidden_names([library, str(tmp_path)]) == []


def test_what_was_imported_from_that_folder_is_not(tmp_path: Path) -> None:
    """A program's own modules are found where they are."""
    root = str(Path(__file__).parents[2])
    assert "tests" in sys.modules and "txremote" in sys.modules
    assert not {"tests", "txremote"} & set(hidden_names([root]))


def test_those_are_found_by_the_path_from_the_beginning(tmp_path: Path) -> None:
    """All others are left to Python, and so are the modules of packages."""
    finder = OwnPathFinder(["random", "nosuch"])
    (tmp_path / "random.py").touch()
    sys.path.insert(0, str(tmp_path))
    try:
        found = finder.find_spec("random")
    finally:
        sys.path.remove(str(tmp_path))
    assert found is not None and found.origin == sys.modules["random"].__file__
    assert finder.find_spec("nosuch") is None
    assert finder.find_spec("calendar") is None
    assert finder.find_spec("random", ["/some/package"]) is None
