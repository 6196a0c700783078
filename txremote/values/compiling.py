"""
`value_type`: from an annotation to its `ValueType`, or None where it says "a reference".

Nothing is imported and no class is asked more than what it is: a class counts as a dataclass, an
attrs class or a Struct by the marks that those leave on it. Annotations of fields are read one by
one; one that cannot be resolved leaves its field a reference.

A class of fields is compiled once as long as anything uses it, and its fields after it, so it
may hold objects of its own class.
"""

from __future__ import annotations

import collections
import enum
import threading
import types
import typing
import weakref
from collections import abc
from collections.abc import Callable, Sequence
from typing import Any, Final

from txremote.values import constraints, fields
from txremote.values.annotations import evaluator
from txremote.values.containers import MAPPINGS, DictType, SequenceType, TupleType
from txremote.values.leaves import (
    STANDARD,
    WIDENED,
    Constrained,
    Leaf,
    LiteralType,
    as_complex,
    as_float,
)
from txremote.values.nodes import Part, ValueType, Work
from txremote.values.records import RecordType
from txremote.values.registry import is_registered, when_registered
from txremote.values.texts import text_of
from txremote.values.unions import EnumType, UnionType
from txremote.wire.slices import Steps

_SEQUENCES: Final[dict[object, tuple[str, type | None, tuple[type, ...]]]] = {
    list: ("list", list, (list,)),
    collections.deque: ("list", collections.deque, (collections.deque,)),
    set: ("set", set, (set,)),
    frozenset: ("set", frozenset, (frozenset,)),
    abc.Sequence: ("list", None, (list, tuple)),
    abc.MutableSequence: ("list", list, (list,)),
    abc.Set: ("set", None, (set, frozenset)),
    abc.MutableSet: ("set", set, (set,)),
    abc.Collection: ("list", None, (list, tuple, set, frozenset, collections.deque)),
    abc.Iterable: ("list", None, (list, tuple, set, frozenset, collections.deque)),
}
_DICTS: Final[dict[object, tuple[type | None, tuple[type, ...]]]] = {
    dict: (dict, (dict,)),
    collections.OrderedDict: (collections.OrderedDict, (collections.OrderedDict,)),
    collections.Counter: (collections.Counter, (collections.Counter,)),
    collections.defaultdict: (collections.defaultdict, (collections.defaultdict,)),
    abc.Mapping: (None, MAPPINGS),
    abc.MutableMapping: (None, MAPPINGS[:4]),
}
if len(MAPPINGS) > 4:  # where Python has it
    _DICTS[MAPPINGS[4]] = (MAPPINGS[4], (MAPPINGS[4],))
_INT: Final = Leaf("int", {int})

#: By the first name of a module: what makes value types of that package's annotations.
_packages: dict[str, Callable[[object], ValueType | None]] = {}
_records: weakref.WeakValueDictionary[object, RecordType] = weakref.WeakValueDictionary()
_lock = threading.RLock()
when_registered(_records.clear)


def register_package(name: str, compile_annotation: Callable[[object], ValueType | None]) -> None:
    """
    Let a function make the value types of a package's classes.

    Args:
        name: The package's name, such as "numpy".
        compile_annotation: Called with an annotation, a class or an alias with arguments, of that
            package; None for what is no value.
    """
    _packages[name] = compile_annotation


def value_type(annotation: object) -> ValueType | None:
    """Return what an annotation says of values, or None where it stands for a reference."""
    return Compiler({}).compile(annotation)


class AliasType(ValueType):
    """A ``type`` alias that stands within itself."""

    __slots__ = ("target",)

    kind = "alias"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.target: ValueType | None = None

    def many(self, column: Sequence[object], work: Work) -> Steps[Sequence[object]]:
        """Convert by what it stands for."""
        return self._target().many(column, work)

    def accepts(self, raw: object, exactly: bool, checking: bool) -> bool:
        """Go by what it stands for."""
        return self._target().accepts(raw, exactly, checking)

    def parts(self, raw: object, checking: bool) -> typing.Iterable[Part]:
        """Return those of what it stands for."""
        return self._target().parts(raw, checking)

    def _target(self) -> ValueType:
        assert self.target is not None
        return self.target


class Compiler:
    """
    Compiles annotations.

    Args:
        variables: The types that stand for type variables.
        evaluate: Evaluates an annotation where it is written (`annotations.evaluator`). Without
            it a name that an alias has for itself stands for a reference.
    """

    def __init__(
        self,
        variables: dict[object, object],
        evaluate: Callable[[object], object] | None = None,
    ) -> None:
        self._variables = variables
        self._evaluate = evaluate
        self._aliases: dict[object, AliasType] = {}
        self._known: dict[int, tuple[object, ValueType | None]] = {}  # by an annotation's id

    def compile(self, annotation: object) -> ValueType | None:
        """Return an annotation's value type, or None."""
        known = self._known.get(id(annotation))
        if known is None:
            # kept with the annotation, whose id stays its own then
            known = self._known[id(annotation)] = (annotation, self._compiled(annotation))
        return known[1]

    def _compiled(self, annotation: object) -> ValueType | None:
        if annotation is None:
            annotation = type(None)
        if annotation in (Any, object, typing.NoReturn, typing.Never):
            return None
        if annotation is typing.Self:
            return self.compile(self._variables.get(annotation, Any))
        if isinstance(annotation, typing.TypeVar):
            return self._variable(annotation)
        if hasattr(annotation, "__supertype__"):  # NewType
            return self.compile(annotation.__supertype__)
        if _is_alias(annotation):
            return self._alias(annotation)
        if isinstance(annotation, str | typing.ForwardRef):
            return self._forward(annotation)
        origin = typing.get_origin(annotation)
        if origin is not None:
            return self._generic(annotation, origin, typing.get_args(annotation))
        if isinstance(annotation, type):
            return self._class(annotation, ())
        return self._foreign(annotation)

    def _variable(self, variable: typing.TypeVar) -> ValueType | None:
        if variable in self._variables:
            return self.compile(self._variables[variable])
        if variable.__constraints__:
            return self._union(text_of(variable), variable.__constraints__)
        return None if variable.__bound__ is None else self.compile(variable.__bound__)

    def _alias(self, alias: Any) -> ValueType | None:
        origin = typing.get_origin(alias) or alias
        key = (origin, typing.get_args(alias))
        if key in self._aliases:
            return self._aliases[key]
        made = self._aliases[key] = AliasType(text_of(alias))
        given = dict(zip(origin.__type_params__, typing.get_args(alias), strict=False))
        outer, self._variables = self._variables, {**self._variables, **given}
        known, self._known = self._known, {}
        try:
            target = origin.__value__
            wanted = getattr(target, "__parameters__", ())
            if wanted:  # also for a package's own types, which know no variables
                target = target[tuple(self._variables.get(each, each) for each in wanted)]
            made.target = self.compile(target)
        finally:
            self._variables, self._known = outer, known
            del self._aliases[key]
        return made.target

    def _forward(self, reference: str | typing.ForwardRef) -> ValueType | None:
        """Compile a name that stands within what it names: ``Tree = list["Tree"] | int``."""
        text = reference if isinstance(reference, str) else reference.__forward_arg__
        known = self._aliases.get(text)
        if known is not None or self._evaluate is None:
            return known
        try:
            hint = self._evaluate(text)
        except Exception:  # whatever stands there: it is a name for type checkers only, say
            return None
        made = self._aliases[text] = AliasType(text)
        found = self.compile(hint)
        made.target = None if found is made else found
        return made.target

    def _generic(
        self, annotation: object, origin: Any, arguments: tuple[Any, ...]
    ) -> ValueType | None:
        text = text_of(annotation)
        if origin in (typing.Union, types.UnionType):
            return self._union(text, arguments)
        if origin is typing.Annotated:
            inner = self.compile(arguments[0])
            return inner and constraints.constrained(inner, arguments[1:])
        if origin is typing.Literal:
            return self._literal(text, arguments)
        if origin in (typing.Final, typing.Required, typing.NotRequired) or _is_readonly(origin):
            return self.compile(arguments[0])
        if origin is tuple:
            return self._tuple(text, arguments)
        found = self._container(text, origin, arguments)
        return found or self._class(origin, arguments, text)

    def _container(
        self, text: str, origin: object, arguments: Sequence[object]
    ) -> ValueType | None:
        if origin in _SEQUENCES:
            kind, made, exact = _SEQUENCES[origin]
            item = self.compile(arguments[0]) if arguments else None
            return SequenceType(text, kind, made, exact, item)
        if origin in _DICTS:
            made, exact = _DICTS[origin]
            key, value = map(self.compile, arguments) if len(arguments) == 2 else (None, None)
            if origin is collections.Counter:
                key, value = self.compile(arguments[0]) if arguments else None, _INT
            return DictType(text, made, exact, key, value)
        return None

    def _union(self, text: str, arguments: Sequence[object]) -> ValueType | None:
        found = [self.compile(each) for each in arguments]
        members = [each for each in found if each is not None]
        if not members or all(
            each is type(None) for each, made in zip(arguments, found, strict=True) if made
        ):
            return None
        if all(type(each) is Leaf and each.widen is None for each in members):
            exact = frozenset().union(*(each.exact for each in members if isinstance(each, Leaf)))
            if len(members) == len(found):
                return Leaf(text, exact)
        others = [each for each, made in zip(arguments, found, strict=True) if made is None]
        return UnionType(text, members, bool(others), _plain_classes(others))

    def _literal(self, text: str, values: Sequence[object]) -> ValueType:
        members = [each for each in values if isinstance(each, enum.Enum)]
        plain = LiteralType(text, [each for each in values if not isinstance(each, enum.Enum)])
        kinds: list[ValueType] = [plain] if plain.allowed else []
        for cls in dict.fromkeys(map(type, members)):
            wanted = [each for each in members if type(each) is cls]
            kinds.append(Constrained(EnumType(text, cls), None, [(wanted.__contains__, "")]))
        return kinds[0] if len(kinds) == 1 else UnionType(text, kinds, passes=False)

    def _tuple(self, text: str, arguments: tuple[object, ...]) -> ValueType | None:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return SequenceType(text, "list", tuple, (tuple,), self.compile(arguments[0]))
        if any(getattr(each, "__unpacked__", False) or _is_unpack(each) for each in arguments):
            return None
        return TupleType(text, [self.compile(each) for each in arguments])

    def _class(self, cls: Any, arguments: tuple[Any, ...], text: str = "") -> ValueType | None:
        text = text or text_of(cls)
        if is_registered(cls):
            return Leaf(text, {cls})
        if cls in STANDARD:
            return Leaf(text, STANDARD[cls], *WIDENED.get(cls, ()))
        if cls is float:
            return Leaf(text, {float}, {int}, as_float)
        if cls is complex:
            return Leaf(text, {complex}, {int, float}, as_complex)
        if cls is tuple:
            return SequenceType(text, "list", tuple, (tuple,), None)
        found = self._container(text, cls, arguments)
        if found is not None:
            return found
        if not isinstance(cls, type):
            return self._foreign(cls)
        if issubclass(cls, enum.Enum):
            return EnumType(text, cls) if cls.__members__ else None
        found = self._record(text, cls, arguments)
        if found is not None:
            return found
        return self._foreign(types.GenericAlias(cls, arguments) if arguments else cls)

    def _record(self, text: str, cls: type, arguments: tuple[Any, ...]) -> ValueType | None:
        kind = fields.kind_of(cls)
        if kind is None:
            return None
        arguments = tuple(self._variables.get(each, each) for each in arguments)
        key = (cls, arguments)
        with _lock:  # a thread must not see one whose fields are still to come
            found = _records.get(key)
            if found is None:
                found = _records[key] = RecordType(text, kind, cls)
                given = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
                evaluate = evaluator(cls, cls)
                compile_hint = Compiler({**given, typing.Self: cls}, evaluate).compile
                marked = fields.fields_of(cls)
                hints = fields.hints_of(cls, [field.name for field in marked])
                found.declare(marked, [compile_hint(hints.get(each.name, Any)) for each in marked])
            return found

    def _foreign(self, annotation: Any) -> ValueType | None:
        """Ask those that know the package of a class, or registered the class."""
        module = getattr(annotation, "__module__", None)
        if not isinstance(module, str):
            return None
        ask = _packages.get(module.partition(".")[0])
        return None if ask is None else ask(annotation)


def _plain_classes(annotations: Sequence[object]) -> tuple[type, ...] | None:
    """Return the classes that annotations are, or None if one may be anything."""
    found = []
    for annotation in annotations:
        cls = typing.get_origin(annotation) or annotation
        if cls is Any or not isinstance(cls, type) or getattr(cls, "_is_protocol", False):
            return None
        found.append(cls)
    return tuple(found)


def _is_alias(annotation: object) -> bool:
    kind = getattr(typing, "TypeAliasType", None)
    if kind is None:
        return False
    return isinstance(annotation, kind) or isinstance(typing.get_origin(annotation), kind)


def _is_unpack(annotation: object) -> bool:
    return typing.get_origin(annotation) is typing.Unpack


def _is_readonly(origin: object) -> bool:
    return origin is not None and origin is getattr(typing, "ReadOnly", None)
