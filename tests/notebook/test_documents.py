"""The page of notebooks and the example, run as a reader would."""

import re

import pytest
from docutils import nodes

from tests.document_runner import compare, doctree
from tests.notebook.executed import executed
from tests.processes import ROOT, Twistd

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("nbclient", reason="nbclient is not installed")


@pytest.fixture(scope="module")
def server():
    with Twistd("examples.lab.lab") as server:
        yield server


def cells_of(page):
    """Give the cells of a page: the code, and what it shows."""
    for block in doctree(page).findall(nodes.literal_block):
        if "text" in block["classes"]:
            for part in re.split(r"^In: ", block.astext(), flags=re.MULTILINE)[1:]:
                first, *rest = part.splitlines()
                code = [first]
                while rest and rest[0].startswith("    "):
                    code.append(rest.pop(0)[4:])
                yield "\n".join(code), "".join([f"{line}\n" for line in rest if line])


def test_the_page_shows_what_a_notebook_shows(one_kernel, server):
    """Each cell, from top to bottom."""
    one_kernel.run("%unload_ext txremote")
    count = 0
    for code, expected in cells_of(ROOT / "docs" / "notebooks.rst"):
        cell = one_kernel.run(code.replace("18861", str(server.port)))
        results = [each["text/plain"] for each in cell.results]
        shown = "".join([cell.text, *[f"{each}\n" for each in results]]) + cell.error
        compare(code, expected, shown.replace(str(server.port), "18861"))
        count += 1
    assert count > 20


def test_the_example_is_executed_by_nbclient(server):
    """All its cells; its outputs are those that a reader sees."""
    notebook = nbformat.read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        cell.source = cell.source.replace("18861", str(server.port))
    notebook = executed(notebook, ROOT)
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    table, total, highest, root, late, bar, task, rings, heard = shown[2:11]
    assert "<th>no</th><th>value</th><th>unit</th>" in table[0]["data"]["text/html"]
    assert total[0]["data"]["text/plain"] == "1.134"
    assert highest[0]["data"]["text/plain"] == "0.909"
    assert "calibrate(progress" in root[0]["data"]["text/plain"]
    assert late[0]["text"] == "not still yet\n"
    assert "calibrating" in bar[0]["data"]["text/plain"]
    display, result = task
    assert display["data"]["text/plain"].startswith("measuring: FINISHED\nmeasuring 10/10")
    assert result["data"]["text/plain"] == "'sample 10: -0.544 mV'"
    assert rings[0]["data"]["text/plain"].startswith("rings")
    assert heard[0]["data"]["text/plain"] == "1"
