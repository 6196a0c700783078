"""
Changes that a job in a process makes to the game: noted there, refreshed in the Server.

A job in a worker saves its changes to the database as code in the Server would. The Server has the
same objects in its idmapper, with caches of their fields, attributes, tags and contents, and would
go on with what they were. So the worker notes the rows that it saves, by Django's signals, and
tells each the Server before it is written; and the Server reads these again, in place, when the job
has ended, before its callbacks run. Also if the job failed or was killed.

It takes what Django tells: ``obj.db.x = 1``, ``obj.location = room``, tags, locks, ``save()``,
``delete()``, another typeclass. It does not see ``QuerySet.update``, ``bulk_create`` and SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.apps import apps
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save
from evennia.objects.models import ObjectDB
from evennia.typeclasses.attributes import Attribute
from evennia.utils.idmapper.models import SharedMemoryModel

#: A row: its model's label and its number. Or CONTENTS and the number of a place.
Row = tuple[str, object]

CHANGED: Final = "changed"
CONTENTS: Final = "contents"

_HANDLERS = ("attributes", "tags", "aliases", "permissions", "nicks")
_AT_ONCE = 500  # rows in one query


# -- in a worker


class _Notes:
    """The rows that the job of this process has told of."""

    def __init__(self, tell: Callable[[str, str, object], object]) -> None:
        self._tell = tell
        self._told: set[Row] = set()

    def note(self, row: Row) -> None:
        """Tell of a row, once."""
        if row not in self._told:
            self._told.add(row)
            self._tell(CHANGED, *row)


_notes: list[_Notes] = []  # of the job that runs


@contextmanager
def told_to(tell: Callable[[str, str, object], object]) -> Iterator[None]:
    """Have a function called with CHANGED and each row that is about to be changed here."""
    _notes.append(_Notes(tell))
    try:
        yield
    finally:
        _notes.pop()


def watch() -> None:
    """Connect Django's signals, in a worker. Once."""
    for signal, receiver in (
        (pre_save, _saving),
        (post_save, _saved),
        (pre_delete, _deleting),
        (m2m_changed, _linking),
    ):
        signal.connect(receiver, dispatch_uid="txremote")


def _note(instance: Any) -> None:
    if _notes and issubclass(type(instance), SharedMemoryModel) and instance.pk is not None:
        _notes[-1].note((instance._meta.concrete_model._meta.label_lower, instance.pk))


def _saving(sender: object, instance: Any, **_more: object) -> None:
    _note(instance)


def _saved(sender: object, instance: Any, created: bool, **_more: object) -> None:
    if created:
        _note(instance)  # it has its number now
        _note_place(instance)


def _deleting(sender: object, instance: Any, **_more: object) -> None:
    _note(instance)
    _note_place(instance)
    if _notes and issubclass(type(instance), Attribute):
        for relation in Attribute._meta.related_objects:
            if relation.many_to_many:
                for owner in getattr(instance, relation.get_accessor_name()).all():
                    _note(owner)


def _note_place(instance: Any) -> None:
    if _notes and issubclass(type(instance), ObjectDB) and instance.db_location_id is not None:
        _notes[-1].note((CONTENTS, instance.db_location_id))


def _linking(
    sender: object,
    instance: Any,
    action: str,
    reverse: bool,
    model: Any,
    pk_set: set[object] | None,
    **_more: object,
) -> None:
    if not action.startswith("pre_"):
        return
    _note(instance)
    if reverse and _notes and issubclass(model, SharedMemoryModel):
        for number in pk_set or ():
            _notes[-1].note((model._meta.concrete_model._meta.label_lower, number))


# -- in the Server


def refresh(rows: set[Row]) -> None:
    """Read rows again into the objects that this process has of them. In the reactor's thread."""
    by_model: dict[str, list[object]] = {}
    for label, number in rows:
        by_model.setdefault(label, []).append(number)
    places = by_model.pop(CONTENTS, [])
    # attributes first: the handlers of their owners find them as they are now
    for label in sorted(by_model, key=lambda label: label != Attribute._meta.label_lower):
        model: Any = apps.get_model(label)
        cached = {
            number: own
            for number in by_model[label]
            if (own := model.get_cached_instance(number)) is not None
        }
        numbers = list(cached)
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            _refresh(model, {number: cached[number] for number in some})
    _refresh_contents(places)


def _refresh(model: Any, cached: dict[object, Any]) -> None:
    names = [field.attname for field in model._meta.concrete_fields]
    found = model._base_manager.filter(pk__in=list(cached)).values(*names)
    left = dict(cached)
    for values in found:
        _update(left.pop(values[model._meta.pk.attname]), values)
    for gone in left.values():
        _forget(gone)


def _update(own: Any, values: dict[str, Any]) -> None:
    """Set an object's fields to what was read, and have its handlers read theirs again."""
    before = {name: vars(own).get(name) for name in values}
    vars(own).update(values)
    for field in own._meta.concrete_fields:
        if field.is_relation and before[field.attname] != values[field.attname]:
            own._state.fields_cache.pop(field.name, None)
    path = values.get("db_typeclass_path")
    if path != before.get("db_typeclass_path"):
        own.set_class_from_typeclass(typeclass_path=path)
    for name in _HANDLERS:
        handler = vars(own).get(name)
        if handler is not None and hasattr(handler, "reset_cache"):
            handler.reset_cache()
    if values.get("db_lock_storage") != before.get("db_lock_storage") and "locks" in vars(own):
        own.locks.reset()
    if values.get("db_cmdset_storage") != before.get("db_cmdset_storage"):
        own.cmdset.update(init_mode=True)
    if before.get("db_location_id") != values.get("db_location_id"):
        _refresh_contents([before["db_location_id"], values["db_location_id"]])


def _refresh_contents(places: list[object]) -> None:
    """Have objects look again what is in them."""
    for number in places:
        own = ObjectDB.get_cached_instance(number)
        if own is not None and "contents_cache" in vars(own):
            own.contents_cache.clear()


def _forget(own: Any) -> None:
    """Take an object out of the cache that was deleted."""
    place = vars(own).get("db_location_id")
    own.flush_from_cache(force=True)
    own._is_deleted = True
    own.pk = None
    if place is not None:
        _refresh_contents([place])
