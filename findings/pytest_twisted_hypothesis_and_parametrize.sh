#!/bin/sh
# pytest-twisted with hypothesis: a coroutine under @given and @pytest_twisted.ensureDeferred passes
# alone; with @pytest.mark.parametrize its first case passes and the second fails, because the
# function that hypothesis calls has been wrapped twice.
# Seen with pytest 9.2.0, pytest-twisted 1.14.3, hypothesis 6.170.17: one failed, two passed
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pytest==9.2.0 pytest-twisted==1.14.3 hypothesis==6.170.17 Twisted==26.4.0
cat >"$folder/seen.py" <<'END'
import pathlib
import sys

import pytest

TEST = '''
import pytest
import pytest_twisted
from hypothesis import given, settings, strategies
from twisted.internet import defer

@settings(database=None)
@given(strategies.integers())
@pytest_twisted.ensureDeferred
async def test_alone(x):
    await defer.succeed(x)

@pytest.mark.parametrize("n", [1, 2])
@settings(database=None)
@given(strategies.integers())
@pytest_twisted.ensureDeferred
async def test_of_each(n, x):
    await defer.succeed(x)
'''


class Watch:
    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            why = " blockon cannot be called from the twisted greenlet"
            name = report.nodeid.partition("::")[2]
            told = why if report.failed and why.strip() in str(report.longrepr) else ""
            out.append(f"{report.outcome} {name}{told}")


out = []
file = pathlib.Path(sys.argv[0]).with_name("test_both.py")
file.write_text(TEST)
sink, sys.stdout = sys.stdout, open("/dev/null", "w")
pytest.main([str(file), "-q", "-p", "no:cacheprovider"], plugins=[Watch()])
sys.stdout = sink
print("\n".join(out))
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "passed test_alone
passed test_of_each[1]
failed test_of_each[2] blockon cannot be called from the twisted greenlet"
