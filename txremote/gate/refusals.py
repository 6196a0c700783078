"""
Why a peer may not reach a name: the sentences of the gate's errors.

They are for the program's author as much as for the peer's: they say how a name is exposed, and
of an object that could go as a value how it is sent as one.
"""

from __future__ import annotations

from txremote.config import DEFAULT_CONFIG
from txremote.errors import NotSendable
from txremote.gate.builtin_types import CLOSED
from txremote.gate.exposure import LONGEST_TOLD, is_exposed, name_of, shown, static
from txremote.gate.fallbacks import FALLBACKS
from txremote.wire.naming import with_article
from txremote.wire.value_shapes import OTHER, RECORD, plan_of

TO_COPY = "copy it by 'await fetch(ref)' or txremote.blocking.fetch(netref)"
TO_SEND = "let its owner send it as a value: by value(x), or by an annotation and values=True"


def marking(prefix: str) -> str:
    """Return the decorator that exposes a name, as an error tells it."""
    return "@exposed" if prefix == DEFAULT_CONFIG.exposed_prefix else f"@exposed({prefix!r})"


def refusal(obj: object, name: str, prefix: str) -> AttributeError:
    """Return the error of a name that a peer may not reach."""
    kind = name_of(obj)
    if name in FALLBACKS:
        return AttributeError(
            f"cannot access {name!r} of {kind}: it is no safe operator here (add it to "
            "safe_attrs, or do it in a method of the owner's)"
        )
    if name.startswith("_") or not prefix or type(obj) in CLOSED or len(name) > LONGEST_TOLD:
        return AttributeError(f"cannot access {shown(name)} of {kind}")
    if static(obj, "expects_login") is True:
        return AttributeError(
            f"cannot access {name!r}: log in first, by root.login(user, password)"
        )
    if any(is_exposed(base.__dict__.get(name), prefix) for base in type(obj).__mro__):
        return AttributeError(
            f"cannot access {name!r}: {kind} overrides an exposed {name} without "
            f"exposing it (mark it with {marking(prefix)} as well)"
        )
    value = _as_value(type(obj))
    if value == OTHER:
        return AttributeError(
            f"cannot access {name!r}: {with_article(kind)} that goes by reference opens no such "
            f"name ({TO_COPY}, or {TO_SEND})"
        )
    return AttributeError(
        f"cannot access {name!r}: {kind} exposes no such name "
        f"(mark it with {marking(prefix)} or call it {prefix}{name}"
        + (f", or {TO_SEND})" if value == RECORD else ")")
    )


def _as_value(kind: type) -> int | None:
    """Return how the objects of a class travel as values; None: they do not."""
    try:
        return plan_of(kind).how
    except NotSendable:  # of a subclass of such a class
        return None
