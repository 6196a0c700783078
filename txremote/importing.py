"""
Modules by dotted names that users write: of a service, or of a container of commands; and names
that a package has without importing their modules before they are used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType


def import_longest(parts: Sequence[str], most: int) -> tuple[ModuleType, Sequence[str]]:
    """
    Import the longest beginning of a dotted name, of at most ``most`` parts, that is a module.

    Return it and the parts that are left. Raise LookupError: there is no such module;
    ImportError: importing one has failed.
    """
    for size in range(most, 0, -1):
        module = ".".join(parts[:size])
        try:
            return import_module(module), parts[size:]
        except ModuleNotFoundError as problem:
            missing = problem.name or ""
            if module != missing and not module.startswith(missing + "."):
                raise ImportError(
                    f"importing {module!r} failed: it needs {missing!r}, which is not installed"
                ) from problem
        except (Exception, SystemExit) as problem:  # any code can be in a module
            raise ImportError(
                f"importing {module!r} failed: {type(problem).__name__}: {problem}"
            ) from problem
    raise LookupError(f"no module {parts[0]!r}, installed or in the working directory")


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """
    Return a package's ``__getattr__`` and ``__dir__``, for names whose modules are imported when
    they are used first.

    Args:
        package: Its name.
        modules: The module of each name; ``"module:other"`` where it has another name there, and
            ``"module:"`` for the module itself.
    """
    names = vars(sys.modules[package])

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, colon, there = modules[name].partition(":")
        found: object = import_module(module)
        if there or not colon:
            found = getattr(found, there or name)
        names[name] = found
        return found

    return get, lambda: sorted({*names, *modules})
