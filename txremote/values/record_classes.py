"""`record_classes`: the classes whose objects a call plan takes or gives as records."""

from __future__ import annotations

from collections.abc import Iterable

from txremote.values.compiling import AliasType
from txremote.values.containers import DictType, SequenceType, TupleType
from txremote.values.leaves import Constrained
from txremote.values.nodes import ValueType
from txremote.values.plan import CallPlan
from txremote.values.records import RecordType
from txremote.values.unions import UnionType


def record_classes(plan: CallPlan) -> set[type]:
    """Return the classes that stand in a function's annotations, at any depth."""
    found: set[type] = set()
    seen: set[int] = set()
    waiting: list[ValueType | None] = [
        *plan.types.values(),
        *(plan.var_positional, plan.var_keyword, plan.result, plan.item),
    ]
    for callback in plan.callbacks.values():
        waiting += [*callback.types.values(), callback.result]
    while waiting:
        value_type = waiting.pop()
        if value_type is None or id(value_type) in seen:
            continue
        seen.add(id(value_type))
        if isinstance(value_type, RecordType) and isinstance(value_type.cls, type):
            found.add(value_type.cls)
        waiting += _parts(value_type)
    return found


def _parts(value_type: ValueType) -> Iterable[ValueType | None]:
    if isinstance(value_type, RecordType):
        return value_type.types.values()
    if isinstance(value_type, SequenceType):
        return (value_type.item,)
    if isinstance(value_type, TupleType):
        return value_type.items
    if isinstance(value_type, DictType):
        return value_type.key, value_type.value
    if isinstance(value_type, UnionType):
        return value_type.members
    if isinstance(value_type, Constrained):
        return (value_type.inner,)
    return (value_type.target,) if isinstance(value_type, AliasType) else ()
