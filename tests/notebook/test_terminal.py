"""IPython in a real terminal."""

import re

import pytest

from tests.console.clients import OnTerminal
from tests.processes import ROOT, script

_CONTROL = re.compile(r"\x1b\[[\d;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r")


class IPython(OnTerminal):
    """An ``ipython``."""

    def __init__(self, folder):
        env = {"IPYTHONDIR": str(folder), "PYTHONPATH": str(ROOT), "TERM": "xterm"}
        env["PROMPT_TOOLKIT_NO_CPR"] = "1"
        words = "--no-banner", "--colors=nocolor", "--no-confirm-exit"
        super().__init__(script("ipython"), *words, env=env)
        self._at = 0

    def enter(self, line, answer):
        """Type a line, and wait for an answer."""
        self._send(line + "\r")
        self.said(answer)

    def said(self, pattern):
        """Wait for something that was not there yet."""
        while not (found := re.search(pattern, _CONTROL.sub("", self.text)[self._at :])):
            self.wait_for(r"(?s).", len(self.text))
        self._at += found.end()


@pytest.fixture(scope="module")
def ipython(lab_server, tmp_path_factory):
    """One that has the extension, and is connected."""
    with IPython(tmp_path_factory.mktemp("ipython")) as program:
        program.said("In .1.:")
        program.enter("%load_ext txremote", r"In .2.:")
        line = f"%connect localhost:{lab_server.port}"
        program.enter(line, r"conn, root: connected to (.|\n)*In .3.:")
        yield program


def test_events_are_shown_while_the_prompt_waits(ipython, other):
    """Its loop runs then, so that this side answers, too."""
    ipython.enter("await root.add(1)", r"Out.3.: 3(.|\n)*In .4.:")
    ipython.enter("from txremote.notebook import EventTable", r"In .5.:")
    ipython.enter("await root.subscribe(EventTable('heard'))", r"In .6.:")
    assert other.publish("<it>") >= 1  # once it is answered
    ipython.said("heard: <it>")


def test_ctrl_c_cancels_the_call_at_the_server(ipython, other):
    """IPython alone would leave the cell behind, as a task that goes on."""
    before, *_others, called = other.figures()
    ipython._send("await root.forever()\r")
    other.until_called(called + 1)
    ipython.press("c")
    ipython.said("CancelledError(.|\n)*In .7.:")
    ipython.enter("(await root.figures())[0]", rf"Out.7.: {before + 1}(.|\n)*In .8.:")


def test_names_are_completed(ipython):
    """By the Tab key."""
    ipython._send("root.task_ser\t")
    ipython.said(r"vice")
    ipython.enter("", r"RemotePath task_service of (.|\n)*In .9.:")
