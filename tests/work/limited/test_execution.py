"""
Limited sources, run: each ends once, in a result or in one error that says why.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, succeed

from tests.processes import Program, script
from tests.work.child_processes import lives, outcome_of, outcomes_of, running_pool, until
from tests.work.limited.surroundings import remains
from txremote import limited_exec, live
from txremote.errors import (
    LimitExceeded,
    NoSandbox,
    NotSendable,
    PoolFull,
    PoolStopped,
    SourceFailed,
    SourceRefused,
)
from txremote.work.limited import execution, sandbox as sandboxes
from txremote.work.limited.execution import LimitedRunner
from txremote.work.limited.source import LimitedResult
from txremote.work.processes import ProcessPool

MIB = 1024 * 1024
FOREVER = "while True: pass"


@pytest_twisted.ensureDeferred
async def test_a_source_gives_a_result(sandbox: Any) -> None:
    """By _return or as an expression, with copies of values and calls of live functions."""
    heard: list[object] = []

    def tell(*args: object, **kwargs: object) -> object:
        heard.append((args, kwargs))
        return {"n": [1, 2.5, None, (b"x",)]}

    async def slow(text: str) -> str:
        return (await succeed(text)) * 2

    def fail(text: str) -> None:
        raise KeyError(text)

    given = {"hp": 3, "bag": ["a", {"b"}]}
    names = {**given, "tell": live(tell), "slow": live(slow), "fail": live(fail)}
    sources = [
        "hp + 1",
        "_return(hp)",
        "bag.append(1)\n_return(len(bag))\n_return(bag)",
        "print('one', 2)\nprint('three', end='')",
        "    total = 0\n    for a, b in [(1, 2), (3, 4)]: total += a * b\n    _return(total)",
        "tell(1, [2], three={3: (4,)})",
        "slow('ab')",
        "try: fail('gone')\nexcept KeyError as e: _return(str(e))",
        "def double(n): return 2 * n\n_return(sorted(map(double, [2, 1])), f'{hp:>3}')",
        "round(math.sqrt(16)) + len(re.findall('a+', 'aabaa')) + random.randint(0, 0)",
    ]
    runs = [limited_exec(source, names, sandbox=sandbox) for source in sources]
    assert await outcomes_of(runs) == [
        LimitedResult(4, ""),
        LimitedResult(3, ""),
        LimitedResult([3, ["a", {"b"}, 1]], ""),
        LimitedResult(None, "one 2\nthree"),
        LimitedResult(14, ""),
        LimitedResult({"n": [1, 2.5, None, (b"x",)]}, ""),
        LimitedResult("abab", ""),
        LimitedResult("'gone'", ""),
        LimitedResult([[2, 4], "  3"], ""),
        LimitedResult(6, ""),
    ]
    assert heard == [((1, [2]), {"three": {3: (4,)}})]
    assert given == {"hp": 3, "bag": ["a", {"b"}]}


@pytest_twisted.ensureDeferred
async def test_each_limit_ends_a_source_and_is_named(sandbox: Any) -> None:
    """One error for each, soon; what was printed is told; and nothing is left."""
    await outcome_of(limited_exec("1", sandbox=sandbox))  # opens what the reactor keeps
    before = remains()
    silent: list[Deferred[object]] = []

    def never() -> Deferred[object]:
        silent.append(Deferred())
        return silent[-1]

    cases = {
        FOREVER: "timeout",
        "print('so far')\nnever()": "timeout",
        "10 ** 10 ** 9": "timeout",
        "re.match('(a+)+$', 'a' * 40 + 'b')": "timeout",
        "'x' * 10 ** 9": "memory",
        "kept = []\nwhile True: kept.append('x' * 10000)": "memory",
        "while True: print('x' * 100)": "output",
        "print('x' * 10 ** 6)": "output",
        "while True: tell()": "calls",
        "'x' * 10000": "message",
        "tell('x' * 10000)": "message",
        "def deeper(): return deeper()\ndeeper()": "recursion",
    }
    names = {"never": live(never), "tell": live(lambda *_args: None)}
    limits: dict[str, Any] = {"output": 3000, "calls": 20, "message": 5000}
    seconds = {"timeout": 1.0}
    ends = await outcomes_of(
        [
            limited_exec(
                *(source, names), sandbox=sandbox, timeout=seconds.get(limit, 60.0), **limits
            )
            for source, limit in cases.items()
        ]
    )
    assert {type(end) for end in ends} == {LimitExceeded}
    assert [end.limit for end in ends] == [*cases.values()]
    for end in ends:
        value = {**limits, **seconds, "memory": 128 * MIB, "recursion": 1000}[end.limit]
        assert end.value == value
        assert f"(limit {end.limit})" in str(end)
    assert ends[1].printed == "so far\n"
    assert [len(end.printed) for end in ends[6:8]] == [3000, 3000]
    assert silent[0].called  # it was cancelled
    await until(lambda: remains() == before)


@pytest_twisted.ensureDeferred
async def test_a_failure_names_the_line_and_has_what_was_printed(sandbox: Any) -> None:
    """The error's class and text, and no traceback of this program."""
    sources = [
        "print('on')\ndef f(n):\n    return 1 / n\nf(0)",
        "x = 1\nimport os",
        "print('on')\nopen('a')",
        "_return(len)",
    ]
    runs = [limited_exec(source, {"x": 1}, sandbox=sandbox) for source in sources]
    failed, refused, unnamed, strange = await outcomes_of(runs)
    assert type(failed) is SourceFailed and type(refused) is type(unnamed) is SourceRefused
    assert (failed.error, failed.line, failed.printed) == ("ZeroDivisionError", 3, "on\n")
    assert str(failed) == "ZeroDivisionError: division by zero (line 3 of the source)"
    assert "Line 2: import" in str(refused)
    assert "line 2: a limited source has no open" in str(unnamed) and unnamed.printed == "on\n"
    assert "the result is a builtin_function_or_method" in str(strange)


@pytest_twisted.ensureDeferred
async def test_forty_at_once(boxes: None) -> None:
    """Each has one end, as many processes as may run do, and the jobs of a pool go on."""
    async with running_pool() as pool:
        await forty(pool)
    assert pool.statistics().killed == pool.statistics().failed == 0


async def forty(pool: ProcessPool) -> None:
    """Run forty sources that meet limits, and jobs beside them."""
    await limited_exec("1")  # opens what the reactor keeps
    before = remains()
    runner = LimitedRunner(reactor, at_once=4)  # type: ignore[arg-type]
    cases = {
        FOREVER: "timeout",
        "'x' * 10 ** 9": "memory",
        "while True: print('x')": "output",
        "open('a')": "SourceRefused",
    }
    runs = [
        limited_exec(source, timeout=0.1 if limit == "timeout" else 60, output=100, runner=runner)
        for source, limit in [*cases.items()] * 10
    ]
    assert repr(runner) == "<LimitedRunner 4 running, 36 waiting>"
    jobs = [pool.submit(pow, (2, n)) for n in range(50)]
    ends = await outcomes_of(runs)
    found = [getattr(end, "limit", type(end).__name__) for end in ends]
    assert found == [*cases.values()] * 10
    assert await outcomes_of(jobs) == [2**n for n in range(50)]
    await runner.stop()
    await until(lambda: remains() == before)


class TestTheRunner:
    @pytest_twisted.ensureDeferred
    async def test_queue_cancel_and_stop(self) -> None:
        """A full queue refuses; what is cancelled or stopped ends, waiting or not."""
        before = remains()[0]
        runner = LimitedRunner(reactor, at_once=1, queue=2)  # type: ignore[arg-type]

        def run(source: str) -> Deferred[LimitedResult]:
            return limited_exec(source, sandbox="none", timeout=60, runner=runner)

        running, waiting, next_ = run(FOREVER), run(FOREVER), run("1 + 1")
        refused = await outcome_of(run("2"))
        assert isinstance(refused, PoolFull) and "option queue" in str(refused)
        waiting.cancel()
        running.cancel()
        assert [type(end) for end in await outcomes_of([running, waiting])] == [CancelledError] * 2
        assert await outcome_of(next_) == LimitedResult(2, "")
        left = [run(FOREVER), run(FOREVER)]
        stopping = [runner.stop(), runner.stop()]
        assert [type(end) for end in await outcomes_of(left)] == [PoolStopped] * 2
        assert await outcomes_of(stopping) == [None, None]
        assert isinstance(await outcome_of(run("2")), PoolStopped)
        await until(lambda: remains()[0] == before)

    @pytest_twisted.ensureDeferred
    async def test_each_loop_has_one(self) -> None:
        """The same until it has been stopped."""
        first = execution._runner_of(reactor)  # type: ignore[arg-type]
        assert execution._runner_of(reactor) is first  # type: ignore[arg-type]
        assert first._at_once == 2 * (os.cpu_count() or 1)
        await first.stop()
        assert await outcome_of(limited_exec("1", sandbox="none")) == LimitedResult(1, "")
        last = execution._runner_of(reactor)  # type: ignore[arg-type]
        try:
            await last._at_shutdown()
            assert isinstance(await outcome_of(limited_exec("1", sandbox="none")), PoolStopped)
        finally:
            del reactor.limited_runner  # type: ignore[attr-defined]

    def test_its_numbers_are_checked(self) -> None:
        """None at once would run nothing."""
        with pytest.raises(ValueError, match="at_once= is 1 or more"):
            LimitedRunner(reactor, at_once=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"source": b"1"}, TypeError, "a source, which is a str"),
        ({"source": "1" * 300_000}, NotSendable, "argument message"),
        ({"names": {"f": len}}, TypeError, r"names\['f'\] is a function: pass it as live"),
        ({"names": {"f": live([])}}, TypeError, "functions by live"),
        ({"names": {"p": [Path("x")]}}, NotSendable, r"names\['p'\]\[...\] is a PosixPath"),
        ({"names": {"_x": 1}}, ValueError, "may not say that name"),
        ({"names": {"for": 1}}, ValueError, "which is no name"),
        ({"names": {1: 1}}, ValueError, "which is no name"),
        ({"sandbox": "perhaps"}, ValueError, '"required" or "none"'),
        ({"timeout": 0}, ValueError, "timeout= takes seconds"),
        ({"memory": 1000}, ValueError, "memory= takes an int of 67108864"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_arguments_that_make_no_sense(
    arguments: dict[str, Any], kind: type[Exception], text: str
) -> None:
    """Told in the Deferred, before any process is started."""
    source = arguments.pop("source", "1")
    error = await outcome_of(limited_exec(source, **arguments))
    assert isinstance(error, kind)
    with pytest.raises(kind, match=text):
        raise error


@pytest_twisted.ensureDeferred
async def test_no_sandbox_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no bubblewrap, where it does not work, and without RestrictedPython."""
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: no permissions to make a namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    for path, text in ((None, "install it"), (str(broken), "no permissions to make a namespace")):
        monkeypatch.setattr(sandboxes.shutil, "which", lambda *_a, _path=path, **_k: _path)
        error = await outcome_of(limited_exec("1"))
        assert isinstance(error, NoSandbox)
        assert text in str(error) and 'sandbox="none"' in str(error)
    monkeypatch.setattr(sandboxes, "find_spec", lambda _name: None)
    error = await outcome_of(limited_exec("1", sandbox="none"))
    assert isinstance(error, ImportError) and "txremote[restricted]" in str(error)


ASYNCIO = """
import asyncio, txremote.aio
from txremote import limited_exec, live, LimitExceeded

async def ask(n):
    await asyncio.sleep(0.01)
    return n + 1

async def main():
    found = await limited_exec("ask(41)", {"ask": live(ask)}, sandbox="SANDBOX")
    print(found.value, flush=True)
    try:
        await limited_exec("while True: pass", timeout=0.1, sandbox="SANDBOX")
    except LimitExceeded as error:
        print(error.limit, flush=True)
    task = asyncio.create_task(limited_exec_forever())
    await asyncio.sleep(0.05)
    task.cancel()
    print("cancelled", (await asyncio.gather(task, return_exceptions=True))[0].__class__.__name__)

async def limited_exec_forever():
    await limited_exec("while True: pass", timeout=60, sandbox="SANDBOX")
"""

DAEMON = """
import os
from pathlib import Path
from twisted.application.service import Application
from twisted.internet import reactor
from txremote import limited_exec

def done(result):
    Path("found.part").write_text(f"{result}")
    os.rename("found.part", "found")
    reactor.stop()

application = Application("limited")
reactor.callWhenRunning(lambda: limited_exec("40 + 2", sandbox="SANDBOX").addBoth(done))
"""

KILLED = """
from twisted.internet import reactor
from txremote import limited_exec, live

said = live(lambda: print("up", flush=True))
source = "said()" + chr(10) + "while True: pass"
reactor.callWhenRunning(lambda: limited_exec(source, {"said": said}, timeout=600))
reactor.run()
"""


@pytest_twisted.ensureDeferred
async def test_a_sandbox_ends_with_a_program_that_is_killed(boxes: None) -> None:
    """Nobody ends it then but bubblewrap and the system."""
    with Program(sys.executable, "-c", KILLED) as program:
        program.wait_for("up")
        inside = psutil.Process(program._process.pid).children(recursive=True)
        assert len(inside) > 1
        program.kill()
        await until(lambda: not any(lives(each.pid) for each in inside))


@pytest.mark.parametrize(
    ("runs", "sandbox"),
    [("asyncio.run(main())", "required"), ("import uvloop; uvloop.run(main())", "none")],
    indirect=["sandbox"],
)
def test_a_program_of_asyncio(runs: str, sandbox: str) -> None:
    """Without a reactor, on both loops; an awaited function is one of the loop's."""
    with Program(sys.executable, "-c", ASYNCIO.replace("SANDBOX", sandbox) + runs) as program:
        assert program.finish() == 0, program.output
        assert program.output == "42\ntimeout\ncancelled CancelledError\n"


@pytest_twisted.ensureDeferred
async def test_a_daemon_of_twistd(sandbox: str, tmp_path: Path) -> None:
    """In the background, without a terminal and with descriptors that were closed."""
    (tmp_path / "limited.tac").write_text(DAEMON.replace("SANDBOX", sandbox))
    with Program(script("twistd"), "-y", "limited.tac", cwd=tmp_path) as program:
        assert program.finish() == 0, program.output
    await until((tmp_path / "found").exists)
    assert (tmp_path / "found").read_text().startswith("LimitedResult(value=42, printed=''")
    await until(lambda: not (tmp_path / "twistd.pid").exists())
