"""
Modules by dotted names that users write.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from txremote.importing import import_longest


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
