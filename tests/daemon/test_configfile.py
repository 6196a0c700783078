"""
Plans from files: what they say, and where they say nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from txremote.daemon.configfile import plan_of, read_plan
from txremote.daemon.problems import PlanError

WHOLE = """\
# everything there is
pool = ["processes:4", "threads:2"]
drain = 2.5
verbose = true

[[server]]
service = "shop.Shop"
listen = ["tcp:18861:interface=127.0.0.1", "unix:/run/shop.sock"]
threaded = true
tls-cert = "cert.pem"
tls-key = "key.pem"
tls-ca = "ca.pem"
auth = "file:users"
max-connections = 500
idle-timeout = 0

[[server]]
classic = true

[[console]]
name = "imports"
listen = "tcp:2199:interface=127.0.0.1"
container = ["shop.Importer DSN", "shop.Other"]
max-line = 100

[[server]]
tasks = "imports"
"""


def test_all_that_can_be_said() -> None:
    """Several servers and consoles, and what holds for the process."""
    plan = plan_of(WHOLE, "site.toml")
    assert (plan.pool, plan.drain, plan.verbose) == (("processes:4", "threads:2"), 2.5, True)
    shop, classic, tasks = plan.servers
    assert shop.service == "shop.Shop"
    assert shop.listen == ("tcp:18861:interface=127.0.0.1", "unix:/run/shop.sock")
    assert (shop.threaded, classic.threaded, classic.classic) == (True, False, True)
    assert (shop.tls_cert, shop.tls_key, shop.tls_ca) == ("cert.pem", "key.pem", "ca.pem")
    assert shop.auth == ("file:users",)
    assert shop.switches == {"max_connections": 500, "idle_timeout": None}
    assert tasks.tasks == "imports"
    [console] = plan.consoles
    assert (console.name, console.max_line) == ("imports", 100)
    assert console.container == ("shop.Importer DSN", "shop.Other")


def test_what_is_planned_knows_its_table_and_its_keys() -> None:
    """For whoever finds something wrong with it later."""
    plan = plan_of(WHOLE, "site.toml")
    assert [each.origin.table for each in plan.servers] == [f"[[server]] {n}" for n in (1, 2, 3)]
    assert plan.consoles[0].origin.table == "[[console]] 1"
    assert plan.consoles[0].origin.position == 4
    assert plan.consoles[0].origin.keys == ("name", "listen", "container", "max-line")
    assert (plan.origin.prefix, plan.origin.position) == ("site.toml: ", 0)


# What is in the file, and all that is told of it.
WRONG: dict[str, tuple[str, list[str]]] = {
    "a typo": (
        '[[server]]\n\nlisen = "tcp:0"\n',
        ["x.toml: [[server]] 1: unknown key 'lisen': did you mean 'listen'?"],
    ),
    "a switch of RPyC's spelling": (
        "[[server]]\nmax_frame = 1\n",
        ["x.toml: [[server]] 1: unknown key 'max_frame': did you mean 'max-frame'?"],
    ),
    "a typo at the top": (
        "drian = 3\n[[server]]\n",
        ["x.toml: unknown key 'drian' at the top of the file: did you mean 'drain'?"],
    ),
    "a table with a typo": (
        "[[serve]]\n",
        ["x.toml: unknown key 'serve' at the top of the file: did you mean [[server]]?"],
    ),
    "a list of tables with a typo": (
        "[[server]]\n\n[[servers]]\n\n[[servers]]\n",
        ["x.toml: unknown key 'servers' at the top of the file: did you mean [[server]]?"],
    ),
    "a table that leads nowhere": (
        "[[server]]\n[limits.of]\n",
        ["x.toml: unknown key 'limits' at the top of the file"],
    ),
    "something like nothing else": (
        "[[server]]\nxyzzy = 3\n",
        ["x.toml: [[server]] 1: unknown key 'xyzzy'"],
    ),
    "a server's key at the top": (
        'service = "a.B"\n[[server]]\n',
        ["x.toml: unknown key 'service' at the top of the file: it belongs in [[server]]"],
    ),
    "a key of the process in a server": (
        "[[server]]\ndrain = 3\n",
        [
            "x.toml: [[server]] 1: unknown key 'drain': it belongs at the top of the file, "
            "before the first [[...]]"
        ],
    ),
    "a console's key in a server": (
        '[[server]]\ncontainer = "a.B"\nmax-line = 3\ntasks-db = "x"\n',
        [
            f"x.toml: [[server]] 1: unknown key '{key}': it belongs in [[console]]"
            for key in ("container", "max-line", "tasks-db")  # the last two are like others, too
        ],
    ),
    "wrong types": (
        'drain = "5"\n[[server]]\nlisten = 18861\nclassic = "no"\nmax-frame = 1.5\n',
        [
            "x.toml: drain takes a number of seconds, not '5'",
            "x.toml: [[server]] 1: listen takes a string, or a list of strings, not 18861",
            "x.toml: [[server]] 1: classic takes true or false, not 'no'",
            "x.toml: [[server]] 1: max-frame takes a number of bytes, not 1.5",
        ],
    ),
    "a table within": (
        "[[server]]\n[server.listen]\ntcp = 1\n",
        ["x.toml: [[server]] 1: listen takes a string, or a list of strings, not {'tcp': 1}"],
    ),
    "out of range": (
        "[[server]]\nmax-calls = 0\n",
        [
            "x.toml: [[server]] 1: max-calls takes a whole number, not 0: max_calls must be a "
            "positive int, not 0"
        ],
    ),
    "one pair of brackets": (
        '[server]\nservice = "a.B"\n',
        ["x.toml: write [[server]], with two brackets: there may be several"],
    ),
    "a server that is a number": (
        "server = 5\n",
        ["x.toml: write [[server]], with two brackets: there may be several"],
    ),
    "in the second of two": (
        '[[server]]\nservice = "a.B"\n[[server]]\nservice = 3\n',
        ["x.toml: [[server]] 2: service takes a string, not 3"],
    ),
    "in one line": (
        "\nserver = [{service = 3}, {}]\n",
        ["x.toml: [[server]] 1: service takes a string, not 3"],
    ),
    "something in each of several tables": (
        "[[console]]\nnmae = 3\n[[server]]\nclassic = 1\n[[console]]\nmax-line = 0\ndrain = 1\n",
        [
            "x.toml: [[console]] 1: unknown key 'nmae': did you mean 'name'?",
            "x.toml: [[console]] 2: max-line takes a number of bytes, not 0",
            "x.toml: [[console]] 2: unknown key 'drain': it belongs at the top of the file, "
            "before the first [[...]]",
            "x.toml: [[console]] 2: two consoles are called 'console': give each a name",
            "x.toml: [[server]] 1: classic takes true or false, not 1",
        ],
    ),
    "two consoles of one name": (
        '[[console]]\ncontainer = "a.B"\n[[console]]\ncontainer = "a.C"\n',
        ["x.toml: [[console]] 2: two consoles are called 'console': give each a name"],
    ),
    "nothing at all": ("", ["x.toml: there is neither a [[server]] nor a [[console]] in it"]),
    "no TOML": (
        "[[server]]\nservice = a.B\n",
        ["x.toml: Invalid value (at line 2, column 11)"],
    ),
    "a string without an end": (
        '[[server]]\nservice = "a.B\n',
        ["x.toml: Illegal character '\\n' (at line 2, column 15)"],
    ),
    "a list without an end": (
        "[[server]]\nlisten = [\n\n",
        ["x.toml: Invalid value (at end of document)"],
    ),
    "twice the same": (
        "drain = 1\ndrain = 2\n",
        ["x.toml: Cannot overwrite a value (at line 2, column 10)"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_means_nothing_is_told_with_its_place(name: str) -> None:
    """All of it, in the order of the file, and what may have been meant."""
    text, expected = WRONG[name]
    try:
        error = PlanError(*plan_of(text, "x.toml").problems)
    except PlanError as problem:
        error = problem
    assert error.problems == expected


def test_what_is_right_is_still_planned() -> None:
    """So that the rest can be checked; where something was left out, the plan knows of it."""
    text = '[[server]]\nservice = 3\nauth = "unix"\n[[server]]\nservice = "a.B"\n'
    first, second = plan_of(text, "x.toml").servers
    assert (first.service, first.auth, first.origin.faulty) == (None, ("unix",), True)
    assert (second.service, second.origin.faulty) == ("a.B", False)


def test_a_file_is_read(tmp_path: Path) -> None:
    """As UTF-8, with either kind of line end; else there is one sentence."""
    path = tmp_path / "site.toml"
    path.write_bytes('[[server]]\r\nservice = "läden.Läden"\r\n'.encode())
    [server] = read_plan(str(path)).servers
    assert server.service == "läden.Läden"
    assert server.origin.prefix == f"{path}: [[server]] 1: "
    path.write_bytes(b'[[server]]\nservice = "l\xe4den"\n')
    with pytest.raises(PlanError, match=r"site\.toml: the file is not UTF-8 \(at line 2\)$"):
        read_plan(str(path))
    with pytest.raises(PlanError, match=r"^cannot read \S+: Is a directory$"):
        read_plan(str(tmp_path))
