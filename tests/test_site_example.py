"""
The operator's example, followed as its first lines say: served, looked at, rolled, stopped.
"""

import os
import re
import shutil
import signal
import sys

import pytest

from tests.processes import ROOT, SERVES, Program, free_port, run, script

EXAMPLES = ROOT / "examples"


@pytest.fixture
def site(tmp_path):
    """The file in a folder of its own, with a free port; the folder, the port, the environment."""
    port = free_port()
    text = (EXAMPLES / "site.toml").read_text()
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "site.toml").write_text(text.replace("18861", str(port)))
    return tmp_path, port, {**os.environ, "PYTHONPATH": str(ROOT)}


def commands():
    """Return the commands that the file's first lines tell."""
    lines = (EXAMPLES / "site.toml").read_text().splitlines()
    return [line[6:] for line in lines if line.startswith("#     ")]


def test_file_is_followed(site):
    """Each command of the file's; no call of a drill's five clients fails while it is rolled."""
    folder, port, env = site
    check, serve, health, top, curl, drill, hangup, stop = (line.split() for line in commands())
    assert (hangup, stop) == (
        ["kill", "-HUP", "$(cat", "twistd.pid)"],
        ["kill", "$(cat", "twistd.pid)"],
    )

    def shown(words):
        status, out, err = run(*words, cwd=folder, env=env, timeout=60)
        assert (status, err) == (0, ""), (words, out, err)
        return out

    assert "workers: 2\n" in shown([script(check[0]), *check[1:]])
    with Program(script(serve[0]), *serve[1:], cwd=folder, env=env) as server:
        server.wait_for(SERVES)
        shown([script(health[0]), *health[1:]])
        assert re.search(r"^serving, \d workers?, ", shown([script(top[0]), *top[1:]]))
        if shutil.which("curl"):
            assert "txremote_" in shown([*curl[:1], "-s", *curl[1:]])
        drill = [EXAMPLES / "drill.py", drill[2].replace("18861", str(port))]
        with Program(sys.executable, *drill, cwd=folder, env=env) as drill:
            drill.wait_for(r"'answered'")
            pid = int((folder / "twistd.pid").read_text())
            os.kill(pid, signal.SIGHUP)
            server.wait_for(r"the workers are replaced\n", timeout=90)
            seen = len(drill.output)
            drill.wait_for(rf"(?s).{{{seen}}}.*'answered'")
            drill.signal(signal.SIGINT)
            assert drill.finish() == 0
            assert re.search(r"\n\d+ calls were answered, 0 failed\n$", drill.output)
        os.kill(pid, signal.SIGTERM)
        server.finish()
        assert "Server Shut Down" in server.output
        assert "Traceback" not in server.output


def test_drill_tells_what_failed():
    """Without a server calls fail when they have waited, and the exit status says so."""
    with Program(sys.executable, EXAMPLES / "drill.py", f"tcp:127.0.0.1:{free_port()}") as drill:
        drill.wait_for(r"DeadReferenceError")
        drill.signal(signal.SIGINT)
        assert drill.finish() == 1
        assert re.search(r"\n0 calls were answered, \d+ failed\n$", drill.output)
