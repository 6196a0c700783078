"""The context of a job on its way to another process."""

from __future__ import annotations

import pickle
import subprocess
import sys

import cloudpickle
import pytest

from tests.tracing.seen import seen
from tests.tracing.test_w3c import PARENT
from txremote.tracing.carried import Carried, in_context


def test_a_function_runs_in_the_context_that_came_with_it() -> None:
    carried = pickle.loads(pickle.dumps(Carried(seen, PARENT, "a=1")))
    assert f"{carried(1)[0]:032x}" in PARENT
    assert seen()[0] == 0


@pytest.mark.parametrize("hidden", ["txremote", "opentelemetry"])
def test_a_worker_without_the_package_runs_the_job_all_the_same(hidden: str) -> None:
    """As in a cluster's worker: with its context, if OpenTelemetry is there."""

    def job() -> str:
        try:
            from opentelemetry.trace import get_current_span
        except ImportError:
            return "ran"
        return f"{get_current_span().get_span_context().trace_id:032x}"

    payload = cloudpickle.dumps(in_context(job, PARENT, ""))
    program = (
        f"import sys, pickle; sys.modules[{hidden!r}] = None\n"
        f"print(pickle.loads(bytes.fromhex({payload.hex()!r}))())"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert output == "ran" if hidden == "opentelemetry" else output in PARENT
