"""
Small lists and dicts of plain values, which are what most calls have that have a value at all.

They need nothing of what extended values need: no numbers for what is shared, no shapes, no
references. The benchmark row "dict argument" bought this: half of what such a call takes beyond
one with a tuple. All other values are left to `txremote.wire.values` and
`txremote.wire.value_loading`, which have the errors, too.
"""

from __future__ import annotations

from typing import Final

from txremote.errors import RemoteProtocolError
from txremote.wire.brine import Budget, dump_into, load_items
from txremote.wire.plain import ATOMS

#: Items at most, of a dict keys and values.
MOST: Final = 32

#: What a list, dict, set or record counts as, beside its items.
CONTAINER_COST: Final = 4

_LIST: Final = b"\x1c"  # TAG_LIST
_DICT: Final = b"\x1d"  # TAG_DICT
_FLAT: Final = ATOMS - {complex}


def flat_items(value: object) -> tuple[object, ...]:
    """Return the items of a small list or dict of plain values; of all else an empty tuple."""
    if type(value) is dict:
        if len(value) * 2 > MOST:
            return ()
        items = tuple([part for pair in value.items() for part in pair])
    elif type(value) is list and len(value) <= MOST:
        items = tuple(value)
    else:
        return ()
    return items if _FLAT.issuperset(map(type, items)) else ()


def dump_flat(out: list[bytes], value: object, items: tuple[object, ...]) -> None:
    """Append a value that has these `flat_items`. Raises as `dump_into` does."""
    out.append(_DICT if type(value) is dict else _LIST)
    dump_into(out, items)


def load_flat(data: bytes, pos: int, depth: int, budget: Budget) -> tuple[object, int] | None:
    """Decode a small flat value at a position, if there is one that is right."""
    tag = data[pos]
    if tag != 0x1C and tag != 0x1D:  # TAG_LIST, TAG_DICT
        return None
    counted = data[pos + 1]
    if 0x10 <= counted <= 0x13:  # TAG_TUPLE_1, TAG_TUPLE_4
        count, start = counted - 0x0F, pos + 2  # TUPLE_BEFORE
    elif counted == 0x14 and data[pos + 2] <= MOST:  # TAG_TUPLE_L1
        count, start = data[pos + 2], pos + 3
    else:
        return None
    left = budget.items
    try:
        items, end = load_items(data, start, count, depth, budget)
        if budget.counted:
            budget.take(CONTAINER_COST)
    except RemoteProtocolError:
        budget.items = left
        return None
    if end <= len(data) and _FLAT.issuperset(map(type, items)):
        if tag == 0x1C:  # TAG_LIST
            return list(items), end
        made = dict(zip(items[::2], items[1::2], strict=False))
        if len(made) * 2 == count:
            return made, end
    budget.items = left
    return None
