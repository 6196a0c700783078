"""
`written_method`: a method of a zope interface as its source has it, with annotations.

zope.interface keeps the names and defaults of a method's parameters, and drops the function that
was written. Its annotations are found again in the source of the interface's module: the ``def``
is made a function, without its body and decorators, whose annotations are texts and whose
globals are the module's, so that they are resolved as any function's are. Defaults are ``...``.
"""

from __future__ import annotations
import __future__

import ast
import copy
import inspect
import sys
from functools import lru_cache
from types import FunctionType, ModuleType

from zope.interface.interface import InterfaceClass


def written_method(interface: InterfaceClass, name: str) -> FunctionType | None:
    """Return a method that an interface itself defines; None where there is no source of it."""
    module = sys.modules.get(interface.__module__)
    if module is None:
        return None
    owner: str = interface.__name__
    found = _definitions(module).get(owner, {}).get(name)
    return None if found is None else _function(found, module, owner)


@lru_cache(maxsize=64)
def _definitions(module: ModuleType) -> dict[str, dict[str, ast.FunctionDef]]:
    """Return the functions that the classes of a module define; not of names used twice."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError, ValueError):  # frozen, compiled, made by hand
        return {}
    classes: dict[str, dict[str, ast.FunctionDef]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            functions = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
            classes[node.name] = {} if node.name in classes else functions
    return classes


def _function(written: ast.FunctionDef, module: ModuleType, owner: str) -> FunctionType:
    made = copy.copy(written)
    made.args = _without_defaults(written.args)
    made.body = [ast.Pass()]
    made.decorator_list = []
    tree = ast.fix_missing_locations(ast.Module(body=[made], type_ignores=[]))
    flags = __future__.annotations.compiler_flag
    code = compile(tree, module.__name__, "exec", flags=flags, dont_inherit=True)
    names: dict[str, FunctionType] = {}
    exec(code, vars(module), names)
    function = names[written.name]
    function.__module__ = module.__name__
    function.__qualname__ = f"{owner}.{written.name}"
    function.__doc__ = ast.get_docstring(written)
    return function


def _without_defaults(written: ast.arguments) -> ast.arguments:
    args = copy.copy(written)
    ellipsis = ast.Constant(...)
    args.defaults = [ellipsis for _ in written.defaults]
    args.kw_defaults = [default and ellipsis for default in written.kw_defaults]
    return args
