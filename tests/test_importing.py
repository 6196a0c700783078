"""
Modules by dotted names that users write, and names of packages that are imported late.
"""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from txremote.importing import import_longest, lazy_names


class TestImportLongest:
    def test_what_is_no_module_is_left(self) -> None:
        """What it is within the module is for whoever asked."""
        parts = ["os", "path", "join", "nothing"]
        assert import_longest(parts, 4) == (os.path, ["join", "nothing"])
        assert import_longest(parts, 1) == (os, ["path", "join", "nothing"])

    def test_no_module(self) -> None:
        """It is told by its first name, which is what was not found."""
        with pytest.raises(LookupError, match="no module 'nosuch', installed or in the working"):
            import_longest(["nosuch", "thing"], 2)

    @pytest.mark.parametrize(
        ("code", "sentence"),
        [
            ("1 / 0", "importing 'spoilt' failed: ZeroDivisionError: division by zero"),
            ("import nosuch.thing", "importing 'spoilt' failed: it needs 'nosuch', which is not"),
            ("raise SystemExit(3)", "importing 'spoilt' failed: SystemExit: 3"),
        ],
    )
    def test_a_module_that_fails(
        self, code: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever is in it; one that is missing within it is not mistaken for itself."""
        (tmp_path / "spoilt.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ImportError, match=sentence):
            import_longest(["spoilt", "Thing"], 1)


def test_a_lazy_name_is_imported_once_it_is_used_and_listed_before() -> None:
    """A name that is none says which package has no such name."""
    package = ModuleType("lazy_package")
    sys.modules["lazy_package"] = package
    try:
        package.__getattr__, package.__dir__ = lazy_names(  # type: ignore[method-assign]
            "lazy_package",
            {
                "Fraction": "fractions",
                "Ratio": "fractions:Fraction",
                "nothing": "fractions",
                "whole": "fractions:",
            },
        )
        assert {"Fraction", "Ratio", "nothing"} <= set(dir(package))
        assert "Fraction" not in vars(package)
        assert package.Fraction is vars(package)["Fraction"] is package.Ratio is Fraction
        assert package.whole is sys.modules["fractions"]
        with pytest.raises(AttributeError, match="module 'lazy_package' has no attribute 'more'"):
            _ = package.more
    finally:
        del sys.modules["lazy_package"]


TWISTED = {"twisted.internet.defer", "twisted.internet.interfaces", "zope.interface"}
REACTOR = {"twisted.internet.reactor", "twisted.internet.endpoints", "twisted.cred", "OpenSSL"}
SERVICES = {"twisted.application.service", "txremote.pool_interfaces", "txremote.net"}


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import txremote", {*TWISTED, *REACTOR, *SERVICES, "asyncio", "ssl", "txremote.wire"}),
        ("import txremote.blocking", {*TWISTED, *REACTOR, "asyncio", "ssl", "txremote.wire"}),
        ("from txremote.blocking import connect", {*REACTOR, *SERVICES, "txremote.views"}),
        (
            "import txremote.work.child",
            {"twisted", "zope", "asyncio", "txremote.errors", "inspect"},
        ),
        ("import txremote.cli", {*TWISTED, *REACTOR, *SERVICES, "asyncio", "txremote.peer"}),
        (
            "from txremote.cli import main; main(['call', '127.0.0.1:1', 'x'])",
            {*REACTOR - {"twisted.cred"}, *SERVICES, "txremote.monitor", "txremote.console"},
        ),
    ],
)
def test_a_program_that_is_to_begin_soon_imports_no_more_than_it_uses(
    program: str, absent: set[str]
) -> None:
    """Each of these takes as long as a hundred calls."""
    loaded = f"{program}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60
    )
    found = set(done.stdout.split())
    assert "txremote.importing" in found
    assert not absent & found
