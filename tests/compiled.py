"""
The tests on the compiled build: ``python -m tests.compiled`` makes the wheel and runs them on it.

Not a test file. The wheel is made of a copy of the sources, as a user makes it, and installed into
an environment of its own, which sees the packages of this one. The tests are run from a copy of
the tree without the package: what they import is what was installed. Arguments go to pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: What a wheel is made of.
SOURCES = ("setup.cfg", "setup.py", "pyproject.toml", "README.rst", "LICENSE")
PACKAGES = ("txremote", "twisted")
#: What is not copied: environments, caches, what was built before.
_LEFT = (".*", "__pycache__", "*.pyc", "*.egg-info", "build", "dist", "dropin.cache")

#: The rooms whose code is compiled or stands nearest to it, and the attackers.
PARTS = (
    *("wire", "values", "peer", "refs", "gate", "topics", "streams", "tracing", "hostile"),
    # its others ask which packages are a program's own, and those here are of another environment
    "monitor/test_loopwatch.py::test_a_call_that_holds_the_loop_is_named_with_its_line",
)

_SAYS_IT = "from txremote.versions import code_text; print(code_text())"


def copied(source: Path, target: Path) -> None:
    """Copy a file, or a folder without what `_LEFT` names."""
    if source.is_dir():
        shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns(*_LEFT))
    else:
        shutil.copy(source, target)


def wheel(folder: Path) -> Path:
    """Build the compiled wheel as a user does, and return it."""
    sources = folder / "sources"
    sources.mkdir()
    for name in (*SOURCES, *PACKAGES):
        copied(ROOT / name, sources)
    words = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), ".")
    environment = {**os.environ, "TXREMOTE_COMPILE": "1"}
    subprocess.run(words, cwd=sources, env=environment, check=True)
    (found,) = folder.glob("*.whl")
    return found


def environment(folder: Path) -> Path:
    """Make an environment with the compiled wheel, and return its Python."""
    built = wheel(folder)
    made = folder / "venv"
    venv.create(made, symlinks=True)
    python = made / "bin" / "python"
    words = (sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps")
    subprocess.run((*words, str(built)), check=True)
    paths = sysconfig.get_paths(vars={"base": str(made), "platbase": str(made)})
    # its own .pth files, of which one names this checkout, are not read
    Path(paths["purelib"], "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    for each in Path(sys.executable).parent.iterdir():
        target = python.with_name(each.name)
        if each.is_file() and not target.exists():
            first, *rest = each.read_bytes().splitlines(keepends=True)
            if first.startswith(b"#!") and sys.executable.encode() in first:
                target.write_bytes(b"".join([f"#!{python}\n".encode(), *rest]))
                target.chmod(0o755)
    return python


def main(arguments: list[str]) -> int:
    """Run the tests on the compiled build; return pytest's status."""
    with tempfile.TemporaryDirectory(prefix="tx") as name:
        folder = Path(name)
        python = environment(folder)
        tree = folder / "tree"
        tree.mkdir()
        for each in sorted(ROOT.iterdir()):
            if each.name not in (*PACKAGES, "setup.py") and each.name[0] != ".":
                copied(each, tree)
        said = subprocess.run(
            (python, "-c", _SAYS_IT), cwd=tree, check=True, capture_output=True, text=True
        )
        assert said.stdout == "compiled\n", said.stdout
        tests = arguments or [f"tests/{part}" for part in PARTS]
        words = (python, "-m", "pytest", "-p", "no:cacheprovider", *tests)
        return subprocess.run(words, cwd=tree, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
