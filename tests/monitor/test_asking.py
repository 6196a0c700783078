"""
An operator's client: what comes becomes rows, whatever version the server has.
"""

from __future__ import annotations

import pytest

from txremote import Record, RemoteProtocolError
from txremote.monitor.asking import read_as
from txremote.monitor.rows import ObjectRow, Series


def test_rows_of_a_later_server_lose_what_is_not_known() -> None:
    """Fields may be added; they are left out."""
    later = Record("ObjectRow", class_name="a", count=1, growth_per_minute=2, holders=3, more="x")
    [row] = read_as([later], list[ObjectRow])
    assert row == ObjectRow("a", 1, 2.0, 3)
    series = Record("Series", step=5.0, at=[1.0], columns={"calls": [None]})
    assert read_as(series, Series) == Series(5.0, [1.0], {"calls": [None]})


@pytest.mark.parametrize(
    "answer", [None, [Record("ObjectRow", count="many")], [{"class_name": 1}], 7]
)
def test_what_is_no_row_is_refused(answer: object) -> None:
    """With a sentence, and never half a table."""
    with pytest.raises(RemoteProtocolError, match="rows are not those of this version"):
        read_as(answer, list[ObjectRow])
