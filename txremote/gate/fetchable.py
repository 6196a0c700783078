"""
The objects that a peer may have a copy of, where it holds a reference (FETCH).

A copy gives no more than what the peer may read: the items of a container, by the operators that
are open, and the fields of a record that are exposed. Other objects go by reference inside a
copy, under the rules for what is handed out. Values of the standard library, and of registered
classes, are no more than what they show. A class that stands in an annotation of what is exposed,
where annotations are read, is declared a value: its fields are given.

On the connecting side records are given with all their fields: the server could have had them by
an annotation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from enum import Enum
from typing import Any, Protocol

from txremote.errors import NotSendable
from txremote.gate.converted import ConvertedAttribute
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.naming import class_name, with_article
from txremote.wire.plain import ATOMS
from txremote.wire.value_shapes import RECEIVED, RECORD, REFERENCE, plan_of

_SEQUENCES = frozenset({list, tuple, set, frozenset, deque})


class Reading(Protocol):
    """The gate, as far as it says what may be read (`txremote.gate.attributes`)."""

    @property
    def declared_records(self) -> Container[type]:
        """The classes that are declared as values by annotations of what is exposed."""

    def get(self, obj: object, name: object) -> Any:
        """Read an attribute, or raise AttributeError."""


def check_fetchable(policy: Reading, obj: object, all_fields: bool) -> None:
    """
    Check that a peer may have a copy of an object that it holds.

    Args:
        all_fields: Whether records are given with all their fields.

    Raises:
        AttributeError: it may not; the sentence names what to do.
        TypeError: it is no value.
        NotSendable: it has too many parts, or cannot be kept.
    """
    if plan_kind(obj) == REFERENCE:
        raise TypeError(
            f"{with_article(class_name(type(obj)))} is no value, and has no copy: call its "
            "methods, or send its data in a dataclass, a dict or a tuple"
        )
    seen: dict[int, object] = {}  # it keeps them, so that no other part gets one's id
    open_kinds: set[type] = set()
    waiting = [obj]
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind in ATOMS or id(part) in seen:
            continue
        seen[id(part)] = part
        if len(seen) > DEFAULT_LIMITS.max_items:
            raise NotSendable("too much for one copy (option max_items): fetch its parts")
        waiting += _parts(policy, part, kind, all_fields, open_kinds)


def plan_kind(obj: object) -> int:
    """Return how an object travels inside a value, as `txremote.wire.value_shapes` has it."""
    kind = type(obj)
    if kind in _SEQUENCES or kind in ATOMS or issubclass(kind, dict):
        return RECEIVED
    return plan_of(kind).how


def _parts(
    policy: Reading, part: Any, kind: type, all_fields: bool, open_kinds: set[type]
) -> list[object]:
    """Return what a part holds; ``open_kinds`` are builtin containers whose operators are open."""
    if kind in _SEQUENCES:
        if kind not in open_kinds:
            if kind is not tuple and kind is not frozenset:
                policy.get(part, "__iter__")
            open_kinds.add(kind)
        return list(part)
    if issubclass(kind, dict):
        if kind not in open_kinds:
            policy.get(part, "__iter__")
            policy.get(part, "__getitem__")
            if kind is dict:  # of another it may be each object's own matter
                open_kinds.add(kind)
        return [*dict.keys(part), *dict.values(part)]
    plan = plan_of(kind)
    if plan.how != RECORD:
        return []
    values = list(plan.get(part))
    if plan.shape is not None and not issubclass(kind, (tuple, Enum)):
        if _is_service(kind):
            name = with_article(class_name(kind))
            raise TypeError(f"{name} is a service, and has no copy: call its methods")
        if not (all_fields or kind in policy.declared_records):
            _check_fields(policy, part, plan.shape.fields, values)
    return values


def _is_service(kind: type) -> bool:
    return hasattr(kind, "on_connect") and hasattr(kind, "on_disconnect")


def _check_fields(
    policy: Reading, record: object, fields: tuple[str, ...], values: list[object]
) -> None:
    for name, value in zip(fields, values, strict=True):
        problem = None
        try:
            # what is exposed in place of the field, by a prefix or _rpyc_getattr, is another thing
            found = policy.get(record, name)
            is_open = (found.found if type(found) is ConvertedAttribute else found) is value
        except AttributeError as refusal:
            is_open, problem = False, refusal
        if not is_open:
            kind = class_name(type(record))
            raise AttributeError(
                f"cannot fetch {with_article(kind)}: its {name!r} is not exposed. Its owner may "
                f"return value(x), name {kind} in an annotation of a service with values=True, or "
                "expose the fields"
            ) from problem
