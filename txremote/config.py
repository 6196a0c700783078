"""
The switches of a connection: frozen, made before it and never changed by it.

The names are RPyC's (`rpyc.core.protocol.DEFAULT_CONFIG`), so a mapping that
configures an RPyC program configures a txremote one; the limits and a few
switches are ours. ``access`` names a set of them: what most programs want is
one of three. Three defaults differ from RPyC's, each for safety:
``include_local_traceback`` is None (only to peers on this machine),
``include_local_version`` is False, ``safe_attrs`` is without ``__new__``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from math import inf
from typing import Any, ClassVar

from txremote.wire.limits import DEFAULT_LIMITS, Limits

# rpyc 6.0.2 DEFAULT_CONFIG["safe_attrs"], less __new__, which is no operator
SAFE_ATTRS = frozenset(
    [
        "__abs__",
        "__add__",
        "__and__",
        "__bool__",
        "__cmp__",
        "__contains__",
        "__delitem__",
        "__delslice__",
        "__div__",
        "__divmod__",
        "__doc__",
        "__eq__",
        "__float__",
        "__floordiv__",
        "__ge__",
        "__getitem__",
        "__getslice__",
        "__gt__",
        "__hash__",
        "__hex__",
        "__iadd__",
        "__iand__",
        "__idiv__",
        "__ifloordiv__",
        "__ilshift__",
        "__imod__",
        "__imul__",
        "__index__",
        "__int__",
        "__invert__",
        "__ior__",
        "__ipow__",
        "__irshift__",
        "__isub__",
        "__iter__",
        "__itruediv__",
        "__ixor__",
        "__le__",
        "__len__",
        "__long__",
        "__lshift__",
        "__lt__",
        "__mod__",
        "__mul__",
        "__ne__",
        "__neg__",
        "__nonzero__",
        "__oct__",
        "__or__",
        "__pos__",
        "__pow__",
        "__radd__",
        "__rand__",
        "__rdiv__",
        "__rdivmod__",
        "__repr__",
        "__rfloordiv__",
        "__rlshift__",
        "__rmod__",
        "__rmul__",
        "__ror__",
        "__rpow__",
        "__rrshift__",
        "__rshift__",
        "__rsub__",
        "__rtruediv__",
        "__rxor__",
        "__setitem__",
        "__setslice__",
        "__str__",
        "__sub__",
        "__truediv__",
        "__xor__",
        "next",
        "__length_hint__",
        "__enter__",
        "__exit__",
        "__next__",
        "__format__",
    ]
)

#: Known to RPyC and without a meaning here: accepted, so that a mapping written
#: for RPyC needs no editing.
IGNORED = frozenset(
    {
        "close_catchall",
        "connid",
        "credentials",
        "endpoints",
        "instantiate_oldstyle_exceptions",
        "propagate_KeyboardInterrupt_locally",
        "propagate_SystemExit_locally",
    }
)


_EXPOSED_ONLY: dict[str, Any] = {
    "allow_safe_attrs": True,
    "allow_exposed_attrs": True,
    "allow_public_attrs": False,
    "allow_all_attrs": False,
    "allow_getattr": True,
    "allow_setattr": False,
    "allow_delattr": False,
    "allow_pickle": False,
    "instantiate_custom_exceptions": False,
    "import_custom_exceptions": False,
}

#: What ``access`` stands for. *exposed* is the default.
PRESETS: dict[str, dict[str, Any]] = {
    "exposed": _EXPOSED_ONLY,
    "public": {**_EXPOSED_ONLY, "allow_public_attrs": True},
    # what rpyc 6.0.2 SlaveService.on_connect switches on
    "classic": {
        **_EXPOSED_ONLY,
        "allow_all_attrs": True,
        "allow_setattr": True,
        "allow_delattr": True,
        "allow_pickle": True,
        "instantiate_custom_exceptions": True,
        "import_custom_exceptions": True,
    },
}

_BOOLEANS = (
    "allow_safe_attrs",
    "allow_exposed_attrs",
    "allow_public_attrs",
    "allow_all_attrs",
    "allow_getattr",
    "allow_setattr",
    "allow_delattr",
    "allow_pickle",
    "include_local_version",
    "instantiate_custom_exceptions",
    "import_custom_exceptions",
    "log_exceptions",
    "bind_threads",
)


@dataclass(frozen=True, kw_only=True)
class ConnectionConfig:
    """
    How a connection behaves. Times are in seconds, sizes in bytes.

    Attributes:
        allow_safe_attrs: Whether the operators in ``safe_attrs`` are reachable.
        allow_exposed_attrs: Whether exposed names are reachable.
        allow_public_attrs: Whether every name without a leading ``_`` is.
        allow_all_attrs: Whether every name is. Gives the peer everything.
        safe_attrs: The operators that need no exposing.
        exposed_prefix: The prefix that exposes a name.
        allow_getattr: Whether attributes can be read.
        allow_setattr: Whether attributes can be set.
        allow_delattr: Whether attributes can be deleted.
        allow_pickle: Whether the peer may have an object pickled, or pickle
            references itself. Gives whoever unpickles to the other side.
        include_local_traceback: Whether exceptions carry their traceback to
            the peer: True, False, or None for peers on this machine (loopback,
            UNIX socket, in memory).
        include_local_version: Has no effect: the version is never told.
        instantiate_custom_exceptions: Whether a remote exception's class is
            looked up in modules that are loaded here.
        import_custom_exceptions: Whether its module is imported for that.
        log_exceptions: Whether an exception in an exposed method is logged
            here, at debug level.
        logger: A `logging.Logger` that gets those instead of Twisted's log.
        sync_request_timeout: How long a blocking call waits, and how long a
            call into a client that may be a stock RPyC one does. None: for ever.
        before_closed: Called with the remote root before `Connection.close`
            says good-bye; by a `BlockingView` with a netref, in the thread that closes.
        bind_threads: Connecting only: whether the server runs with
            ``RPYC_BIND_THREADS=true``.
        call_timeout: How long an exposed coroutine or Deferred may take before
            it is cancelled and the caller gets a `TimeoutError`. What runs in a
            thread goes on then, with nobody waiting for it. None: for ever.
        compress: ``"auto"`` compresses what pays, to peers that are not on this
            machine; True to all; False never. Compressed frames are always read.
        max_frame: Longest payload of a frame that is read.
        max_inflated: Longest payload after inflating.
        max_depth: How deep tuples may nest.
        max_int_digits: Most decimal digits of an int.
        max_items: Most values in one frame.
        request_timeout: How long a call of a reactor waits for its answer, where
            nothing else is said. None: for ever.
        frame_timeout: How long a message may take to arrive, from its first byte
            to its last. None: for ever.
        keepalive: After how much silence a txremote peer is asked for a sign of
            life, and how long it may take to answer before it is given up
            (``keepalive_timeout``). None: never.
        keepalive_timeout: See ``keepalive``.
        idle_timeout: After how long without a call, in either direction, a
            connection is closed. None: never.
        login_timeout: How long a peer that has to log in may take for it.
        max_connections: Most connections of a listener.
        max_per_address: Most of them from one address.
        max_logins: Most of them that have not logged in, where they have to; half
            as many of one address.
        max_calls: Most requests of the peer that may be unanswered at once; more
            of them wait.
        max_waiting: Most requests of the peer that may wait; more are refused.
        max_unanswered: Most bytes of the peer's requests that may be unanswered,
            running and waiting; what is over it is refused. One alone may have
            ``max_frame``.
        max_exports: Most objects that the peer may hold references to.
        max_imports: Most references to the peer's objects that are held at once.
        max_threads: Most worker threads of a listener, those that wait for
            answers of their own included.
        pause_unsent: How many bytes may wait for a peer that does not read before
            its own requests wait, and nothing more is read from it.
        max_unsent: How many may, before it is disconnected.
        max_held: Most bytes that all connections of a listener may hold together: what waits for
            peers that do not read, calls that run or wait, messages that are not complete.
        max_held_per_address: Most of them, but for messages that are not complete, for the
            connections of one address.
    """

    #: Whether the peer is a part of the same program, for which nothing is declared.
    own_program: ClassVar[bool] = False

    allow_safe_attrs: bool = True
    allow_exposed_attrs: bool = True
    allow_public_attrs: bool = False
    allow_all_attrs: bool = False
    safe_attrs: frozenset[str] = SAFE_ATTRS
    exposed_prefix: str = "exposed_"
    allow_getattr: bool = True
    allow_setattr: bool = False
    allow_delattr: bool = False
    allow_pickle: bool = False
    include_local_traceback: bool | None = None
    include_local_version: bool = False
    instantiate_custom_exceptions: bool = False
    import_custom_exceptions: bool = False
    log_exceptions: bool = True
    logger: Any = None
    sync_request_timeout: float | None = 30
    before_closed: Callable[[Any], object] | None = None
    bind_threads: bool = False
    call_timeout: float | None = None
    compress: bool | str = "auto"
    max_frame: int = DEFAULT_LIMITS.max_frame
    max_inflated: int = DEFAULT_LIMITS.max_inflated
    max_depth: int = DEFAULT_LIMITS.max_depth
    max_int_digits: int = DEFAULT_LIMITS.max_int_digits
    max_items: int = DEFAULT_LIMITS.max_items
    request_timeout: float | None = None
    frame_timeout: float | None = 60.0
    keepalive: float | None = 60.0
    keepalive_timeout: float = 30.0
    idle_timeout: float | None = None
    login_timeout: float | None = 30.0
    max_connections: int = 20_000
    max_per_address: int = 2_000
    max_logins: int = 1_000
    max_calls: int = 1_000
    max_waiting: int = 10_000
    max_unanswered: int = 256 * 1024 * 1024
    max_exports: int = 1_000_000
    max_imports: int = 100_000
    max_threads: int = 1000
    pause_unsent: int = 4 * 1024 * 1024
    max_unsent: int = 256 * 1024 * 1024
    max_held: int = 1024 * 1024 * 1024
    max_held_per_address: int = 192 * 1024 * 1024

    def __post_init__(self) -> None:
        object.__setattr__(self, "safe_attrs", frozenset(self.safe_attrs))
        if self.compress not in (True, False, "auto"):
            raise ValueError(f"compress is True, False or 'auto', not {self.compress!r}")
        for name in _BOOLEANS:
            value = getattr(self, name)
            if value is not True and value is not False:
                raise ValueError(f"{name} is True or False, not {value!r}")
        if self.include_local_traceback not in (True, False, None):
            raise ValueError(
                f"include_local_traceback is True, False or None, not "
                f"{self.include_local_traceback!r}"
            )
        for name in (
            "sync_request_timeout",
            "call_timeout",
            "request_timeout",
            "frame_timeout",
            "keepalive",
            "keepalive_timeout",
            "idle_timeout",
            "login_timeout",
        ):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise ValueError(f"{name} is a positive number of seconds or None, not {value!r}")
        for name in (
            "max_connections",
            "max_per_address",
            "max_logins",
            "max_calls",
            "max_waiting",
            "max_unanswered",
            "pause_unsent",
            "max_exports",
            "max_imports",
            "max_threads",
            "max_unsent",
            "max_held",
            "max_held_per_address",
        ):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a positive int, not {value!r}")
        self.limits  # noqa: B018  # checks the rest, now and not at the first frame

    @cached_property
    def limits(self) -> Limits:
        """The bounds on what is read, as the wire's own object."""
        return Limits(
            max_frame=self.max_frame,
            max_inflated=self.max_inflated,
            max_depth=self.max_depth,
            max_int_digits=self.max_int_digits,
            max_items=self.max_items,
        )

    def but(self, **changes: Any) -> ConnectionConfig:
        """
        Return a copy with some switches changed.

        Raises:
            TypeError: a name is not known.
        """
        return make_config(changes, self)

    @property
    def looser_than_exposed(self) -> tuple[str, ...]:
        """The switches that give a peer more than ``access="exposed"`` does, by name."""
        loose = [name for name, off in _EXPOSED_ONLY.items() if getattr(self, name) and not off]
        if not self.safe_attrs <= SAFE_ATTRS:
            loose.append("safe_attrs")
        if self.exposed_prefix and not self.exposed_prefix.strip("_"):  # private names
            loose.append("exposed_prefix")
        return tuple(loose)

    @classmethod
    def preset(cls, access: str, **changes: Any) -> ConnectionConfig:
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


class ProgramConfig(ConnectionConfig):
    """
    The switches of a connection to a process of the same program, a worker of its pool.

    What the program has declared for outsiders does not bind it: an opened interface
    narrows nothing, and of public names none is held back.
    """

    own_program: ClassVar[bool] = True

    @classmethod
    def unbounded(cls, **changes: Any) -> ProgramConfig:
        """
        Return switches with no limit of what the other half may ask or send, or how long
        it may take; but how deep values may nest, and how many digits an int may have,
        stays as the decoder can take it.

        Args:
            **changes: Switches that differ from that.
        """
        lifted: dict[str, Any] = {}
        for each in dataclasses.fields(cls):
            if each.name in ("max_depth", "max_int_digits"):
                continue
            if each.name.startswith("max_"):
                lifted[each.name] = _MOST_BYTES if each.name == "max_frame" else _NO_LIMIT
            elif each.name.endswith(("_timeout", "keepalive")) and each.name not in _NEEDED:
                lifted[each.name] = None
        return cls(**{**lifted, **changes})


_MOST_BYTES = 0xFFFFFFFF  # a frame's length is 32 bits
_NO_LIMIT = 1 << 62
_NEEDED = frozenset({"keepalive_timeout"})  # it has no effect without keepalive

DEFAULT_CONFIG = ConnectionConfig()
#: What a mapping of switches may have in it, besides ``access``.
SWITCH_NAMES = frozenset(field.name for field in dataclasses.fields(ConnectionConfig))


def make_config(
    config: ConnectionConfig | Mapping[str, Any] | None,
    base: ConnectionConfig = DEFAULT_CONFIG,
) -> ConnectionConfig:
    """
    Return the configuration that a user's argument means.

    Args:
        config: A configuration, a mapping of switches that differ from
            ``base``, or None for ``base``. The name ``access`` in a mapping
            stands for the switches of one of the `PRESETS`.
        base: The defaults.

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
    changes = {name: value for name, value in config.items() if name not in IGNORED}
    access = changes.pop("access", None)
    if access is not None:
        if access not in PRESETS:
            raise ValueError(f"access is one of {', '.join(PRESETS)}, not {access!r}")
        changes = {**PRESETS[access], **changes}
    unknown = [name for name in changes if name not in SWITCH_NAMES]
    if unknown:
        raise TypeError(unknown_switch(unknown[0]))
    return dataclasses.replace(base, **changes)


def unknown_switch(name: str) -> str:
    """Return the sentence about a name that is no switch."""
    close = get_close_matches(str(name), SWITCH_NAMES | IGNORED | {"access"}, 1)
    hint = f": did you mean {close[0]!r}?" if close else ""
    return f"no connection switch is called {name!r}{hint}"
