"""
The objects of a game in the arguments, results and errors of jobs.

An object of Evennia's (a typeclass's instance, a script, an attribute, a message) is a row of the
database, and each process has it at most once, in its idmapper. So it travels as its model and its
number, and arrives as the receiving process's own. In a worker it is read anew, with whatever the
Server has saved up to the job's begin: its typeclass, place, attributes, tags and locks. In the
Server it is the very object that was sent. One that was deleted on the way fails the job in a
sentence; none arrives as None.

Beside them:

* Containers of an Attribute (``_SaverDict`` and the others) arrive as plain copies, nested ones
  too: changes of a copy change no Attribute.
* Handlers and ``obj.db`` arrive as those of the arrived object.
* ``obj.ndb`` and ``obj.sessions`` are in the Server's memory alone: refused in a sentence.
* Commands arrive without what is in the Server's memory alone: their session and merged command
  sets arrive as an `Elsewhere`, each use of which says so.
* Query sets are evaluated when they are sent.
"""

from __future__ import annotations

from typing import Any, NoReturn

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from evennia.accounts.accounts import AccountSessionHandler
from evennia.commands.cmdset import CmdSet
from evennia.commands.cmdsethandler import CmdSetHandler
from evennia.locks.lockhandler import LockHandler
from evennia.objects.models import ContentsHandler
from evennia.objects.objects import ObjectSessionHandler
from evennia.scripts.scripthandler import ScriptHandler
from evennia.server.session import Session
from evennia.typeclasses.attributes import AttributeHandler, DbHolder
from evennia.typeclasses.tags import TagHandler
from evennia.utils.dbserialize import _SaverMutable
from evennia.utils.idmapper.models import SharedMemoryModel

from txremote.work.reducers import register_reducer

_HANDLERS = (
    *(AttributeHandler, TagHandler, LockHandler, CmdSetHandler, ContentsHandler, ScriptHandler),
    *(DbHolder, ObjectSessionHandler, AccountSessionHandler),
)
_OF_THE_SERVER = ("ndb", "nattributes", "sessions")


def install() -> None:
    """Have the objects of the game travel so, in this process, from now on."""
    register_reducer(reduce_object)


def reduce_object(found: object) -> object:
    """
    Return how an object of the game's travels, or NotImplemented for any other.

    Raises:
        TypeError: it is of the Server's memory alone, or has no row in the database.
    """
    # by type: isinstance() would ask a remote object over the network
    kind = type(found)
    if issubclass(kind, SharedMemoryModel):
        return arrived, number_of(found)
    if issubclass(kind, _SaverMutable):
        return _same, (found._data,)  # type: ignore[attr-defined]
    if issubclass(kind, _HANDLERS):
        return _reduce_handler(found)
    if issubclass(kind, (Session, CmdSet)):
        return Elsewhere, (f"{kind.__name__} {_shown(found)}",)
    return NotImplemented


def number_of(found: Any) -> tuple[str, object]:
    """
    Return the model and the number of an object of the game's.

    Raises:
        TypeError: it has no row in the database, or not any more.
    """
    if found._is_deleted:
        raise TypeError(f"a {type(found).__name__} of the game has been deleted")
    if found.pk is None:
        raise TypeError(f"a {type(found).__name__} of the game has no number: it was not saved")
    return found._meta.concrete_model._meta.label_lower, found.pk


def arrived(model: str, number: object) -> Any:
    """
    Return this process's own object.

    Raises:
        ObjectDoesNotExist: It has been deleted.
    """
    model_class: Any = apps.get_model(model)
    own = model_class.get_cached_instance(number)
    if own is None or own._is_deleted:
        own = model_class._base_manager.filter(pk=number).first()
    if own is None:
        raise ObjectDoesNotExist(f"the {model} #{number} of the game has been deleted")
    return own


def _same(plain: object) -> object:
    return plain


def _reduce_handler(found: Any) -> object:
    """Return a handler as its object's, by its name there; or NotImplemented."""
    name: str | None
    if type(found) is DbHolder:
        handler = object.__getattribute__(found, object.__getattribute__(found, "name"))
        owner = handler.obj
        name = "db" if handler is owner.attributes else "ndb"
    else:
        owner = getattr(found, "obj", None)
        if not issubclass(type(owner), SharedMemoryModel):
            return NotImplemented  # of a command, say
        name = next((name for name, each in vars(owner).items() if each is found), None)
    if name is None or name in _OF_THE_SERVER:
        raise TypeError(
            f"{owner}.{name or type(found).__name__} is in the Server's memory alone: pass the "
            "values that the job needs"
        )
    return getattr, (owner, name)


def _shown(found: object) -> str:
    try:
        return str(found)
    except Exception:  # any code of the game's
        return ""


class Elsewhere:
    """
    Something of the Server's memory, in a worker process: each use of it says where it is.

    Raises:
        RuntimeError: An attribute of it was read or set.
    """

    def __init__(self, what: str) -> None:
        object.__setattr__(self, "_what", what)

    def __repr__(self) -> str:
        return f"<in the Server: {object.__getattribute__(self, '_what')}>"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(f"{name} of {self!r}: pass live(...) of what the job calls of it")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise RuntimeError(f"{name} of {self!r} cannot be set in a worker process")

    def __reduce__(self) -> tuple[object, ...]:
        return Elsewhere, (object.__getattribute__(self, "_what"),)


def shared_models() -> list[Any]:
    """Return the models of this process that are in an idmapper's cache."""
    return [
        model
        for model in apps.get_models()
        if issubclass(model, SharedMemoryModel) and "__instance_cache__" in vars(model)
    ]


def empty_caches() -> None:
    """Forget all objects of the game in this process, so that each is read anew."""
    for model in shared_models():
        model.__instance_cache__.clear()
