"""
Exceptions in words: found where the exception was raised, and told later.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest

from tests.peer.odd_objects import ERRORS
from txremote.peer.error_report import ErrorReport, encoded_plainly, report_error
from txremote.wire.brine import load
from txremote.wire.exceptions import RemoteTraceback, load_exception
from txremote.work.pickling import dump_error, load_error


def told_of(error: BaseException, **how: Any) -> ErrorReport:
    try:
        raise error
    except BaseException as raised:
        how = {"show_traceback": False, "log": True, "logger": None, **how}
        return report_error(raised, **how)


def _fail() -> None:
    int("x")


def test_what_a_job_in_another_process_has_raised_is_told_of_by_its_name_and_line() -> None:
    """It has no frames here; a stranger's reference leads to its traceback."""
    try:
        _fail()
    except ValueError as raised:
        travelled = dump_error(raised)
    error = load_error(*travelled, name="Shop.count").value
    assert error is not None
    told = report_error(error, show_traceback=True, log=True, logger=None)
    line = inspect.getsourcelines(_fail)[1] + 1
    assert (told.called, told.line) == ("Shop.count", f"test_error_report.py:{line}")
    told = report_error(error, show_traceback=False, log=True, logger=None)
    assert told.reference is not None
    assert told.text is not None
    assert "in _fail" in told.text
    assert "_fail" not in repr(load(told.encoded))
    frames = (
        ("/a/txremote/work/child.py", 9),
        ("/a/shop.py", 2),
        ("/a/json.py", 5),
        ("/a/shop.py", 7),
    )
    text = "".join(f'  File "{file}", line {number}, in f\n    pass\n' for file, number in frames)
    assert RemoteTraceback(text).line == "shop.py:7"
    assert RemoteTraceback("killed").line == ""


def test_a_stranger_gets_a_reference_and_the_log_the_traceback() -> None:
    told = told_of(ValueError("too many"))
    assert told.reference is not None
    assert told.text is not None
    assert told.called == "told_of"
    assert "in told_of" in told.text
    (_kind, args, _attributes, text) = load(told.encoded)
    assert args == ("too many",)
    assert text == f"<traceback denied, reference {told.reference}>"


def test_a_trusted_peer_gets_the_traceback_and_the_log_a_line() -> None:
    told = told_of(ValueError("too many"), show_traceback=True)
    assert (told.reference, told.text) == (None, "too many")
    assert "in told_of" in load(told.encoded)[3]


@pytest.mark.parametrize("error", [StopIteration(), StopAsyncIteration()])
def test_the_end_of_an_iteration_is_not_logged(error: Exception) -> None:
    assert told_of(error).text is None


def test_a_logger_of_ones_own_logs_at_once(caplog: Any) -> None:
    logger = logging.getLogger("tests.peer.error_report")
    told = told_of(ValueError("too many"), logger=logger)
    assert told.text is None
    assert told.reference is not None
    assert f"reference {told.reference}" in caplog.text


def test_a_logger_that_fails_costs_nobody_the_answer() -> None:
    class Broken(logging.Logger):
        def error(self, *args: Any, **kwargs: Any) -> None:
            raise OSError("disk full")

    told = told_of(ValueError("too many"), logger=Broken("x"))
    assert load(told.encoded)[1] == ("too many",)
    assert told.text == "<not to be logged: OSError: disk full>"


@pytest.mark.parametrize("show_traceback", [True, False])
def test_every_exception_of_the_zoo_can_be_put_into_words(show_traceback: bool) -> None:
    for what, make in ERRORS.items():
        told = told_of(make(), show_traceback=show_traceback)
        assert isinstance(load_exception(load(told.encoded)), Exception), what


def test_an_exception_that_cannot_be_sent_is_its_name_and_the_reason() -> None:
    error = load_exception(load(encoded_plainly(ValueError(1), MemoryError("x"))))
    assert error.args == ("ValueError, which could not be sent: MemoryError",)
