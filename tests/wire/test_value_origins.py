"""Objects that peers have sent are noted for as long as they live."""

from __future__ import annotations

import gc
import re

from tests.wire.extended import sent
from txremote.wire.value_origins import _sent, noted, was_sent


class Thing:
    pass


def test_an_object_is_noted_by_identity_and_forgotten_with_it() -> None:
    first, second = noted(Thing()), Thing()
    assert was_sent(first)
    assert not was_sent(second)
    assert noted(first) is first
    key = id(first)
    assert key in _sent
    del first
    gc.collect()
    assert key not in _sent


def test_a_pattern_that_is_sent_is_none_of_the_programs() -> None:
    own = re.compile("a+b", re.I)
    found = sent(own)
    assert found == own
    assert found is not own
    assert was_sent(found)
    assert not was_sent(own)
    assert not was_sent(re.compile("a+b", re.I))
