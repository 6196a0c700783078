"""
What type checkers make of stubs, and mypy of interfaces and services with our plugin.

`clients` has programs with marked mistakes: each mark is found, and nothing else is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.stubs import shop
from txremote.stubs.module import module_text

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "clients"
FILES = ("right.py", "wrong.py")

MYPY = """\
[mypy]
strict = True
plugins = txremote.mypy_plugin, mypy_zope:plugin
mypy_path = {root}
follow_imports = silent
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs, and the stubs that they use."""
    path = tmp_path_factory.mktemp("checked")
    text = module_text(shop.Shop, "tests.stubs.shop.Shop")
    (path / "shop_stubs.py").write_text(text, "utf-8")
    for program in CLIENTS.glob("*.py"):
        (path / program.name).write_bytes(program.read_bytes())
    return path


def marked(name: str) -> set[int]:
    """Return the lines of a program that are marked as wrong."""
    lines = (CLIENTS / name).read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if "# wrong" in line}


def run(words: list[str], folder: Path) -> str:
    """Run a checker; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def check(found: dict[str, set[int]], names: tuple[str, ...], said: str) -> None:
    """Compare the lines that were found in each program with those that are marked."""
    for name in (*names, "shop_stubs.py"):
        expected = marked(name) if name in names else set()
        assert found.get(name, set()) == expected, said


def test_mypy_finds_each_mistake_and_no_other(folder: Path) -> None:
    """With stubs, and with interfaces and services by the plugin: one run for all."""
    pytest.importorskip("mypy")
    pytest.importorskip("mypy_zope")
    (folder / "mypy.ini").write_text(MYPY.format(root=ROOT))
    names = (*FILES, "interfaces.py")
    said = run(["mypy", *names, "shop_stubs.py"], folder)
    found: dict[str, set[int]] = {}
    for line in said.splitlines():
        match = re.match(r"(\w+\.py):(\d+): error", line)
        if match:
            found.setdefault(match[1], set()).add(int(match[2]))
    check(found, names, said)


@pytest.mark.skipif(find_spec("pyright") is None, reason="pyright is not installed")
def test_pyright_finds_each_mistake_and_no_other(folder: Path) -> None:
    config = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
    config["reportUnusedExpression"] = "none"  # type: ignore[assignment]
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    words = ["pyright", "--outputjson", "--pythonpath", sys.executable]
    said = run([*words, *FILES, "shop_stubs.py"], folder)
    try:
        told = json.loads(said[said.index("{") :])
    except ValueError:
        pytest.skip(f"pyright does not run here: {said[:200]}")
    found: dict[str, set[int]] = {}
    for each in told["generalDiagnostics"]:
        if each["severity"] == "error":
            line = each["range"]["start"]["line"] + 1
            found.setdefault(Path(each["file"]).name, set()).add(line)
    check(found, FILES, "\n".join(sorted(each["message"] for each in told["generalDiagnostics"])))


def test_there_are_ten_mistakes() -> None:
    assert len(marked("wrong.py")) >= 10
    assert not marked("right.py")
