"""
What a module imports for type checkers only.
"""

from __future__ import annotations

import sys
import types
from fractions import Fraction

import pytest

from txremote.stubs.type_checking import names_for_checkers


def test_it_is_imported() -> None:
    assert names_for_checkers("tests.stubs.shop")["Fraction"] is Fraction


def test_a_module_without_source_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert names_for_checkers("no.such.module") == {}
    monkeypatch.setitem(sys.modules, "made_here", types.ModuleType("made_here"))
    assert names_for_checkers("made_here") == {}
