"""Skips the tests of a module that imports this, where a part that they need is missing."""

import pytest

for _name in ("IPython", "numpy"):
    pytest.importorskip(_name, reason=f"{_name} is not installed (extra test)")
