#!/bin/sh
# nbclient with ipykernel 7: a display that is updated by a task of an earlier cell keeps, in the
# executed notebook, what that cell showed. ipykernel 7 says that the update is of the cell that began
# the task, and nbclient hears the running cell alone. With ipykernel 6.29.5 the update is seen.
# Seen with CPython 3.11, nbclient 0.11.0, ipykernel 7.4.0: own cell 'second', later cell 'first'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check nbclient==0.11.0 ipykernel==7.4.0
cat >"$folder/seen.py" <<'END'
import nbformat
from nbclient import NotebookClient

BEGIN = """
import asyncio

async def update():
    await asyncio.sleep(0.1)
    shown.update("second")

shown = display("first", display_id=True)
updating = asyncio.create_task(update())
"""
WAIT = "await updating; print(updating.exception())"


def shown(*cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    NotebookClient(notebook, kernel_name="python3").execute()
    assert notebook.cells[-1].outputs[-1]["text"] == "None\n"
    return notebook.cells[0].outputs[0]["data"]["text/plain"]


print(f"own cell {shown(BEGIN + WAIT)}, later cell {shown(BEGIN, WAIT)}")
END
seen=$(HOME="$folder" "$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "own cell 'second', later cell 'first'"
