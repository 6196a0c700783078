"""Remote calls in the cells of a real kernel, which needs nothing but `txremote.aio` for that."""

from tests.processes import Twistd, free_port


def test_a_call_is_awaited_in_its_cell_or_in_another(kernel):
    """A call is sent when it is made; it may be awaited later."""
    assert kernel.run("await conn.root.add(1)").plain == "3"
    assert not kernel.run("call = conn.root.add(2)").error
    assert kernel.run("await call").plain == "4"
    cells = "import asyncio\nawait asyncio.gather(*[conn.root.add(n) for n in range(3)])"
    assert kernel.run(cells).plain == "[2, 3, 4]"
    cells = "[name async for name in await conn.root.cart_names()]"
    assert kernel.run(cells).plain == "['tea', 'ice']"


def test_a_time_out_cancels_the_call_at_the_server(kernel, other):
    """With asyncio's own."""
    cancelled = other.figures()[0]
    code = "import asyncio\nasync with asyncio.timeout(0.01):\n    await conn.root.forever()"
    assert kernel.run(code).error == "TimeoutError: "
    assert kernel.run("await conn.root.figures()").plain.startswith(f"({cancelled + 1},")


def test_an_interrupt_cancels_the_call_at_the_server(kernel, other):
    """The connection stays, and the next cell uses it."""
    cancelled, *_others, called = other.figures()
    cell = kernel.begin("await conn.root.forever()")
    other.until_called(called + 1)
    kernel.interrupt()
    assert kernel.finish(cell).error == "CancelledError: "
    assert kernel.run("await conn.root.figures()").plain.startswith(f"({cancelled + 1},")


def test_an_error_of_the_server_is_shown_with_its_class(kernel):
    """As any exception is."""
    assert kernel.run("await conn.root.add('x')").error.startswith("WrongValue: a: ")


def test_a_script_s_connection_works_in_a_cell(kernel, lab_server):
    """As it does for users of RPyC: beside one that is awaited."""
    code = f"""
import txremote.blocking as rpyc
script = rpyc.connect("localhost", {lab_server.port})
found = script.root.add(1, 2), await conn.root.add(3)
script.close()
found
"""
    assert kernel.run(code).plain == "(3, 5)"


def test_a_client_outlives_its_server(kernel):
    """A notebook that stays open goes on where it was, on the next connection."""
    port = free_port()
    listen = f"tcp:{port}:interface=127.0.0.1"
    with Twistd("tests.notebook.lab.lab", listen=listen) as first:
        code = f"""
from txremote.aio import RemoteClient
client = RemoteClient("localhost:{port}", retry_policy=lambda failures: 0.05)
client.start()
await client.root.add(1)
"""
        assert kernel.run(code).plain == "3"
        first.kill()
    with Twistd("tests.notebook.lab.lab", listen=listen):
        assert kernel.run("await client.root.add(2)").plain == "4"
        assert kernel.run("client.status.state").plain == "'connected'"
        assert not kernel.run("await client.close()").error


def test_what_is_set_in_a_cell_that_awaits_is_not_set_in_the_next(kernel):
    """So says the page of notebooks: each such cell has a context of its own."""
    kernel.run("import contextvars\nvar = contextvars.ContextVar('var', default=0)")
    kernel.run("var.set(1)\nawait conn.root.add(1)")
    assert kernel.run("var.get()").plain == "0"
    kernel.run("var.set(2)")
    assert kernel.run("await conn.root.add(1)\nvar.get()").plain == "2"


def test_a_restart_leaves_nothing_at_the_server(kernel, other):
    """The connections of the kernel end with it."""
    assert other.figures()[1] > 1
    kernel.restart()
    assert other.until_alone() is None
