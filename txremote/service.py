"""
The offer of a program: `Service`; `exposed`, which opens a name to peers, `expose`,
which opens an interface, and `restricted`, which opens a part of an object.

The shape is RPyC's (``rpyc.core.service``). `exposed` does without the prefix: it leaves
the mark that RPyC's own decorator leaves, and the access policy looks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, TypeVar, overload

from zope.interface import classImplements, implementer
from zope.interface.interface import InterfaceClass

from txremote.config import ConnectionConfig
from txremote.gate.exposure import EXPOSED_MARK, is_class, open_interface
from txremote.gate.threaded import ThreadedMethod
from txremote.gate.unbound import ClassFunctions
from txremote.interfaces import IRemoteService
from txremote.refs.signatures import signature_of

T = TypeVar("T")
C = TypeVar("C", bound=type)

PREFIX = "exposed_"


class _ExposedProperty(property):
    """A property that can carry the mark, and hands it on to ``@name.setter``'s copy."""

    def getter(self, fget: Callable[[Any], object]) -> property:
        return self._handed_on(super().getter(fget))

    def setter(self, fset: Callable[[Any, Any], None]) -> property:
        return self._handed_on(super().setter(fset))

    def deleter(self, fdel: Callable[[Any], None]) -> property:
        return self._handed_on(super().deleter(fdel))

    def _handed_on(self, copy: property) -> property:
        setattr(copy, EXPOSED_MARK, getattr(self, EXPOSED_MARK))
        return copy


@overload
def exposed(target: str) -> Callable[[T], T]: ...
@overload
def exposed(target: T) -> T: ...


def exposed(target: Any) -> Any:
    """
    Open a method, a nested class, a property or a function to the peer.

    Written above a ``def`` or a ``class`` within a class; the name stays as it
    is. With a str, ``@exposed("admin_")``, it marks for another prefix, as RPyC's
    does (``rpyc.exposed``): a mark opens a name where ``exposed_prefix`` is the same.

    Raises:
        TypeError: the target is neither callable nor a descriptor. A plain
            value is exposed by its name: ``exposed_pi = 3.14``.
    """
    if isinstance(target, str):
        prefix = target
        return lambda marked: _mark(marked, prefix)
    return _mark(target, PREFIX)


def _mark(target: Any, prefix: str) -> Any:
    if isinstance(target, InterfaceClass):
        raise TypeError(f"@exposed is for what a class defines: expose({target.__name__})")
    if type(target) is property:
        target = _ExposedProperty(target.fget, target.fset, target.fdel, target.__doc__)
    if not (callable(target) or hasattr(target, "__get__")):
        raise TypeError(
            f"@exposed is for methods, classes and properties; expose a value of type "
            f"{type(target).__name__} by its name: exposed_... = value"
        )
    try:
        setattr(target, EXPOSED_MARK, prefix)
    except AttributeError:  # builtins and bound methods carry no marks
        raise TypeError(
            f"@exposed cannot mark a {type(target).__name__}: expose it by its name, "
            "exposed_... = staticmethod(it)"
        ) from None
    return target


def expose(*interfaces: object) -> Callable[[C], C]:
    """
    Open zope interfaces to peers.

    An object that provides one of them is then reached by the interface's names
    and by no others, whatever else it exposes; a call that does not fit the
    interface's signature is refused before it runs. It holds wherever the
    interface is provided: below the interface, ``expose(ICalculator)`` is said
    once and for all. An interface that is derived from it is not opened by it.

    Above a class, ``@expose(ICalculator)`` says the same, and that the class
    implements the interface, if ``@implementer`` does not.

    Raises:
        TypeError: one is no zope interface.
    """
    for interface in interfaces:
        open_interface(interface)

    def implemented_by(cls: C) -> C:
        classImplements(cls, *interfaces)  # type: ignore[misc]  # mypy-zope wants a literal
        return cls

    return implemented_by


def restricted(obj: Any, attrs: Container[str], wattrs: Container[str] | None = None) -> Any:
    """
    Return a view of an object through which a peer sees some names only (``rpyc.restricted``).

    Args:
        obj: The object.
        attrs: The names that can be read.
        wattrs: The names that can be set; none if None, where RPyC takes ``attrs``.
    """
    writable = () if wattrs is None else wattrs
    functions = ClassFunctions(getattr)

    class Restricted:
        """A view of another object."""

        def _rpyc_getattr(self, name: str) -> object:
            if name not in attrs:
                raise AttributeError(f"cannot access {name!r}: this view does not show it")
            found = getattr(obj, name)
            return functions.given(obj, name, found) if is_class(obj) else found

        def _rpyc_setattr(self, name: str, value: object) -> None:
            if name not in writable:
                raise AttributeError(f"cannot set {name!r}: this view does not allow it")
            setattr(obj, name, value)

        __getattr__ = _rpyc_getattr
        __setattr__ = _rpyc_setattr

    return Restricted()


def threaded(method: Callable[..., object]) -> Any:
    """
    Have a method's calls by a peer run in a pool thread.

    There it may block, and has blocking netrefs for arguments that are references; several may run
    at once. Called by the program itself it is an ordinary method. Stands above or below `exposed`.
    """
    return ThreadedMethod(method)


@implementer(IRemoteService)
class Service:
    """
    The base of what is offered to a peer (``rpyc.Service``).

    Expose methods with `exposed` or by the prefix ``exposed_``. Hosted as a class, each connection
    has an instance of its own; hosted as an instance, all share it.

    Attributes:
        ALIASES: Names of the service, instead of the class's own.
        threaded_service: Whether its requests run in a worker thread, unless its
            host says otherwise. None: they do not.
    """

    ALIASES: tuple[str, ...] = ()
    threaded_service: bool | None = None
    _copies_values = False  # as the gate looks for it

    def __init_subclass__(cls, *, values: bool | None = None, **kwargs: object) -> None:
        """
        Take the keyword of a class statement: ``class Shop(Service, values=True)``.

        Args:
            values: Whether arguments and results of its methods that are annotated with value
                types travel as copies, and are checked. None: as in the class's bases. The
                switch ``values`` does it for all that a connection reaches.
        """
        super().__init_subclass__(**kwargs)
        if values is not None:
            cls._copies_values = bool(values)

    def on_connect(self, conn: Any) -> Any:
        """
        Called when a connection is made. Override at will; may be a coroutine.

        An exception closes the connection.
        """

    def on_disconnect(self, conn: Any) -> Any:
        """Called when a connection has ended. Nothing can be sent any more."""

    def _rpyc_setattr(self, name: str, value: object) -> None:
        # rpyc 6.0.2 Service: attributes are set by the service alone, even where
        # allow_setattr is on for other objects
        raise AttributeError(f"cannot set {name!r}: a service's attributes are its own")

    def _rpyc_delattr(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name!r}: a service's attributes are its own")

    @classmethod
    def get_service_aliases(cls) -> tuple[str, ...]:
        """Return the names of the service, in capitals."""
        if cls.ALIASES:
            return tuple(str(name).upper() for name in cls.ALIASES)
        return (cls.__name__.upper().removesuffix("SERVICE"),)

    @classmethod
    def get_service_name(cls) -> str:
        """Return the first of the names."""
        return cls.get_service_aliases()[0]

    exposed_get_service_aliases = get_service_aliases
    exposed_get_service_name = get_service_name


# Asked for at each request: None, as RPyC has it, too, is none, and is sooner found than
# what is not there. Not in the class, where type checkers would hold overriders to it.
Service._rpyc_getattr = None  # type: ignore[attr-defined]


class VoidService(Service):
    """Offers nothing: what a client that only calls exposes."""


def is_service(candidate: object) -> bool:
    """Tell whether a class or an instance can be hosted."""
    return callable(getattr(candidate, "on_connect", None)) and callable(
        getattr(candidate, "on_disconnect", None)
    )


def check_service(candidate: Any) -> Any:
    """Return the candidate, or raise TypeError: it is none, or overrides a hook without effect."""
    if is_service(candidate):
        _check_constructor(candidate)
        _check_hooks(candidate)
        return candidate
    name = getattr(candidate, "__qualname__", None) or type(candidate).__qualname__
    raise TypeError(f"{name} is no service: derive it from txremote.Service")


def _check_constructor(candidate: object) -> None:
    if not isinstance(candidate, type):
        return
    try:
        signature = signature_of(candidate)
    except (TypeError, ValueError):  # not every builtin tells
        return
    try:
        signature.bind()
    except TypeError as problem:
        raise TypeError(
            f"{candidate.__qualname__} is made anew for each connection, without arguments "
            f"({problem}): serve an instance, or give its arguments defaults"
        ) from None


#: rpyc 6.0.2 rpyc.core.service.Service: they make RPyC's own Connection.
_RPYC_HOOKS = ("_connect", "_protocol")


def _check_hooks(candidate: object) -> None:
    kind = candidate if isinstance(candidate, type) else type(candidate)
    for cls in kind.__mro__:
        if cls.__module__.partition(".")[0] in ("rpyc", "txremote"):
            continue
        for hook in _RPYC_HOOKS:
            if hook in cls.__dict__:
                raise TypeError(
                    f"{cls.__qualname__} overrides {hook}, with which RPyC makes its own "
                    "connection: here it would never be called. Set switches with the options "
                    "or keys of twistd txremote (--allow-public-attrs and the like) or with "
                    "config=, and do in on_connect(conn) what a new connection needs"
                )


def is_threaded(service: object) -> bool:
    """Tell whether requests run in worker threads by default, as those of RPyC's services do."""
    kind = service if isinstance(service, type) else type(service)
    declared = getattr(service, "threaded_service", None)
    return not issubclass(kind, Service) if declared is None else bool(declared)


def config_of(service: object, config: ConnectionConfig) -> ConnectionConfig:
    """Return the switches of a service's connections: those given, with the service's own."""
    own = getattr(service, "connection_config", None)
    if own is None:
        return config
    changed: ConnectionConfig = own(config)
    return changed


def instantiate(service: object) -> Any:
    """Return the service object for a new connection."""
    return service() if isinstance(service, type) else service
