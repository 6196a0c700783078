"""
The switches of a connection: frozen, made before it and never changed by it.

The names are RPyC's (`rpyc.core.protocol.DEFAULT_CONFIG`), so a mapping that configures an RPyC
program configures a txremote one; the limits and a few switches are ours. Each is declared once:
the check of its value, the option and the key of ``twistd txremote``, its documentation and
`ProgramConfig.unbounded` come of that. ``access`` names a set of them. Three defaults differ from
RPyC's, each for safety: ``include_local_traceback`` is None (only to peers on this machine),
``include_local_version`` is False, ``safe_attrs`` is without ``__new__``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from logging import Logger
from math import inf
from typing import Any, ClassVar, Final, Self, TypeVar

from twisted.python.deprecate import deprecated
from twisted.python.versions import Version

from txremote.wire.limits import DEFAULT_LIMITS, Limits

T = TypeVar("T")

_MIB: Final = 1024 * 1024

# rpyc 6.0.2 DEFAULT_CONFIG["safe_attrs"], less __new__, which is no operator
SAFE_ATTRS = frozenset(
    """
    __abs__ __add__ __and__ __bool__ __cmp__ __contains__ __delitem__ __delslice__ __div__
    __divmod__ __doc__ __eq__ __float__ __floordiv__ __ge__ __getitem__ __getslice__ __gt__
    __hash__ __hex__ __iadd__ __iand__ __idiv__ __ifloordiv__ __ilshift__ __imod__ __imul__
    __index__ __int__ __invert__ __ior__ __ipow__ __irshift__ __isub__ __iter__ __itruediv__
    __ixor__ __le__ __len__ __long__ __lshift__ __lt__ __mod__ __mul__ __ne__ __neg__
    __nonzero__ __oct__ __or__ __pos__ __pow__ __radd__ __rand__ __rdiv__ __rdivmod__
    __repr__ __rfloordiv__ __rlshift__ __rmod__ __rmul__ __ror__ __rpow__ __rrshift__
    __rshift__ __rsub__ __rtruediv__ __rxor__ __setitem__ __setslice__ __str__ __sub__
    __truediv__ __xor__ next __length_hint__ __enter__ __exit__ __next__ __format__
    """.split()
)

#: Known to RPyC and without a meaning here: accepted, so that a mapping written
#: for RPyC needs no editing.
IGNORED = frozenset(
    """
    close_catchall connid credentials endpoints instantiate_oldstyle_exceptions
    propagate_KeyboardInterrupt_locally propagate_SystemExit_locally
    """.split()
)

# what rpyc 6.0.2 SlaveService.on_connect switches on
_CLASSIC_ONLY: Final = (
    "allow_all_attrs",
    "allow_setattr",
    "allow_delattr",
    "allow_pickle",
    "instantiate_custom_exceptions",
    "import_custom_exceptions",
)
_EXPOSED_ONLY: Final = {
    **dict.fromkeys(("allow_safe_attrs", "allow_exposed_attrs", "allow_getattr"), True),
    **dict.fromkeys(("allow_public_attrs", *_CLASSIC_ONLY), False),
}

#: The switches that ``access`` stands for. *exposed* is the default.
PRESETS: dict[str, dict[str, bool]] = {
    "exposed": _EXPOSED_ONLY,
    "public": {**_EXPOSED_ONLY, "allow_public_attrs": True},
    "classic": {**_EXPOSED_ONLY, **dict.fromkeys(_CLASSIC_ONLY, True)},
}


@dataclass(frozen=True, eq=False)
class Kind:
    """
    The values that a switch takes: in a program, in a file and on a command line.

    Attributes:
        phrase: The values in words, for files and command lines.
        types: The types of values in a file.
        of_text: Makes a value of a word of a command line; ValueError or KeyError if it is none.
        rule: The end of a sentence about a wrong value; empty where all values are right.
        accepts: Tells whether a program's value keeps the rule.
    """

    phrase: str
    types: tuple[type, ...] = (str,)
    of_text: Callable[[str], object] = str
    rule: str = ""
    accepts: Callable[[Any], bool] = lambda value: True


def _is_positive_int(value: object) -> bool:
    return type(value) is int and value >= 1


def _is_time(value: Any) -> bool:
    try:
        return value is None or 0 < value < inf
    except TypeError:  # a text, say
        return False


_SIZE: Final = ((int,), int, "must be a positive int", _is_positive_int)
_TIME: Final = ((int, float), float, "is a positive number of seconds or None", _is_time)

FLAG: Final = Kind(
    "true or false", (bool,), rule="is True or False", accepts=lambda value: type(value) is bool
)
FLAG_OR_UNSET: Final = Kind(
    "true or false",
    (bool,),
    rule="is True, False or None",
    accepts=lambda value: value in (True, False, None),
)
FLAG_OR_AUTO: Final = Kind(
    "true, false or auto",
    (bool, str),
    lambda text: {"true": True, "false": False, "auto": "auto"}[text],
    "is True, False or 'auto'",
    lambda value: value in (True, False, "auto"),
)
TEXT: Final = Kind("a string", rule="is a str", accepts=lambda value: isinstance(value, str))
TEXTS: Final = Kind("a string, or a list of strings", (str, list))
OBJECT: Final = Kind("an object of the program's", ())
COUNT: Final = Kind("a whole number", *_SIZE)
BYTES: Final = Kind("a number of bytes", *_SIZE)
SECONDS: Final = Kind("a number of seconds", *_TIME)
SECONDS_OR_NEVER: Final = Kind("a number of seconds, 0 for no limit", *_TIME)

#: For `Declaration.unbounded`: the limit is not lifted.
KEPT: Final = object()

_NO_LIMIT: Final = 1 << 62
_LONGEST_FRAME: Final = 0xFFFFFFFF  # a frame's length is 32 bits


@dataclass(frozen=True)
class Declaration:
    """
    All that is known of a switch beside its name and its default.

    Attributes:
        help: Its effect, as its documentation and ``--help`` have it.
        option: Whether an operator may set it, and not a program alone.
        unbounded: Its value where nothing is limited, or `KEPT`.
    """

    kind: Kind
    help: str
    option: bool = True
    unbounded: object = KEPT

    @property
    def is_limit(self) -> bool:
        """Whether it limits what a peer may use, or how long something may take."""
        return self.kind in (COUNT, BYTES, SECONDS, SECONDS_OR_NEVER)


def declaration_of(switch: dataclasses.Field[Any]) -> Declaration:
    """Return the declaration of a field of `ConnectionConfig`."""
    declared: Declaration = switch.metadata["declaration"]
    return declared


def _switch(
    default: T, kind: Kind, text: str, *, option: bool = True, unbounded: object = KEPT
) -> T:
    declared = Declaration(kind, text, option, unbounded)
    return dataclasses.field(default=default, metadata={"declaration": declared})


def _flag(default: bool, text: str, *, option: bool = True) -> bool:
    return _switch(default, FLAG, text, option=option)


def _count(default: int, text: str, unbounded: object = _NO_LIMIT) -> int:
    return _switch(default, COUNT, text, unbounded=unbounded)


def _bytes(default: int, text: str, unbounded: object = _NO_LIMIT) -> int:
    return _switch(default, BYTES, text, unbounded=unbounded)


def _seconds(default: float | None, text: str) -> float | None:
    return _switch(default, SECONDS_OR_NEVER, text, unbounded=None)


@dataclass(frozen=True, kw_only=True)
class ConnectionConfig:
    """How a connection behaves. Times are in seconds, sizes in bytes."""

    #: Whether the peer is a part of the same program, for which nothing is declared.
    own_program: ClassVar[bool] = False

    # The peer's reach.
    allow_public_attrs: bool = _flag(
        False, "Open every name that does not begin with ``_``, besides those that are exposed."
    )
    allow_all_attrs: bool = _flag(False, "Open every name: the peer can do anything.")
    allow_exposed_attrs: bool = _flag(True, "Open names that are exposed.")
    allow_safe_attrs: bool = _flag(True, "Open the operators, those in ``safe_attrs``.")
    allow_getattr: bool = _flag(
        True, "Let the peer read attributes that are open, and call methods."
    )
    allow_setattr: bool = _flag(False, "Let the peer set attributes that are open.")
    allow_delattr: bool = _flag(False, "Let the peer delete attributes that are open.")
    allow_pickle: bool = _flag(
        False,
        "Let the peer have objects pickled, and unpickle its pickles here (``obtain``, "
        "``pickle``, ``numpy.array``). The side that unpickles trusts the other with everything.",
    )
    instantiate_custom_exceptions: bool = _flag(
        False, "Make the peer's exceptions of classes in modules that are loaded here."
    )
    import_custom_exceptions: bool = _flag(
        False, "Import the modules of the peer's exceptions for that."
    )
    include_local_traceback: bool | None = _switch(
        None,
        FLAG_OR_UNSET,
        "Send tracebacks with exceptions. None: to peers on this machine (loopback, UNIX "
        "sockets, in memory).",
    )
    include_local_version: bool = _flag(
        False, "No effect: the version is never sent.", option=False
    )
    log_exceptions: bool = _flag(True, "Log exceptions of exposed methods, at debug level.")
    logger: Logger | None = _switch(  # noqa: RUF009
        None, OBJECT, "A ``logging.Logger`` that gets those instead of Twisted's log.", option=False
    )
    safe_attrs: frozenset[str] = _switch(
        SAFE_ATTRS,
        TEXTS,
        "The operators that need no exposing, in place of RPyC's list without ``__new__``.",
    )
    exposed_prefix: str = _switch("exposed_", TEXT, "The prefix of names that are exposed.")
    values: bool = _flag(
        False,
        "Read the annotations of what is exposed: arguments and results of value types travel as "
        "copies, and are checked. ``class Shop(Service, values=True)`` says it for one service.",
    )

    # How it speaks.
    compress: bool | str = _switch(
        "auto",
        FLAG_OR_AUTO,
        "Compress long messages: to all peers, to none, or (``auto``) to those that are not on "
        "this machine. Compressed messages are always read.",
    )
    before_closed: Callable[[Any], object] | None = _switch(  # noqa: RUF009
        None,
        OBJECT,
        "Called with the remote root before ``close()`` says good-bye: in a thread with a "
        "netref, and its calls are waited for.",
        option=False,
    )
    bind_threads: bool = _flag(
        False, "Connecting only: the server runs with ``RPYC_BIND_THREADS=true``.", option=False
    )

    # Its limits.
    max_connections: int = _count(20_000, "Most connections of a listener.")
    max_per_address: int = _count(
        2_000,
        "Most connections of a listener from one address. The addresses of an IPv6 network (/64) "
        "are one.",
    )
    max_logins: int = _count(
        1_000,
        "Most connections of a listener that have yet to log in, where they have to. Half as "
        "many of one address.",
    )
    login_timeout: float | None = _seconds(
        30.0, "How long a peer that has to log in may take for it, the wait for its turn included."
    )
    frame_timeout: float | None = _seconds(
        60.0, "How long a message may take to arrive, from its first byte on, and TLS's handshake."
    )
    keepalive: float | None = _seconds(
        60.0, "After this much silence a txremote peer is sent a keepalive request."
    )
    keepalive_timeout: float = _switch(
        30.0, SECONDS, "How long a peer may take to answer a keepalive request."
    )
    idle_timeout: float | None = _seconds(
        None, "A connection is closed after this long without a call, either way."
    )
    call_timeout: float | None = _seconds(
        None,
        "How long an exposed coroutine, Deferred, ``@threaded`` method or method of a threaded "
        "service may take, from when it begins. Then it is cancelled, or the thread's result "
        "given up, and the caller gets a ``TimeoutError``.",
    )
    request_timeout: float | None = _seconds(
        None, "How long a call of a reactor waits for its answer, where nothing else is said."
    )
    sync_request_timeout: float | None = _seconds(
        30,
        "How long a blocking call waits, and how long a call into a client may take that may be "
        "a stock RPyC one.",
    )
    max_calls: int = _count(
        1_000, "Most calls of a peer that may be unanswered at once; more of them wait."
    )
    max_waiting: int = _count(10_000, "Most calls of a peer that may wait; more are refused.")
    max_streams: int = _count(
        10_000, "Most streams that a peer may read at once over a connection; more are refused."
    )
    max_subscriptions: int = _count(
        10_000,
        "Most subscriptions of topics that a peer may read at once over a connection; more are "
        "refused.",
    )
    max_promises: int = _count(
        1_000,
        "Most results of a peer's calls that are kept for other calls of its; further ones are "
        "asked for one after the other.",
    )
    max_unanswered: int = _bytes(
        256 * _MIB,
        "Most bytes of a peer's calls that run or wait; more are refused. One call alone may "
        "have ``max_frame``.",
    )
    max_exports: int = _count(1_000_000, "Most objects that a peer may hold references to.")
    max_imports: int = _count(100_000, "Most objects of the peer that references are held to here.")
    max_threads: int = _count(
        1_000,
        "Most worker threads of a listener, those that wait for answers of their own included.",
    )
    pause_unsent: int = _bytes(
        4 * _MIB,
        "This many bytes may wait for a peer that does not read, before its own calls wait and "
        "nothing more is read from it.",
        unbounded=KEPT,  # it refuses nothing
    )
    max_unsent: int = _bytes(
        256 * _MIB,
        "Most bytes that may wait for a peer that does not read, before it is disconnected.",
    )
    max_held: int = _bytes(
        1024 * _MIB,
        "Most bytes that all connections of a listener may hold together: data for peers that "
        "do not read, calls that run or wait, messages that are not complete, items of streams "
        "that wait to be read. Over it, the connection that holds most is closed.",
    )
    max_held_per_address: int = _bytes(
        192 * _MIB,
        "Most bytes that the connections of one address may hold, messages that are not complete "
        "left out. Over it, the one that holds most is closed, and before that a compressed "
        "message that could lead there is refused.",
    )
    max_frame: int = _bytes(
        DEFAULT_LIMITS.max_frame,
        "Longest message that is read, as it travels.",
        unbounded=_LONGEST_FRAME,
    )
    max_inflated: int = _bytes(DEFAULT_LIMITS.max_inflated, "Longest message after inflating.")
    max_depth: int = _count(
        DEFAULT_LIMITS.max_depth,
        "How deep tuples in a message may nest.",
        unbounded=KEPT,  # the decoder recurses
    )
    max_int_digits: int = _count(
        DEFAULT_LIMITS.max_int_digits,
        "Most decimal digits of an int in a message.",
        unbounded=KEPT,  # Python has a limit of its own
    )
    max_items: int = _count(DEFAULT_LIMITS.max_items, "Most values in one message.")

    def __post_init__(self) -> None:
        if isinstance(self.safe_attrs, str):
            raise ValueError(f"safe_attrs is a set of names, not {self.safe_attrs!r}")
        object.__setattr__(self, "safe_attrs", frozenset(self.safe_attrs))
        own: type = type(self)
        for name, kind in _checks(own):
            if not kind.accepts(value := getattr(self, name)):
                raise ValueError(f"{name} {kind.rule}, not {value!r}")
        self.limits  # noqa: B018  # checks the rest, now and not at the first frame

    @cached_property
    def limits(self) -> Limits:
        """The bounds on messages that are read, as the wire's own object."""
        return Limits(
            **{each.name: getattr(self, each.name) for each in dataclasses.fields(Limits)}
        )

    def replace(self, **changes: object) -> ConnectionConfig:
        """
        Return a copy with some switches changed.

        Raises:
            TypeError: a name is not known.
            ValueError: a value is out of range.
        """
        return make_config(changes, self)

    @deprecated(Version("txremote", 0, 2, 0), "txremote.ConnectionConfig.replace")
    def but(self, **changes: object) -> ConnectionConfig:
        """Return a copy with some switches changed."""
        return self.replace(**changes)

    @property
    def looser_than_exposed(self) -> tuple[str, ...]:
        """The names of switches that give a peer more than ``access="exposed"`` does."""
        loose = [name for name, off in _EXPOSED_ONLY.items() if getattr(self, name) and not off]
        if not self.safe_attrs <= SAFE_ATTRS:
            loose.append("safe_attrs")
        if self.exposed_prefix and not self.exposed_prefix.strip("_"):  # private names
            loose.append("exposed_prefix")
        return tuple(loose)

    @classmethod
    def preset(cls, access: str, **changes: object) -> ConnectionConfig:
        """
        Return a configuration by what peers may touch.

        Args:
            access: ``"exposed"`` what is exposed, the default; ``"public"`` every
                name without a leading ``_`` besides; ``"classic"`` everything.
            **changes: Switches that differ from that.

        Raises:
            ValueError: there is no such preset, or a value is out of range.
            TypeError: a name is not known.
        """
        return make_config({"access": access, **changes})


@cache  # services may make a configuration for each connection
def _checks(config: type[Any]) -> list[tuple[str, Kind]]:
    """Return the names and kinds of the switches whose values have to be checked."""
    declared = [(each.name, declaration_of(each).kind) for each in dataclasses.fields(config)]
    return [(name, kind) for name, kind in declared if kind.rule]


ConnectionConfig.__doc__ = f"{ConnectionConfig.__doc__}\n\nAttributes:\n" + "\n".join(
    f"    {each.name}: {declaration_of(each).help}" for each in dataclasses.fields(ConnectionConfig)
)


class ProgramConfig(ConnectionConfig):
    """
    The switches of a connection to a process of the same program, a worker of its pool.

    Declarations for outsiders do not bind it: an opened interface narrows nothing, and
    no public name is held back.
    """

    own_program: ClassVar[bool] = True

    @classmethod
    def unbounded(cls, **changes: object) -> Self:
        """
        Return switches without limits, but for those given.

        How deep values may nest, and how many digits an int may have, stays as the
        decoder can take it.
        """
        lifted: dict[str, Any] = {
            each.name: declared.unbounded
            for each in dataclasses.fields(cls)
            if (declared := declaration_of(each)).unbounded is not KEPT
        }
        return cls(**{**lifted, **changes})


DEFAULT_CONFIG = ConnectionConfig()
#: The names in a mapping of switches, besides ``access``.
SWITCH_NAMES = frozenset(each.name for each in dataclasses.fields(ConnectionConfig))


def make_config(
    config: ConnectionConfig | Mapping[str, object] | None, base: ConnectionConfig = DEFAULT_CONFIG
) -> ConnectionConfig:
    """
    Return the configuration that a user's argument means: a mapping differs from ``base``.

    The name ``access`` in a mapping stands for the switches of one of the `PRESETS`.

    Raises:
        TypeError: a name is not known, or the argument is no mapping.
        ValueError: a value is out of range.
    """
    if config is None:
        return base
    if isinstance(config, ConnectionConfig):
        return config
    if not isinstance(config, Mapping):
        raise TypeError(f"config is a ConnectionConfig or a mapping, not {type(config).__name__}")
    changes: dict[str, Any] = {name: value for name, value in config.items() if name not in IGNORED}
    access = changes.pop("access", None)
    if access is not None:
        if access not in PRESETS:
            raise ValueError(f"access is one of {', '.join(PRESETS)}, not {access!r}")
        changes = {**PRESETS[access], **changes}
    unknown = [name for name in changes if name not in SWITCH_NAMES]
    if unknown:
        raise TypeError(unknown_switch(unknown[0]))
    return dataclasses.replace(base, **changes)


def with_values(config: ConnectionConfig, values: bool | None) -> ConnectionConfig:
    """Return a configuration with the switch ``values`` as it is given; None: as it is there."""
    return config if values is None else config.replace(values=values)


def unknown_switch(name: str) -> str:
    """Return the sentence about a name that is no switch."""
    close = get_close_matches(str(name), SWITCH_NAMES | IGNORED | {"access"}, 1)
    hint = f": did you mean {close[0]!r}?" if close else ""
    return f"no connection switch is called {name!r}{hint}"
