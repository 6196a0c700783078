"""
The texts that a character hears, for clients that are not sessions of the game's.

Everything that is said to an object of the game's goes through its hook ``at_msg_receive``, which
may refuse it. `hear` stands before that hook of one object, as an attribute of the object itself,
for as long as somebody listens, so the class of the object, and all others, stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from txremote.contrib.evennia.ports import Thing
from txremote.levels import Logger

_log = Logger("txremote.game")

#: How many may listen to one object: clients can begin it again and again.
MOST_LISTENERS: Final = 100

_HOOK: Final = "at_msg_receive"
_KEPT: Final = "_txremote_ears"


class _Ears:
    """The listeners of one object."""

    def __init__(self, obj: Thing) -> None:
        self._obj = obj
        self.listeners: list[Callable[[str], object]] = []

    def at_msg_receive(
        self, text: object = None, from_obj: object = None, **kwargs: object
    ) -> bool:
        """Ask the object's own hook, and hand on what it lets through."""
        received = type(self._obj).at_msg_receive(self._obj, text=text, from_obj=from_obj, **kwargs)
        words = text[0] if isinstance(text, tuple) and text else text
        if received and words is not None:
            for listener in list(self.listeners):
                try:
                    listener(str(words))
                except Exception:
                    _log.failure("a listener of {obj} failed", obj=self._obj)
        return received


def hear(obj: Thing, listener: Callable[[str], object]) -> Callable[[], None]:
    """
    Have a function called with each text that an object of the game's gets from now on.

    Args:
        obj: A character, or an account.
        listener: Called with the text, with its markup. An error that it raises is logged.

    Returns:
        A function that ends it; it may be called more than once.

    Raises:
        ValueError: `MOST_LISTENERS` listen to it already.
    """
    ears = vars(obj).get(_HOOK)
    if ears is None:
        found = _Ears(obj)
        setattr(obj, _HOOK, found.at_msg_receive)
        setattr(obj.ndb, _KEPT, found)  # an object with ndb stays in Evennia's cache
    else:
        found = ears.__self__
    if len(found.listeners) >= MOST_LISTENERS:
        raise ValueError(f"{MOST_LISTENERS} listen to {obj.key} already: end one of them")
    found.listeners.append(listener)

    def end() -> None:
        if listener not in found.listeners:
            return  # it has ended; who listens now is another's affair
        found.listeners.remove(listener)
        if not found.listeners and _HOOK in vars(obj):
            delattr(obj, _HOOK)
            if obj.pk is not None:
                delattr(obj.ndb, _KEPT)

    return end
