"""An event on a bus, to bytes and back."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from txremote.buses.envelope import Event, seal, unseal
from txremote.errors import RemoteProtocolError
from txremote.topics.filters import LONGEST_KEY
from txremote.wire import brine

IDS = st.tuples(st.integers(0, 1 << 62), st.integers(0, 1 << 62))


@given(
    st.builds(
        Event,
        st.text(min_size=1, max_size=16),
        st.integers(1, 1 << 62),
        IDS,
        st.none() | IDS,
        st.none() | st.text(max_size=50),
        st.none() | st.binary(),
    )
)
def test_it_comes_back_and_looks_like_no_number(event: Event) -> None:
    sealed = seal(event)
    assert unseal(sealed) == event
    with pytest.raises((ValueError, UnicodeError)):  # as txredisapi tries it
        float(sealed.decode())


GOOD = (1, "origin", 1, (1, 0), None, "key", b"payload")


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (7, "no event"),
        ((2, *GOOD[1:]), "no event"),
        (GOOD[:-1], "no event"),
        ((*GOOD[:1], "", *GOOD[2:]), "other types"),
        ((*GOOD[:1], "x" * 65, *GOOD[2:]), "other types"),
        ((*GOOD[:2], 0, *GOOD[3:]), "other types"),
        ((*GOOD[:2], True, *GOOD[3:]), "other types"),
        ((*GOOD[:2], 1 << 64, *GOOD[3:]), "max_int_digits|other types"),
        ((*GOOD[:2], 10**25, *GOOD[3:]), "max_int_digits"),
        ((*GOOD[:3], (1, -1), *GOOD[4:]), "other types"),
        ((*GOOD[:3], (1, 2, 3), *GOOD[4:]), "other types"),
        ((*GOOD[:4], 5, *GOOD[5:]), "other types"),
        ((*GOOD[:5], b"key", GOOD[6]), "other types"),
        ((*GOOD[:5], "k" * (LONGEST_KEY + 1), GOOD[6]), "LONGEST_KEY"),
        ((*GOOD[:6], "payload"), "other types"),
        ((*GOOD[:6], ((((1,),),),)), "max_depth"),
    ],
)
def test_what_is_none_is_refused_by_name(parts: object, says: str) -> None:
    with pytest.raises(RemoteProtocolError, match=says):
        unseal(brine.dump(parts))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_an_error(data: bytes) -> None:
    try:
        assert isinstance(unseal(data), Event)
    except RemoteProtocolError:
        pass
