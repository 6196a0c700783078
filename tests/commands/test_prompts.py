"""``shell`` and ``console``, as far as it is not in tests of their prompts."""

from __future__ import annotations

import sys

import pytest

from txremote.cli import main


def test_a_console_needs_plac(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence says how to get it."""
    for name in [name for name in sys.modules if name.startswith("txremote.console.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plac_core", None)
    monkeypatch.delattr("txremote.console.terminal", raising=False)
    assert main(["console", "importer.Importer"]) == 2
    assert "pip install 'txremote[console]'" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--plain", "--await"])
def test_a_shell_without_a_server_is_a_sentence(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no prompt."""
    assert main(["shell", "nonsense", option]) == 2
    assert capsys.readouterr().err.startswith("txremote: cannot connect to nonsense: ")
