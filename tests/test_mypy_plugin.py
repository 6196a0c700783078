"""
The plugin for mypy: which names it looks after. What it makes of them, on whole programs with
marked mistakes, is in ``tests/stubs/test_checkers.py``, in one run of mypy.
"""

from __future__ import annotations

import pytest

pytest.importorskip("mypy")

from mypy.options import Options

from txremote.mypy_plugin import plugin
from txremote.refs.typed import TypedReference
from txremote.views.reactor import typed


def test_it_types_views_and_leaves_the_rest_alone() -> None:
    made = plugin("2.4.1")(Options())
    view = f"{TypedReference.__module__}.{TypedReference.__qualname__}"
    assert made.get_function_hook(f"{typed.__module__}.{typed.__qualname__}") is not None
    assert made.get_function_hook("txremote.typed") is not None
    assert made.get_attribute_hook(f"{view}.put") is not None
    assert made.get_attribute_hook(f"{view}._target") is None
    assert made.get_attribute_hook("builtins.str.put") is None
