"""
Records in the arguments of a job become what its function declares.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from functools import partial
from typing import Any

import pytest
import pytest_twisted

from tests.work.child_processes import outcome_of, running_pool
from tests.work.declared_jobs import Box, Printer, Sheet, area, undeclared, wrong
from tests.work.doubles import CopyingPool, Reactor, no_running_pools, outcome
from txremote import run_async
from txremote.errors import WrongValue
from txremote.testing import connected_pair
from txremote.wire.record import KIND_NAMEDTUPLE, Record, make_record
from txremote.wire.values import AsValue
from txremote.work.declared import DeclaredCall, declared, holds_record
from txremote.work.pickling import dump_job, load_job
from txremote.work.running import set_default_pool
from txremote.work.threads import ThreadPool

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools")


def box(width: object, height: object) -> Record:
    return make_record(KIND_NAMEDTUPLE, "Box", {"width": width, "height": height})


SHEET = Record("Sheet", name="A4", boxes=[box(2, 3), box(1, 1)])
WRONG = Record("Sheet", name="A4", boxes=[box(2, 3), box("x", 1)])


@pytest.fixture(params=["a copying pool", "threads"])
def submit(request: pytest.FixtureRequest) -> Any:
    """Runs a job in a pool of some kind, and returns its result or its error."""
    if request.param == "threads":
        reactor = Reactor()
        pool: Any = ThreadPool(reactor)
        settle = reactor.settle
    else:
        pool, settle = CopyingPool(), lambda: None
    pool.start()

    def run(function: Any, *args: object, **kwargs: object) -> object:
        found = outcome(pool.submit(function, args, kwargs))
        settle()
        return found[0]

    return run


def test_arguments_arrive_as_the_function_declares_them(submit: Any) -> None:
    assert submit(area, SHEET) == 7
    assert submit(area, scale=2, sheet=SHEET) == 14
    assert submit(partial(area, scale=3), SHEET) == 21


def test_a_program_s_own_objects_are_passed_on_as_they_are(submit: Any) -> None:
    """Even where they are not as declared: a program did that before, too."""
    assert submit(area, Sheet("A4", [Box(2, 3)])) == 6
    assert submit(area, Sheet("A4", [Box(2.5, 2)])) == 5.0  # type: ignore[arg-type]
    assert submit(wrong, Sheet("A4", [])) == "A4"


def test_where_nothing_is_declared_a_record_stays_one(submit: Any) -> None:
    assert submit(undeclared, SHEET) == "Record"
    assert submit(lambda sheet: sheet.name, SHEET) == "A4"


def test_an_error_names_the_place_of_a_wrong_argument(submit: Any) -> None:
    error = submit(area, WRONG)
    assert type(error) is WrongValue
    assert "sheet.boxes[1].width" in str(error)
    assert "int" in str(error)


def test_a_wrong_result_is_the_job_s_error(submit: Any) -> None:
    error = submit(wrong, SHEET)
    assert type(error) is WrongValue
    assert "result" in str(error)


def test_a_job_without_records_travels_as_ever() -> None:
    for args in ((Sheet("A4", []),), (["txremote.wire.record"],)):
        function, found, _kwargs = load_job(*dump_job(undeclared, args, {}, "job"), "job")
        assert found == args
        assert function is undeclared or type(function) is DeclaredCall
    assert declared(area, (5, "x"), {}) is area
    assert declared(lambda x: x, (SHEET,), {}) is not area
    asked: Any = type("Asked", (), {"__call__": print, "__getattr__": pytest.fail})()
    assert declared(asked, (SHEET,), {}) is asked


@pytest.mark.parametrize(
    "value",
    [
        *(SHEET, [1, [SHEET]], (None, {"a": SHEET}), {box(1, 2): 5}, {box(1, 2)}),
        *(deque([SHEET]), OrderedDict(a=[SHEET]), frozenset({box(1, 2)})),
    ],
)
def test_a_record_is_found_in_containers(value: object) -> None:
    assert holds_record([value])


def test_containers_that_hold_themselves_are_looked_at_once() -> None:
    ring: list[object] = [1]
    ring.append(ring)
    assert not holds_record([ring, {"a": ring}])


def test_a_value_from_a_peer_reaches_an_offloaded_method_as_declared() -> None:
    """The service passes nothing on itself: its method's body runs in a pool."""
    pool = CopyingPool()
    pool.start()
    set_default_pool(pool)
    pair = connected_pair(server_root=Printer)
    assert pair.result(pair.client.root.ink_for(AsValue(Sheet("A4", [Box(2, 3)])))) == 12
    with pytest.raises(Exception, match=r"sheet\.boxes: expected list\[Box\], got int 5"):
        pair.result(pair.client.root.ink_for(AsValue(Sheet("A4", 5))))  # type: ignore[arg-type]
    set_default_pool(None)


@pytest_twisted.ensureDeferred
async def test_in_threads_of_the_reactor() -> None:
    assert await run_async(area, SHEET, use_thread=True) == 7
    assert await Printer().ink_for(SHEET) == 14


@pytest_twisted.ensureDeferred
async def test_in_a_process() -> None:
    async with running_pool() as pool:
        assert await pool.submit(area, (SHEET,)) == 7
        error = await outcome_of(pool.submit(area, (WRONG,)))
        assert type(error) is WrongValue
        assert "sheet.boxes[1].width" in str(error)
        assert type(await pool.submit(Sheet, ("A4", []))) is Sheet
