"""
A plugin of mypy's for views made of a service class or of a zope interface.

Such a class says what its methods give where they run; called over a connection they give a
``Deferred`` of that. With the plugin, ``typed(conn.root, Shop)`` and ``IShop(reference)`` have the
names of the class, with the results of a call; without it, a view of a class has any name, and
that of an interface the results of the interface itself. In ``mypy.ini``::

    [mypy]
    plugins = txremote.mypy_plugin, mypy_zope:plugin

Protocols, as ``txremote stubs`` writes them, need no plugin, and other type checkers take them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from mypy.checker import TypeChecker
from mypy.nodes import Decorator, MemberExpr, NameExpr, OverloadedFuncDef, SymbolNode, TypeInfo
from mypy.plugin import AttributeContext, FunctionContext, Plugin
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    NoneType,
    Overloaded,
    ProperType,
    Type,
    UnionType,
    get_proper_type,
)

_VIEW = "txremote.refs.typed.TypedReference"
_TYPED = frozenset({"txremote.views.reactor.typed", "txremote.typed"})
_REMOTE = frozenset(
    {
        "txremote.refs.reference.RemoteReference",
        "txremote.refs.reference.RemotePath",
        "txremote.refs.typed.TypedPath",
        _VIEW,
    }
)
_PREFIX = "exposed_"
_MARK = "txremote.service.exposed"
_SERVICES = frozenset({"txremote.service.Service", "rpyc.core.service.Service"})

_LATER = {
    "twisted.internet.defer.Deferred": 0,
    "typing.Awaitable": 0,
    "typing.Coroutine": 2,
}
_ITERATORS = frozenset(
    {"typing.Iterator", "typing.Generator", "typing.AsyncIterator", "typing.AsyncGenerator"}
)
_ITERABLES = frozenset({"typing.Iterable", "typing.AsyncIterable"})


class TxRemotePlugin(Plugin):
    """Types views of classes and interfaces."""

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Return what types a call: of `typed`, or of a zope interface."""
        if fullname in _TYPED:
            return self._typed
        symbol = self.lookup_fully_qualified(fullname)
        if symbol is not None and isinstance(symbol.node, TypeInfo) and _is_interface(symbol.node):
            return self._adapted
        return None

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Return what types a name of a view."""
        owner, _dot, name = fullname.rpartition(".")
        if owner != _VIEW or name.startswith("_"):
            return None
        return lambda context: self._read(context, name)

    def _typed(self, context: FunctionContext) -> Type:
        found = get_proper_type(context.default_return_type)
        if (
            isinstance(found, Instance)
            and found.type.fullname != _VIEW
            and not found.type.is_protocol
        ):
            return self._view(found)
        return found

    def _adapted(self, context: FunctionContext) -> Type:
        found = get_proper_type(context.default_return_type)
        adapted = [get_proper_type(each) for each in (context.arg_types or [[]])[0]]
        if isinstance(found, Instance) and adapted and all(map(_is_remote, adapted)):
            return self._view(found)
        return found

    def _view(self, declaration: Instance) -> Instance:
        return self._generic(_VIEW, [declaration])

    def _read(self, context: AttributeContext, name: str) -> Type:
        """Return the type of a name of a view."""
        view = get_proper_type(context.type)
        if not isinstance(view, Instance) or not view.args:
            return context.default_attr_type
        declaration = get_proper_type(view.args[0])
        if not isinstance(declaration, Instance):
            return context.default_attr_type
        checker = cast(TypeChecker, context.api)
        public = _public(declaration.type, name)
        if public is None:
            checker.fail(f'"{declaration.type.name}" exposes no "{name}"', context.context)
            return context.default_attr_type
        find = checker.expr_checker.analyze_external_member_access
        return self._remote(get_proper_type(find(public, declaration, context.context)))

    def _remote(self, found: ProperType) -> Type:
        """Return what a name's type is over a connection."""
        if isinstance(found, Overloaded):
            return Overloaded([self._called(each) for each in found.items])
        if isinstance(found, CallableType):
            return self._called(found)
        if isinstance(found, AnyType):
            return found
        return self._generic("typing.Awaitable", [self._result(found)])

    def _called(self, method: CallableType) -> CallableType:
        result = self._result(get_proper_type(method.ret_type))
        deferred = self._generic("twisted.internet.defer.Deferred", [result])
        return method.copy_modified(ret_type=deferred)

    def _result(self, result: ProperType) -> Type:
        """Return what comes of a result over a connection: views, and what a Deferred brings."""
        if isinstance(result, UnionType):
            return UnionType([self._result(get_proper_type(each)) for each in result.items])
        if not isinstance(result, Instance) or isinstance(result, NoneType):
            return result
        name = result.type.fullname
        if name in _LATER:
            return self._result(get_proper_type(result.args[_LATER[name]]))
        if name in _ITERATORS or name in _ITERABLES:
            item = self._result(get_proper_type(result.args[0]))
            kind = "typing.AsyncIterator" if name in _ITERATORS else "typing.AsyncIterable"
            return self._generic(kind, [item])
        return self._view(result) if _exposes_any(result.type) else result

    def _generic(self, name: str, args: list[Type]) -> Instance:
        symbol = self.lookup_fully_qualified(name)
        assert symbol is not None and isinstance(symbol.node, TypeInfo)
        return Instance(symbol.node, args)


def plugin(_version: str) -> type[Plugin]:
    """Return the plugin, for mypy."""
    return TxRemotePlugin


def _is_interface(info: TypeInfo) -> bool:
    """Tell whether mypy-zope has found that a class is an interface."""
    return bool(info.metadata.get("zope", {}).get("is_interface", False))


def _is_remote(kind: ProperType) -> bool:
    if isinstance(kind, UnionType):
        return all(_is_remote(get_proper_type(each)) for each in kind.items)
    return isinstance(kind, Instance) and kind.type.fullname in _REMOTE


def _public(info: TypeInfo, name: str) -> str | None:
    """Return by which name a class has what is exposed as another; None: it does not."""
    if info.get(_PREFIX + name) is not None:
        return _PREFIX + name
    if _is_interface(info) or info.is_protocol or info.metadata.get("zope", {}).get("implements"):
        return name
    return name if _exposes(info, name) else None


def _exposes(info: TypeInfo, name: str) -> bool:
    """Tell whether a class has a name that ``@exposed`` marks."""
    for base in info.mro:
        symbol = base.names.get(name)
        if symbol is not None:
            return symbol.node is not None and _is_marked(symbol.node)
    return False


def _is_marked(node: SymbolNode) -> bool:
    if isinstance(node, OverloadedFuncDef):
        return any(_is_marked(each) for each in (*node.items, node.impl) if each is not None)
    if isinstance(node, TypeInfo):
        return any(_is_mark(each) for each in node.defn.decorators)
    return isinstance(node, Decorator) and any(map(_is_mark, node.original_decorators))


def _is_mark(decorator: object) -> bool:
    return isinstance(decorator, NameExpr | MemberExpr) and decorator.fullname == _MARK


def _exposes_any(info: TypeInfo) -> bool:
    return _is_interface(info) or any(
        name.startswith(_PREFIX) or (symbol.node is not None and _is_marked(symbol.node))
        for base in info.mro
        if base.fullname not in _SERVICES
        for name, symbol in base.names.items()
    )
