"""How values and references are shown in a real kernel."""


def test_records_that_came_are_a_table(kernel):
    """Beside the text; what a peer has sent is shown, and not run."""
    cell = kernel.run("await conn.root.items()")
    assert "Record('Item', name='tea', count=3" in cell.plain
    assert "<th>name</th><th>count</th><th>tags</th>" in cell.html
    assert "<td>tea</td><td>3</td>" in cell.html
    assert "<script>" not in cell.html
    assert "$\\href" not in cell.html


def test_arrays_and_one_record_are_tables(kernel):
    """Values of other libraries too, when those are imported later."""
    code = "import numpy\nawait conn.root.echo(numpy.arange(6.0).reshape(2, 3))"
    assert "<div>float64, 2 x 3</div>" in kernel.run(code).html
    assert "<td>tea</td>" in kernel.run("(await conn.root.items())[0]").html


def test_other_values_are_as_ever(kernel):
    """Text alone, and the HTML that an object has itself."""
    assert kernel.run("[1, 2]").results == [{"text/plain": "[1, 2]"}]
    code = "class Own(list):\n    def _repr_html_(self):\n        return 'its own'\nOwn()"
    assert kernel.run(code).html == "its own"


def test_a_reference_shows_its_names_once_they_are_known(kernel):
    """At first by its class alone; the display is redrawn when the answer comes."""
    cell = kernel.run("await conn.root.cart()")
    (shown,) = cell.results
    assert shown["text/plain"].startswith("<RemoteReference to a tests.notebook.lab.Cart (id ")
    kernel.wait_until(lambda: "put" in kernel.shown()["text/html"])
    assert (
        "put(name: str, count: int = ..., *, gift: bool = ...) -&gt; int"
        in (kernel.shown()["text/html"])
    )
    assert "Put an item in." in kernel.shown()["text/html"]
    again = kernel.run("_")
    assert "\n  list() " in again.plain
