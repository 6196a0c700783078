"""Which build the tests run on. Not a test file."""

import pytest

from txremote.versions import code_text

COMPILED = code_text() == "compiled"

#: Of a test that looks into how the code does it: at bytes that watch how they are read.
interpreted_only = pytest.mark.skipif(COMPILED, reason="compiled code reads bytes itself")
