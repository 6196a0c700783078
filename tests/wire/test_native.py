"""Tests of `txremote.wire.native`, and of what the listed modules have to keep in mind."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from txremote.wire.native import mypyc_attr

ROOT = Path(__file__).resolve().parents[2]
SETUP = ROOT / "setup.py"
PACKAGE = ROOT / "txremote"


def compiled() -> set[Path]:
    """Return the modules that mypyc compiles, as ``setup.py`` lists them."""
    listed = re.search(r"^COMPILED = (\{.*?^\})", SETUP.read_text("utf-8"), re.M | re.S)
    assert listed is not None
    rooms: dict[str, str] = ast.literal_eval(listed[1])
    return {
        PACKAGE / room / f"{name}.py" for room, names in rooms.items() for name in names.split()
    }


def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text("utf-8"))


def is_native(node: ast.stmt) -> bool:
    """Tell whether mypyc makes a class of its own kind of one, of which nobody may derive."""
    if not isinstance(node, ast.ClassDef) or node.decorator_list:
        return False
    return not any("Protocol" in ast.unparse(base) for base in node.bases)


def derived_from(module: Path, names: set[tuple[str, str]]) -> Iterator[str]:
    """Give the classes of a module whose bases are these, of which each is a module and a name."""
    imported: set[str] = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom):
            imported |= {name.name for name in node.names if (node.module, name.name) in names}
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                if isinstance(base, ast.Name) and base.id in imported:
                    yield f"{node.name}({base.id}) in {module.relative_to(PACKAGE)}"


pytestmark = pytest.mark.skipif(not SETUP.exists(), reason="needs the sources: setup.py")


def test_a_class_stays_as_it_is() -> None:
    class Plain:
        pass

    assert mypyc_attr(allow_interpreted_subclasses=True)(Plain) is Plain


def test_a_class_that_is_compiled_says_so_if_others_derive_from_it() -> None:
    """The compiled build would refuse those at import."""
    native = compiled()
    closed = {
        (f"txremote.{module.parent.name}.{module.stem}", node.name)
        for module in native
        for node in tree_of(module).body
        if is_native(node) and isinstance(node, ast.ClassDef)
    }
    assert ("txremote.peer.outbox", "Outbox") in closed
    interpreted = [module for module in PACKAGE.rglob("*.py") if module not in native]
    derived = [each for module in interpreted for each in derived_from(module, closed)]
    assert not derived


def test_no_module_that_is_compiled_has_coroutines() -> None:
    """mypyc's are none for `inspect`, and would be sent by reference, not awaited."""
    found = {
        f"{node.name} in {module.relative_to(PACKAGE)}"
        for module in compiled()
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.AsyncFunctionDef)
    }
    assert not found


def test_no_class_that_is_compiled_is_given_attributes_later() -> None:
    """``Answer.__name__ = ...`` in its own module is nothing that mypyc can make code of."""
    found = {
        f"{ast.unparse(node)} in {module.relative_to(PACKAGE)}"
        for module in compiled()
        for classes in [{n.name for n in tree_of(module).body if isinstance(n, ast.ClassDef)}]
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
        if target.value.id in classes
    }
    assert not found
