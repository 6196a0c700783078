"""
Exceptions on the wire: rebuilt as what they were, or as what cannot do harm.

Both directions are held against the installed RPyC's vinegar.
"""

from __future__ import annotations

import builtins
import pickle
import sys
import traceback
import types
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rpyc.core import brine as stock_brine, vinegar
from twisted.python.failure import Failure

import txremote.peer
from tests.examples import examples
from tests.wire.values import VALUES
from txremote import errors
from txremote.errors import (
    AsyncResultTimeout,
    GenericException,
    RemoteProtocolError,
    RemoteStopIteration,
)
from txremote.wire import exceptions
from txremote.wire.brine import dump, dumpable, load
from txremote.wire.consts import EXC_STOP_ITERATION
from txremote.wire.exceptions import (
    TRACEBACK_DENIED,
    dump_exception,
    format_traceback,
    load_exception,
    safe_repr,
    without_addresses,
)


class Custom(Exception):
    """A class that only one side knows."""

    colour = "red"
    __secret__ = "never told"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.size = 5
        self.parts = [1, 2]
        self._hidden = "never told"

    @property
    def computed(self) -> int:
        """A value without a setter."""
        return 7

    @property
    def broken(self) -> int:
        """A property that fails."""
        raise AttributeError("no")

    def method(self) -> None:
        """What is callable does not travel."""


class Unprintable(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def raised(error: BaseException) -> BaseException:
    """Return an exception after it was raised, so that it has a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def travelled(error: BaseException, *, shown: bool = False, **options: bool) -> Exception:
    """Return what the other end makes of an exception."""
    return load_exception(load(dump(dump_exception(error, shown))), **options)


def at_stock(error: BaseException, *, shown: bool = False, custom: bool = False) -> Any:
    """Return what a stock RPyC makes of an exception of ours."""
    value = stock_brine.load(dump(dump_exception(error, shown)))
    return vinegar.load(value, False, custom, False)


def from_stock(error: BaseException, *, shown: bool = False, **options: bool) -> Exception:
    """Return what we make of an exception of a stock RPyC's."""
    raised(error)
    sent = vinegar.dump(type(error), error, error.__traceback__, shown, True)
    return load_exception(load(stock_brine.dump(sent)), **options)


# every way there is between us and a stock RPyC, and between two of us
WAYS = pytest.mark.parametrize("way", [travelled, at_stock, from_stock])


# --- what a caller sees --------------------------------------------------------


@WAYS
@pytest.mark.parametrize(
    "error",
    [
        ValueError("a sentence"),
        ValueError(),
        KeyError("name"),
        TypeError("one", 2, None, (3.5, b"x")),
        ZeroDivisionError("division by zero"),
        EOFError(),
        StopAsyncIteration("over"),
        TimeoutError("late"),
        RecursionError("too deep"),
        NotImplementedError(),
        AssertionError("not so"),
        UnicodeError("text"),
        Warning("careful"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_builtin_exception_arrives_as_itself(way: Any, error: Exception) -> None:
    """Its type, its arguments and its text: what a local caller would have caught."""
    got = way(error)
    assert isinstance(got, type(error))
    assert type(got).__name__ == type(error).__name__
    assert got.args == error.args
    assert str(got).startswith(str(error))


@WAYS
def test_an_oserror_arrives_with_its_attributes(way: Any) -> None:
    """errno, strerror and filename are set; its subclass is kept."""
    try:
        open("/nonexistent/file")
    except OSError as caught:
        got = way(caught)
    assert isinstance(got, FileNotFoundError)
    assert (got.errno, got.strerror, got.filename) == (
        2,
        "No such file or directory",
        "/nonexistent/file",
    )
    assert "[Errno 2] No such file or directory: '/nonexistent/file'" in str(got)


@WAYS
def test_an_oserror_without_a_filename_shows_none(way: Any) -> None:
    """A refused connection reads as it does at home: no ": None" behind it."""
    got = way(ConnectionRefusedError(111, "Connection refused"))
    assert str(got).startswith("[Errno 111] Connection refused")
    assert ": None" not in str(got).splitlines()[0]
    assert (got.errno, got.filename) == (111, None)


@WAYS
def test_a_unicode_error_arrives_with_its_attributes(way: Any) -> None:
    """Classes that need their arguments to be made, or printed, are rebuilt all the same."""
    try:
        b"ab\xffcd".decode()
    except UnicodeDecodeError as caught:
        got = way(caught)
    assert isinstance(got, UnicodeDecodeError)
    assert (got.encoding, got.object, got.start, got.end) == ("utf-8", b"ab\xffcd", 2, 3)
    assert "invalid start byte" in str(got)


@WAYS
def test_other_builtins_with_attributes(way: Any) -> None:
    """SyntaxError, ImportError, AttributeError and NameError keep what they say."""
    try:
        compile("1 +", "<text>", "eval")
    except SyntaxError as caught:
        got = way(caught)
    assert isinstance(got, SyntaxError)
    assert (got.filename, got.lineno, got.text) == ("<text>", 1, "1 +")
    got = way(ImportError("no module", name="wanted", path="/x"))
    assert (got.name, got.msg) == ("wanted", "no module")
    try:
        (5).colour  # type: ignore[attr-defined]
    except AttributeError as caught:
        got = way(caught)
    assert got.name == "colour"


@WAYS
def test_a_class_that_is_not_known_is_generic(way: Any) -> None:
    """It is called like the remote class, module included, and has its data."""
    got = way(Custom("a", 1))
    assert f"{type(got).__name__}" == f"{__name__}.Custom"
    assert type(got).__mro__[2].__name__ == "GenericException"
    assert not isinstance(got, Custom)
    assert got.args == ("a", 1)
    assert (got.colour, got.size, got.parts, got.computed) == ("red", 5, "[1, 2]", 7)
    assert not hasattr(got, "_hidden")
    assert not hasattr(got, "broken")


def test_a_generic_exception_can_be_caught_by_one_name() -> None:
    """`GenericException` traps all of them."""
    with pytest.raises(GenericException, match="a sentence"):
        raise travelled(Custom("a sentence"))


@WAYS
@pytest.mark.parametrize("error", [StopIteration(), StopIteration(5)])
def test_the_end_of_an_iteration_arrives_as_one(way: Any, error: StopIteration) -> None:
    """Toward RPyC as StopIteration; here as what may come out of an ``await``."""
    got = way(error)
    if way is at_stock:
        assert got is StopIteration or isinstance(got, StopIteration)
    else:
        assert type(got) is RemoteStopIteration
        assert not isinstance(got, StopIteration)


def test_a_plain_stop_iteration_is_one_int() -> None:
    """RPyC's short form, which every ``for`` loop ends with; passed on, it is short again."""
    assert dump_exception(StopIteration(), True) == EXC_STOP_ITERATION
    assert dump_exception(RemoteStopIteration(), True) == EXC_STOP_ITERATION
    assert type(load_exception(1)) is RemoteStopIteration
    for value in (True, 1.0, 2, 0):
        with pytest.raises(RemoteProtocolError):
            load_exception(value)


def test_what_stop_iteration_returns_is_kept() -> None:
    """The value that a generator returns travels in the long form."""
    assert travelled(StopIteration(5)).args == (5,)


def test_our_own_errors_arrive_as_themselves() -> None:
    """A refusal by name of the option is the same class at the other end."""
    got = travelled(RemoteProtocolError("too long (option max_frame)", "max_frame"))
    assert isinstance(got, RemoteProtocolError)
    assert got.limit == "max_frame"
    # the connection that the peer lost is another than the one this came over
    lost = travelled(errors.ConnectionLost("gone"))
    assert not isinstance(lost, errors.ConnectionLost)
    assert type(lost).__name__ == "txremote.errors.ConnectionLost"
    assert isinstance(travelled(AsyncResultTimeout("result expired")), AsyncResultTimeout)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit("x")])
@pytest.mark.parametrize("options", [{}, {"instantiate_custom": True, "import_custom": True}])
def test_a_peer_cannot_end_this_program(error: BaseException, options: dict[str, bool]) -> None:
    """What is no Exception arrives as a GenericException that is called like it."""
    for got in (travelled(error, **options), from_stock(error, **options)):
        assert isinstance(got, GenericException)
        assert type(got).__name__ == f"builtins.{type(error).__name__}"
        assert got.args == error.args


def test_an_exception_group_arrives_readable_at_a_stock_peer() -> None:
    """It cannot make its class; its message and its parts as text are there."""
    got = at_stock(ExceptionGroup("several", [ValueError("one"), KeyError("two")]))
    assert type(got).__name__ == "exceptiongroup.ExceptionGroup"
    assert got.message == "several"
    assert "ValueError('one')" in got.args[1]


def test_a_stock_peers_exception_group_does_no_harm() -> None:
    """RPyC sends it under its builtin name, which a stock RPyC then fails to make."""
    got = from_stock(ExceptionGroup("several", [ValueError("one")]))
    assert isinstance(got, GenericException)
    assert type(got).__name__ == "builtins.ExceptionGroup"
    assert got.args[0] == "several"


@pytest.mark.parametrize("name", ["print", "object", "dict", "exit", "__import__", "NoSuch", ""])
def test_a_builtin_that_is_no_exception_is_none(name: str) -> None:
    """A peer names an exception class or gets a generic one."""
    got = load_exception((("builtins", name), ("x",), (), ""))
    assert isinstance(got, GenericException)
    assert type(got).__name__ == f"builtins.{name}"


@pytest.mark.parametrize("name", ["annotations", "_twisted_error", "RemoteStopIteration"])
def test_a_name_of_our_error_module_is_looked_at_too(name: str) -> None:
    """Whatever else is in that module is no exception class."""
    got = load_exception((("txremote.errors", name), (), (), ""))
    assert isinstance(got, (GenericException, RemoteStopIteration))


def test_the_version_that_a_peer_tells_of_is_kept() -> None:
    """As RPyC keeps it; nothing but text, for a stock peer would fail at that."""
    assert travelled(raised(ValueError("x")))._remote_version == "<version denied>"
    told = (("_remote_version", "5.3.1"),)
    got = load_exception((("builtins", "ValueError"), (), told, "text"))
    assert got._remote_version == "5.3.1"  # type: ignore[attr-defined]
    got = load_exception((("builtins", "ValueError"), (), (("_remote_version", 5),), "text"))
    assert not hasattr(got, "_remote_version")


# --- tracebacks -------------------------------------------------------------------


def test_the_remote_traceback_shows_wherever_it_is_printed() -> None:
    """In str, in a formatted traceback, and in Twisted's Failure, as with RPyC."""
    got = travelled(raised(ValueError("a sentence")), shown=True)
    assert "raise error" in got._remote_tb  # type: ignore[attr-defined]
    assert __file__ in got._remote_tb  # type: ignore[attr-defined]
    for text in (
        str(got),
        repr(got),
        "".join(traceback.format_exception(raised(got))),
        Failure(got).getErrorMessage(),
        Failure(got).getTraceback(),
    ):
        assert "a sentence" in text
        assert "========= Remote Traceback (1) =========" in text
        assert 'raise ValueError("a sentence")' in text or "raise error" in text


def test_each_hop_adds_its_own_traceback() -> None:
    """Passed on by a second server, both tracebacks show, numbered as RPyC numbers them."""
    first = travelled(raised(ValueError("a sentence")), shown=True)
    second = travelled(raised(first), shown=True)
    assert isinstance(second, ValueError)
    assert "Remote Traceback (1)" in str(second)
    assert "Remote Traceback (2)" in str(second)
    assert "Remote Traceback (2)" in str(at_stock(raised(first), shown=True))


def test_a_traceback_may_be_denied() -> None:
    """Then nothing of this side's files or code is told."""
    value = dump_exception(raised(ValueError("a sentence")), False)
    assert value[3] == TRACEBACK_DENIED == "<traceback denied>"
    assert __file__ not in repr(value)


def test_a_traceback_tells_no_names_that_are_like_a_missing_one() -> None:
    """Python looks for them on the object, private ones too; nobody asks that object."""

    class Safe:
        asked = 0

        def __dir__(self) -> Any:
            Safe.asked += 1
            return ["_secret_word"]

    safe = Safe()
    with pytest.raises(ValueError) as caught:
        try:
            _ = safe.secret_word  # type: ignore[attr-defined]
        except AttributeError as error:
            missing = error
            raise ValueError from error
    told = dump_exception(caught.value, True)[3]
    assert "secret_word" in told
    assert "_secret_word" not in told.replace(".secret_word", "")
    assert Safe.asked == 0
    assert missing.obj is safe


def test_a_traceback_starts_where_the_programs_code_does() -> None:
    """The frames of txremote's own that led there are left out."""
    ours = f"{txremote.peer.__path__[0]}/handlers.py"
    scope: dict[str, Any] = {"__name__": "txremote.peer.handlers"}
    exec(compile("def handle(function):\n    function()\n", ours, "exec"), scope)

    def users_code() -> None:
        raise ValueError("a sentence")

    try:
        scope["handle"](users_code)
    except ValueError as caught:
        error = caught
    error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr]  # this function
    text = format_traceback(error)
    assert ours not in text
    assert "in users_code" in text


def test_an_error_of_our_own_has_a_traceback_without_frames() -> None:
    """Where no code of the program was reached, only the last line is left."""
    assert format_traceback(ValueError("a sentence")) == "ValueError: a sentence\n"


def test_a_chained_exception_shows_its_cause() -> None:
    """The text is what Python would have printed there."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner
    except ValueError as caught:
        text = format_traceback(caught)
    assert "KeyError: 'inner'" in text
    assert "direct cause" in text


def test_a_traceback_that_utf8_cannot_carry_is_told_all_the_same() -> None:
    """Lone surrogates in a message are replaced in the text."""
    text = format_traceback(ValueError("x\ud800y"))
    text.encode()
    assert "ValueError" in text


def test_stock_rpyc_shows_our_traceback() -> None:
    """And adds no warning about versions to it."""
    got = at_stock(raised(ValueError("a sentence")), shown=True)
    assert "Remote Traceback (1)" in str(got)
    assert "raise error" in got._remote_tb
    assert "WARNING" not in got._remote_tb


def test_we_show_stock_rpycs_traceback() -> None:
    """What a stock server tells is shown as it is."""
    assert "raise error" in str(from_stock(ValueError("a sentence"), shown=True))


# --- what is told and what not ----------------------------------------------------


def test_the_value_has_rpycs_shape() -> None:
    """((module, class), args, attributes with the version last, traceback)."""
    assert dump_exception(Custom("a", [1]), False) == (
        (__name__, "Custom"),
        ("a", "[1]"),
        (
            ("colour", "red"),
            ("computed", 7),
            ("parts", "[1, 2]"),
            ("size", 5),
            ("_remote_version", "<version denied>"),
        ),
        "<traceback denied>",
    )


def test_no_addresses_are_told() -> None:
    """What goes as its repr goes without the memory addresses in it."""
    thing = object()
    assert " at 0x" in repr(thing)
    error = ValueError(thing, [thing], len)
    error.thing = thing  # type: ignore[attr-defined]
    value = dump_exception(error, False)
    assert value[1] == ("<object object>", "[<object object>]", "<built-in function len>")
    assert ("thing", "<object object>") in value[2]
    assert "0x" not in repr(value)
    assert without_addresses("<a at 0x7f00aa> at 0x12 <b at 0xABCDEF01>") == "<a> at 0x12 <b>"


def test_notes_and_methods_are_not_told() -> None:
    """``add_note`` would overwrite the method at a stock peer, ``__notes__`` is private."""
    error = ValueError("a sentence")
    error.add_note("a note")
    names = [name for name, _value in dump_exception(error, False)[2]]
    assert names == ["_remote_version"]


def test_a_great_many_attributes_are_cut() -> None:
    """What an exception says has a bound."""
    error = ValueError()
    for n in range(1000):
        setattr(error, f"attribute{n}", n)
    assert len(dump_exception(error, False)[2]) <= 101


def test_a_long_repr_is_cut() -> None:
    """A list of a million things is not told in full."""
    assert len(safe_repr(list(range(1_000_000)))) <= 10_000


@pytest.mark.parametrize("shown", [True, False])
def test_an_unprintable_exception_arrives(shown: bool) -> None:
    """Whatever its __str__ and its attributes' __repr__ do, the peer gets an answer."""
    error = raised(Unprintable(Unprintable(), 5))
    got = travelled(error, shown=shown)
    assert type(got).__name__.endswith(".Unprintable")
    assert got.args == ("<unprintable Unprintable>", 5)
    assert at_stock(error, shown=shown).args == got.args
    assert repr(got)


class BadDir(Exception):
    """An exception that will not say what it has."""

    def __dir__(self) -> Any:
        raise RuntimeError("no")


class OddDir(Exception):
    """An exception that says it has odd things."""

    def __dir__(self) -> Any:
        return ["args", "fine", "\ud800", Name("named")]

    fine = 5
    named = 6


class Name(str):
    """A str with more to it."""


class BadArgs(Exception):
    """An exception whose arguments cannot be had."""

    @property
    def args(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no")


class NoArgs(Exception):
    """An exception whose arguments are none."""

    args = None  # type: ignore[assignment]


class Surrogates(Exception):
    """An exception whose parts have a repr that UTF-8 cannot carry."""

    def __repr__(self) -> str:
        return "\ud800"


class BadModule(Exception):
    """An exception of no module."""


BadModule.__module__ = None  # type: ignore[assignment]


class Unhashable(type):
    """A metaclass whose classes cannot be hashed."""

    def __eq__(cls, other: object) -> bool:
        return cls is other


class OddValue(metaclass=Unhashable):
    """An object of such a class."""


@pytest.mark.parametrize(
    "error",
    [
        BadDir("x"),
        OddDir("x"),
        BadArgs("x"),
        NoArgs(),
        Surrogates(Surrogates()),
        BadModule("x"),
        ValueError("\ud800"),
        ValueError(10**5000),
        ValueError(OddValue()),
        ValueError(frozenset({slice})),
        type("\u00e9\u20ac", (Exception,), {})("x"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("shown", [True, False])
def test_any_exception_can_be_told(error: Exception, shown: bool) -> None:
    """However odd it is, what `dump_exception` gives is something that brine carries."""
    value = dump_exception(raised(error), shown)
    assert dumpable(value)
    got = travelled(error, shown=shown)
    assert type(got).__name__.endswith(type(error).__name__)
    assert at_stock(error, shown=shown) is not None


# --- what a peer may do to us -------------------------------------------------------


def test_private_attributes_are_not_set() -> None:
    """Names with an underscore, the arguments and the methods are not the peer's to set."""
    hostile = (
        ("__class__", 1),
        ("__cause__", 1),
        ("__traceback__", 1),
        ("__notes__", ("x",)),
        ("_remote_tb", "forged"),
        ("args", ("forged",)),
        ("add_note", 1),
        ("with_traceback", 1),
        ("fine", 1),
        (5, 1),
        (b"bytes", 1),
        (None, 1),
    )
    got = load_exception((("builtins", "ValueError"), ("x",), hostile, "text"))
    assert isinstance(got, ValueError)
    assert got.args == ("x",)
    assert got._remote_tb == "text"  # type: ignore[attr-defined]
    assert got.__cause__ is None
    assert not hasattr(got, "__notes__")
    assert callable(got.add_note)
    assert callable(got.with_traceback)
    assert got.fine == 1  # type: ignore[attr-defined]


def test_attributes_of_a_wrong_type_are_left_out() -> None:
    """A str where Python wants an int: the rest of the exception is there."""
    pairs = (("start", "no int"), ("reason", 5), ("more", 1))
    got = load_exception((("builtins", "UnicodeDecodeError"), (), pairs, ""))
    assert isinstance(got, UnicodeDecodeError)
    assert got.more == 1  # type: ignore[attr-defined]
    assert str(got) is not None


def test_attributes_reach_only_the_one_exception() -> None:
    """A class made for one peer's exception is the same afterwards for the next."""
    load_exception((("builtins", "ValueError"), (), (("colour", "red"),), ""))
    assert not hasattr(load_exception((("builtins", "ValueError"), (), (), "")), "colour")
    assert not hasattr(ValueError, "colour")


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        2,
        "text",
        b"text",
        (),
        (1, 2, 3),
        (1, 2, 3, 4),
        (("builtins", "ValueError"), (), ()),
        (("builtins", "ValueError"), (), (), "", ""),
        (("builtins",), (), (), ""),
        (("builtins", "ValueError", "x"), (), (), ""),
        (("builtins", 5), (), (), ""),
        ((None, "ValueError"), (), (), ""),
        ((b"builtins", "ValueError"), (), (), ""),
        (("builtins", "ValueError"), None, (), ""),
        (("builtins", "ValueError"), "args", (), ""),
        (("builtins", "ValueError"), (), None, ""),
        (("builtins", "ValueError"), (), 5, ""),
        (("builtins", "ValueError"), (), ("abc",), ""),
        (("builtins", "ValueError"), (), ((1, 2, 3),), ""),
        (("builtins", "ValueError"), (), (), None),
        (("builtins", "ValueError"), (), (), b"text"),
    ],
)
def test_what_is_no_exception_is_refused(value: Any) -> None:
    """Any other shape is the peer's error."""
    with pytest.raises(RemoteProtocolError, match="an exception"):
        load_exception(value)


@pytest.mark.parametrize(
    "name", ["a\0b", "", ".", "x" * 100_000, "\u00e9", "class", "a b\n", "1", "__class__"]
)
@pytest.mark.parametrize("module", ["somewhere", "", "\0", "builtins", "os.path", "x" * 100_000])
@pytest.mark.parametrize("options", [{}, {"instantiate_custom": True, "import_custom": True}])
def test_any_name_gives_an_exception(module: str, name: str, options: dict[str, bool]) -> None:
    """Names are the peer's: whatever they are, there is an exception, and it can be shown."""
    got = load_exception(((module, name), ("x",), (), "text"), **options)
    assert isinstance(got, GenericException)
    assert "x" in str(got)
    assert len(type(got).__name__) < 1000


def test_what_peers_make_us_remember_is_bounded() -> None:
    """Thousands of class names leave a bounded number of classes behind."""
    for n in range(2000):
        load_exception(((f"module{n}", "Name" * 500), (), (), ""))
    for cache in (exceptions._generic_class_named, exceptions._with_remote_traceback):
        assert cache.cache_info().maxsize is not None
        assert cache.cache_info().currsize <= 512


def test_a_known_class_is_made_once() -> None:
    """Two of the same kind are of one class, here as at home."""
    assert type(travelled(ValueError())) is type(travelled(ValueError("x")))
    assert type(travelled(Custom())) is type(travelled(Custom()))


class Late:
    """A module that fails to give what it is asked for, as lazy modules may."""

    def __getattr__(self, name: str) -> Any:
        raise ImportError(f"no {name} today")


def test_custom_classes_are_made_only_where_that_is_allowed() -> None:
    """``instantiate_custom_exceptions``: classes of loaded modules, by name."""
    assert isinstance(travelled(Custom("a"), instantiate_custom=True), Custom)
    assert not isinstance(travelled(Custom("a"), import_custom=True), Custom)
    got = travelled(Custom("a"), instantiate_custom=True)
    assert got.args == ("a",)
    assert got.size == 5  # type: ignore[attr-defined]
    assert isinstance(from_stock(Custom("a"), instantiate_custom=True), Custom)


def test_only_exception_classes_are_made() -> None:
    """With custom classes allowed a peer still cannot make anything else of a module."""
    for module, name in (("os", "system"), ("types", "SimpleNamespace"), (__name__, "Late")):
        got = load_exception(((module, name), ("x",), (), ""), instantiate_custom=True)
        assert isinstance(got, GenericException)


def test_modules_are_imported_only_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """``import_custom_exceptions``, and a module that is missing or broken is no error."""
    (tmp_path / "late_module.py").write_text("class Late(Exception): pass\n")
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('no')\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def got(module: str, **options: bool) -> Any:
        return type(load_exception(((module, "Late"), (), (), ""), **options))

    assert issubclass(got("late_module"), GenericException)
    assert issubclass(got("late_module", instantiate_custom=True), GenericException)
    assert "late_module" not in sys.modules
    found = got("late_module", instantiate_custom=True, import_custom=True)
    try:
        assert issubclass(found, sys.modules["late_module"].Late)
        for module in ("broken_module", "missing_module", "late_module.missing"):
            assert issubclass(
                got(module, instantiate_custom=True, import_custom=True), GenericException
            )
    finally:
        del sys.modules["late_module"]


def test_a_module_that_raises_when_asked_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lazy modules raise all kinds of things from their ``__getattr__``."""
    monkeypatch.setitem(sys.modules, "lazy_module", Late())  # type: ignore[arg-type]
    got = load_exception((("lazy_module", "Error"), (), (), ""), instantiate_custom=True)
    assert isinstance(got, GenericException)


def test_a_custom_end_of_an_iteration_may_come_out_of_an_await() -> None:
    """No subclass of StopIteration is ever made: a Deferred or a coroutine cannot carry it."""
    module = types.ModuleType("iterating")
    module.Done = type("Done", (StopIteration,), {"__module__": "iterating"})  # type: ignore[attr-defined]
    sys.modules["iterating"] = module
    try:
        got = load_exception((("iterating", "Done"), (5,), (), ""), instantiate_custom=True)
    finally:
        del sys.modules["iterating"]
    assert not isinstance(got, StopIteration)
    assert got.args == (5,)


class Strict(Exception):
    """An exception that sets no attribute and takes two arguments."""

    def __new__(cls, one: Any, two: Any) -> Strict:
        return super().__new__(cls, one, two)

    def __setattr__(self, name: str, value: Any) -> None:
        raise RuntimeError("no")


def test_a_class_that_cannot_be_made_is_generic() -> None:
    """Where rebuilding fails, what was told is there all the same."""
    got = travelled(Strict(1, 2), instantiate_custom=True)
    assert isinstance(got, GenericException)
    assert got.args == (1, 2)


class Silent(Exception):
    """An exception that sets no attribute."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise RuntimeError("no")


def test_a_class_that_takes_no_attributes_is_told_all_the_same() -> None:
    """Its traceback may be lost, the exception is not."""
    got = travelled(Silent("x"), instantiate_custom=True, shown=True)
    assert "x" in str(got)


@settings(deadline=None, max_examples=examples(100))
@given(
    st.one_of(
        VALUES,
        st.tuples(
            st.tuples(st.sampled_from(["builtins", "txremote.errors", "os"]), st.text(max_size=5)),
            st.lists(VALUES, max_size=3).map(tuple),
            st.lists(st.tuples(st.one_of(st.text(max_size=5), VALUES), VALUES), max_size=3).map(
                tuple
            ),
            st.text(max_size=5),
        ),
        st.tuples(
            st.tuples(
                st.just("builtins"),
                st.sampled_from([n for n in dir(builtins) if not n.startswith("_")]),
            ),
            st.lists(VALUES, max_size=3).map(tuple),
            st.lists(
                st.tuples(
                    st.sampled_from(["errno", "start", "end", "object", "name", "reason", "text"]),
                    VALUES,
                ),
                max_size=3,
            ).map(tuple),
            st.text(max_size=5),
        ),
    )
)
def test_any_value_is_an_exception_or_the_one_error(value: Any) -> None:
    """Whatever travels: an Exception that can be raised, shown and passed on, or an error."""
    try:
        got = load_exception(value)
    except RemoteProtocolError:
        return
    assert isinstance(got, Exception)
    assert isinstance(str(got), str)
    assert isinstance(repr(got), str)
    assert dumpable(dump_exception(raised(got), True))


def test_errors_of_this_side_can_be_pickled() -> None:
    """Nothing but the classes made on arrival is hard to copy: they say whose they are."""
    got = travelled(ValueError("x"))
    assert (type(got).__module__, type(got).__qualname__) == ("builtins", "ValueError")
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(got)


# --- groups ---------------------------------------------------------------------------


class OurGroup(ExceptionGroup):
    """Derived, as libraries derive theirs."""


def arrived(error: BaseException, **options: Any) -> Any:
    """Return an exception as it arrives."""
    return load_exception(load(dump(dump_exception(error, False))), **options)


def test_a_group_arrives_as_one() -> None:
    inner = ExceptionGroup("inner", [OSError(2, "gone"), KeyError("k")])
    found = arrived(ExceptionGroup("outer", [ValueError(1), inner]))
    assert isinstance(found, ExceptionGroup)
    assert found.message == "outer"
    assert [type(each).__name__ for each in found.exceptions] == ["ValueError", "ExceptionGroup"]
    missing, other = found.split(OSError)
    assert missing is not None
    assert missing.exceptions[0].exceptions[0].errno == 2
    assert other is not None
    assert str(found.exceptions[0]).startswith("1")


def test_a_group_can_be_caught_by_its_parts() -> None:
    seen = []
    try:
        raise arrived(ExceptionGroup("both", [ValueError(1), OSError(2)]))
    except* OSError as group:
        seen.append(len(group.exceptions))
    except* ValueError as group:
        seen.append(len(group.exceptions))
    assert seen == [1, 1]


def test_a_group_of_what_ends_a_program_ends_none_here() -> None:
    found = arrived(BaseExceptionGroup("end", [SystemExit(1), KeyboardInterrupt()]))
    assert type(found).__mro__[1] is ExceptionGroup
    assert all(isinstance(each, GenericException) for each in found.exceptions)


def test_a_group_of_a_class_that_is_not_known_here() -> None:
    found = arrived(OurGroup("ours", [ValueError(1)]))
    assert isinstance(found, ExceptionGroup)
    assert isinstance(found, GenericException)
    assert type(found).__name__ == f"{__name__}.OurGroup"
    known = arrived(OurGroup("ours", [ValueError(1)]), instantiate_custom=True)
    assert isinstance(known, OurGroup)


def test_a_great_group_travels_in_part() -> None:
    wide = arrived(ExceptionGroup("wide", [ValueError(each) for each in range(500)]))
    assert len(wide.exceptions) == 100
    deep: Exception = ValueError(1)
    for _ in range(50):
        deep = ExceptionGroup("deep", [deep])
    found = arrived(deep)
    depth = 0
    while isinstance(found, ExceptionGroup):
        found, depth = found.exceptions[0], depth + 1
    assert depth == 10


@pytest.mark.parametrize("inner", [(), 5, (5,), ((("m", "n"), 1, (), ""),), ("x",) * 101])
def test_a_group_that_is_none(inner: Any) -> None:
    """Costs no more than its message, or is told to be no exception."""
    value = (("exceptiongroup", "ExceptionGroup"), ("m",), (("_exceptions", inner),), "")
    try:
        found = load_exception(value)
    except RemoteProtocolError as error:
        assert "exception" in str(error)
    else:
        assert isinstance(found, GenericException)
