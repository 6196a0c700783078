"""
``txremote demo``, run to its end.
"""

import os
import re
import signal
import socket
import sys

import pytest

from tests.processes import Program, run, script
from txremote.demo import _STEPS

# None in sys.modules is how Python notes that there is no such module.
WITHOUT_EXTRAS = """\
import sys
sys.modules["rpyc"] = sys.modules["prometheus_client"] = None
from txremote.cli import main
sys.exit(main(["demo"]))
"""

TWISTD_FAILS = """\
import sys
import txremote.demo
txremote.demo._TWISTD = "raise SystemExit('no luck today')"
sys.exit(txremote.demo.run_demo())
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    status, out, err = run(script("txremote"), "demo", cwd=folder)
    assert (status, err) == (0, "")
    return out, folder


def test_every_step_is_shown_with_its_source(demo):
    """Each step's title, the code that ran, and what came back, in order."""
    out, _folder = demo
    position = 0
    for title, source in _STEPS:
        for line in (f"# {title}\n", *source.splitlines()):
            assert line in out[position:]
            position = out.index(line, position) + len(line)
    assert out.startswith("$ twistd -n ")


@pytest.mark.parametrize(
    "shown",
    [
        ">>> await conn.root.add(2, 3)\n5\n",
        ">>> await conn.root.motto\n'one await away'\n",
        "\nZeroDivisionError: float division by zero\n",
        "return a / b\n",  # of the remote traceback
        "\ncannot access 'not_exposed': DemoService exposes no such name",
        " ann 4\n",
        "\n['ann', 'bob', 'cy', 'dee']\n",
        "\nPlayer(name='bob', level=7)\nplayers[1].level: expected int, got str 'seven'\n",
        "\n[0, 1, 4, 9, 16, 25]\n",
        "\n['the gate opens', 'a dragon comes out']\n",
        "\nlift-off\n[3, 2, 1]\n",
        "\nTrue lift-off\n",
    ],
)
def test_results_are_right(demo, shown):
    """The demo shows the results of its code."""
    assert shown in demo[0]
    assert re.search(r"False <AsyncResult object \(pending\) at ", demo[0])


def test_stock_rpyc_client_takes_part(demo):
    """With rpyc installed, an unmodified RPyC program calls the same server."""
    pytest.importorskip("rpyc")
    assert "\n5 one await away ['ann', 'bob', 'cy']\n" in demo[0]


def test_the_live_page_is_there_while_the_server_runs(demo):
    """Its address is shown, and its health is asked."""
    pytest.importorskip("prometheus_client")
    assert re.search(r"\n# The server's live page is (http://127\.0\.0\.1:\d+/);", demo[0])
    assert "\n... answer.code\n200\n" in demo[0]


def test_server_is_told_to_stop_and_nothing_is_left(demo):
    """The demo ends its twistd, waits for it, and leaves no file behind."""
    out, folder = demo
    assert out.splitlines()[-2] == "# twistd was told to stop, and has stopped"
    assert list(folder.iterdir()) == []


def test_without_extras_it_says_so_and_goes_on(tmp_path):
    """rpyc and the live page are extras of the demo, not a need."""
    status, out, err = run(sys.executable, "-c", WITHOUT_EXTRAS, cwd=tmp_path)
    assert (status, err) == (0, "")
    assert "# (a stock RPyC client would come here: pip install rpyc)" in out
    assert "# (its live page would come here: pip install 'txremote[admin]')" in out
    assert "import rpyc" not in out
    assert "--admin tcp:0" not in out
    assert "# twistd was told to stop" in out


def test_twistd_that_does_not_start_fails_the_demo(tmp_path):
    """The output of twistd is shown, and the status is not 0."""
    status, out, err = run(sys.executable, "-c", TWISTD_FAILS, cwd=tmp_path)
    assert status == 1
    assert "twistd did not start" in out + err
    assert "no luck today" in out + err


def test_a_file_that_is_called_like_a_module_does_no_harm(tmp_path):
    """The demo does not import what happens to lie in the working directory."""
    for name in ("random.py", "rpyc.py", "twisted.py"):
        (tmp_path / name).write_text("raise SystemExit('not me')\n")
    status, _out, err = run(script("txremote"), "demo", cwd=tmp_path)
    assert (status, err) == (0, "")


def test_ctrl_c_ends_the_demo_and_its_server(tmp_path):
    """With the status of Ctrl-C, not with that of a demo that went well."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}  # else the port is seen when all is over
    with Program(script("txremote"), "demo", cwd=tmp_path, env=env) as demo:
        port = int(demo.wait_for(r"\(serves on 127\.0\.0\.1:(\d+)\)")[1])
        demo.signal(signal.SIGINT)
        assert demo.finish() == 130
        assert "Traceback" not in demo.output
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
