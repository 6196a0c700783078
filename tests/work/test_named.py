"""
Functions that travel by the name of what stands in their place: see test_offload.py.
"""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from tests.work.declared_jobs import Printer
from txremote.work.named import OFFLOADED_MARK, FunctionByName, by_name


def test_another_process_finds_the_function_under_its_decorated_form() -> None:
    original = getattr(Printer.ink_for, OFFLOADED_MARK)
    named: Any = pickle.loads(pickle.dumps(by_name(original)))
    assert type(named) is FunctionByName
    assert named.find() is original


def test_a_name_that_leads_nowhere_says_so() -> None:
    with pytest.raises(AttributeError):
        FunctionByName(__name__, "nothing").find()
    with pytest.raises(ImportError):
        FunctionByName("tests.work.nowhere", "nothing").find()
