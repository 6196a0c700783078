"""
`names_for_checkers`: what a module imports for type checkers only.

Annotations may name it, and stubs are for type checkers. Nothing else imports it, for that is what
``if TYPE_CHECKING`` is for.
"""

from __future__ import annotations

import ast
import inspect
import sys
from contextlib import suppress
from functools import lru_cache


@lru_cache(maxsize=64)
def names_for_checkers(module_name: str) -> dict[str, object]:
    """Return what a module imports under ``if TYPE_CHECKING``, imported now."""
    module = sys.modules.get(module_name)
    if module is None:
        return {}
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return {}
    names: dict[str, object] = {"__package__": module.__package__, "__name__": module_name}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for each in node.body:
                if isinstance(each, ast.Import | ast.ImportFrom):
                    with suppress(ImportError):  # that name stays unknown
                        exec(compile(ast.Module([each], []), module_name, "exec"), names)
    return names
