"""
Modules that a worker process would look for in the wrong place, by its parent's path.

A program imports much before a folder comes first on its path: ``twistd`` puts its working
directory there. A file ``random.py`` in it does no harm then, but to a process that has the path
from the beginning. So the parent tells which names its path leads elsewhere now, and the process
looks for those by the path that it has begun with. For any thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


def hidden_names(path: Sequence[str]) -> list[str]:
    """Return the modules, without dots, that are imported and that others on a path hide."""
    library = os.path.dirname(os.__file__)
    found = set()
    for folder in path:
        if folder == library:
            break
        try:
            files = os.listdir(folder or os.curdir)
        except OSError:  # a zip file, or it is gone
            continue
        for name in {file.partition(".")[0] for file in files}:
            module = sys.modules.get(name)
            if module is not None and not _is_in(module, folder):
                found.add(name)
    return sorted(found)


def _is_in(module: ModuleType, folder: str) -> bool:
    places = [*getattr(module, "__path__", ())] or [getattr(module, "__file__", None) or ""]
    real = os.path.realpath(folder or os.curdir)
    return any(os.path.realpath(os.path.dirname(place)) == real for place in places)


class OwnPathFinder:
    """Finds some modules by the path that this process has begun with."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        self._path = sys.path[:]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; None if it is none of these, or not there."""
        if path is not None or name not in self._names:
            return None
        return PathFinder.find_spec(name, self._path, target)
