"""
All tables, printed once: by the command, as a script reads them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from tests.monitor.top.conftest import Operated, Typed
from tests.processes import run, script
from txremote.monitor.rows import ObjectRow
from txremote.monitor.top.once import printed
from txremote.monitor.top.views import VIEWS, Choice, table_of


def test_all_tables_are_printed(operated: Operated, typed: Callable[..., Typed]) -> None:
    """For an operator, with the one connection that there is; another user is refused."""
    status, out, errors = typed("top", operated.server, "--login", "ann", "--once")
    assert (status, errors) == (0, "")
    assert out.startswith("serving, 1 connection, ")
    assert re.findall(r"^([A-Z]+): \d+$", out, re.M) == [view.title.upper() for view in VIEWS]
    assert re.search(r"^ *\d+  ann   127\.0\.0\.1:\d+ ", out, re.M)
    assert "threads:1  threads" in out
    status, out, errors = typed("top", operated.server, "--login", "bob", "--once", user="bob")
    assert (status, out) == (2, "")
    assert errors == "txremote: 'bob' is no operator here (option --operators)\n"


def test_the_site_has_the_same_tables(operated: Operated, typed: Callable[..., Typed]) -> None:
    """With its token, and a filter."""
    token = ["--token-file", str(operated.token)]
    words = ["top", operated.site, "--once", "--filter", "threads"]
    status, out, errors = typed(*words, *token)
    assert (status, errors) == (0, "")
    assert "CONNECTIONS: 0" in out and "threads:1" in out
    status, out, errors = typed(*words)
    assert (status, out, errors) == (
        *(2, ""),
        "txremote: the admin site wants its token: --token-file FILE\n",
    )


def test_a_reader_that_has_seen_enough_is_not_complained_of(operated: Operated) -> None:
    """As head is, once it has its lines; ``true`` reads none."""
    words = ["top", operated.site, "--token-file", str(operated.token), "--once"]
    line = shlex.join([script("txremote"), *words])
    assert run("bash", "-c", f"set -o pipefail; {line} | true") == (0, "", "")


def test_columns_are_aligned() -> None:
    """Figures at their ends."""
    [view] = [view for view in VIEWS if view.kind == "objects"]
    table = table_of(view, [ObjectRow("A", 10, 0.0, 1), ObjectRow("Longer", 5, 1.5, 2)], Choice())
    assert list(printed(view, table)) == [
        "class   objects  a minute  holders",
        "A            10         0        1",
        "Longer        5      +1.5        2",
    ]
