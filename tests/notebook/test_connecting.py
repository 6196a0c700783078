"""``%connect``, in a real kernel."""

import os

import pytest

from tests.processes import Twistd, free_port


def test_it_connects_and_leaves_names(kernel, lab_server, other):
    """``conn`` and ``root``, or the name that is asked for; completed at once."""
    line = f"%connect localhost:{lab_server.port}"
    cell = kernel.run(f"{line} as shop\nawait shop.root.add(1)")
    assert cell.plain == "3"
    assert cell.text == f"shop: connected to localhost:{lab_server.port}\n"
    assert kernel.complete("shop.root.ad") == ["add"]
    assert kernel.run(line).text.startswith("conn, root: connected to ")
    assert kernel.run("await root.add(2)").plain == "4"


def test_a_cell_that_is_run_again_leaves_one_connection(kernel, lab_server, other):
    """The earlier one of that name is closed."""
    line = f"%connect localhost:{lab_server.port} as again"
    kernel.run(line)
    before = other.figures()[1]
    for _ in range(3):
        assert not kernel.run(line).error
    assert other.figures()[1] == before


def test_it_may_stand_in_a_block(kernel, lab_server):
    """Its line is one that awaits, wherever it stands; a text is left alone."""
    text = "text = '''\n%connect nowhere\n'''\n"
    code = f"{text}if True:\n    %connect localhost:{lab_server.port} as a"
    assert not kernel.run(code).error
    assert kernel.run("text").plain == "'\\n%connect nowhere\\n'"
    assert kernel.run("await a.root.add(1)").plain == "3"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("%connect", "the following arguments are required: server"),
        ("%connect localhost:1 as 5", "the name is one that Python takes"),
        ("%connect localhost:1 to x", "the name is one that Python takes"),
        ("%connect localhost:1 --fast", "unrecognized arguments: --fast"),
    ],
)
def test_a_wrong_line_is_told(kernel, line, told):
    """In a sentence, as IPython does it."""
    assert told in kernel.run(line).text


def test_a_server_that_is_not_there_is_an_error(kernel, lab_server):
    """Of the class that ``connect`` has, with or without ``--stay``; an earlier one stays."""
    kernel.run(f"%connect localhost:{lab_server.port} as kept")
    assert kernel.run(f"%connect localhost:{free_port()} as kept").error
    assert kernel.run("await kept.root.add(1)").plain == "3"
    for option in ("", " --stay"):
        cell = kernel.run(f"%connect localhost:{free_port()} as gone{option}")
        assert cell.error.startswith("ConnectionRefusedError"), cell
    assert kernel.run("'gone' in globals()").plain == "False"


def test_it_says_how_it_is_used(kernel):
    """In its docstring; and where it would not be awaited, nothing is done in silence."""
    code = "get_ipython().find_line_magic('connect').__doc__"
    assert "--login ann" in kernel.run(code).plain
    code = "get_ipython().run_line_magic('connect', 'localhost:1')"
    assert "in another cell than %load_ext txremote" in kernel.run(code).text
    kernel.run("%unload_ext txremote")
    code = "%load_ext txremote\n%connect localhost:1"
    assert "nothing was done" in kernel.run(code).text


def test_it_logs_in_and_stays(kernel, tmp_path):
    """With a password of the environment; a wrong one is a refusal."""
    users = tmp_path / "users"
    users.write_text("ann:secret\n")
    with Twistd("tests.notebook.lab.lab", "--auth", f"file:{users}") as server:
        kernel.run("import os\nos.environ['TXREMOTE_PASSWORD'] = 'secret'")
        for option in ("", " --stay"):
            line = f"%connect localhost:{server.port} as mine --login ann{option}"
            assert kernel.run(f"{line}\nawait mine.root.add(1)").plain == "3"
        assert kernel.complete("mine.root.ad") == ["add"]
        kernel.run("os.environ['TXREMOTE_PASSWORD'] = 'wrong'")
        for option in ("", " --stay"):
            line = f"%connect localhost:{server.port} as mine --login ann{option}"
            assert kernel.run(line).error.startswith("UnauthorizedLogin")
        kernel.run("del os.environ['TXREMOTE_PASSWORD']")
    assert "TXREMOTE_PASSWORD" not in os.environ
