"""numpy's scalars arrive as values that write no files, and as themselves where declared."""

from __future__ import annotations

from typing import Any

import pytest

np = pytest.importorskip("numpy")

import txremote.values.libraries  # noqa: F401, E402
from tests.wire.extended import sent  # noqa: E402
from txremote.errors import WrongValue  # noqa: E402
from txremote.values.compiling import value_type  # noqa: E402
from txremote.wire.record import KIND_OTHER, Record, make_record  # noqa: E402

PLAIN = [
    *((np.float64(-0.0), float), (np.float32(0.1), float), (np.float16("inf"), float)),
    *((np.int8(-3), int), (np.uint64(2**64 - 1), int), (np.bool_(True), bool)),
    *((np.complex64(1j), complex), (np.str_("x\0"), str), (np.bytes_(b"x\0"), bytes)),
]
OTHERS = [
    *(np.datetime64("2026-05-01"), np.timedelta64(5, "s"), np.longdouble("0.1")),
    np.array([(1, b"a")], [("a", "<i4"), ("b", "S1")])[0],
]


def declared(annotation: Any, raw: object) -> Any:
    kind = value_type(annotation)
    assert kind is not None
    return kind.convert(raw, "it")


@pytest.mark.parametrize(("scalar", "kind"), PLAIN, ids=repr)
def test_a_scalar_that_python_has_is_a_value_of_pythons(scalar: Any, kind: type) -> None:
    raw = sent(scalar)
    assert type(raw) is kind
    assert raw == scalar
    for annotation in (type(scalar), type(scalar) | None):
        found = declared(annotation, raw)
        assert type(found) is type(scalar)
        assert found.tobytes() == scalar.tobytes()
    assert declared(list[type(scalar)], [raw, scalar]) == [scalar, scalar]  # type: ignore[misc]


@pytest.mark.parametrize("scalar", OTHERS, ids=lambda scalar: type(scalar).__name__)
def test_another_is_a_record_until_it_is_declared(scalar: Any) -> None:
    raw = sent(scalar)
    assert type(raw) is Record
    assert sent({raw: 1}) == {raw: 1}
    assert sent(raw) == raw
    for annotation in (type(scalar), np.generic):
        found = declared(annotation, raw)
        assert type(found) is type(scalar)
        assert found.tobytes() == scalar.tobytes()


@pytest.mark.parametrize(
    ("annotation", "raw", "kind"),
    [
        *((np.floating, 1.5, np.float64), (np.number, 2, np.int64), (np.generic, "x", np.str_)),
        *((np.unsignedinteger, 2**63, np.uint64), (np.integer, 2**63, np.uint64)),
        *((np.float32, 1.5, np.float32), (np.generic, True, np.bool_)),
    ],
)
def test_a_family_takes_the_usual_class(annotation: Any, raw: object, kind: type) -> None:
    found = declared(annotation, raw)
    assert type(found) is kind
    assert found == raw


def test_nan_is_nan() -> None:
    assert np.isnan(declared(np.float32, sent(np.float32("nan"))))


@pytest.mark.parametrize(
    ("annotation", "raw"),
    [
        *((np.int8, 300), (np.int8, 1.0), (np.float32, 0.1), (np.float32, 1e300), (np.bool_, 1)),
        *((np.int64, True), (np.integer, 2**64), (np.timedelta64, 5), (np.str_, b"x")),
        *((np.datetime64, "2026-05-01"), (np.float64, [1.5]), (np.signedinteger, 2**63)),
        (np.generic, make_record(KIND_OTHER, "scalar", {"dtype": "<f8", "data": b"x"})),
        (np.generic, make_record(KIND_OTHER, "scalar", {"dtype": "O"})),
        (np.generic, Record("scalar", dtype="<f8", data=b"x" * 8)),
    ],
)
def test_what_is_none_is_refused(annotation: Any, raw: object) -> None:
    with pytest.raises(WrongValue, match="it: expected"):
        declared(annotation, raw)
