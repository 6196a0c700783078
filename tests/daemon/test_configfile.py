"""
Plans from files: what they say, and in which line they say nothing.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txremote.daemon.configfile import lines_of, plan_of, read_plan
from txremote.daemon.plan import PlanError

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
    assert shop.limits == {"max_connections": 500, "idle_timeout": None}
    assert tasks.tasks == "imports"
    [console] = plan.consoles
    assert (console.name, console.max_line) == ("imports", 100)
    assert console.container == ("shop.Importer DSN", "shop.Other")


def test_what_is_planned_knows_its_lines() -> None:
    """For whoever finds something wrong with it later."""
    plan = plan_of(WHOLE, "site.toml")
    assert plan.servers[0].source.of("listen") == "site.toml:8: listen"
    assert plan.servers[1].source.at("listen") == "site.toml:17: "  # it is not there
    assert plan.servers[2].source.of("tasks") == "site.toml:27: tasks"
    assert plan.consoles[0].source.of("container") == "site.toml:23: container"
    assert plan.source.of("drain") == "site.toml:3: drain"


# What is in the file, and all that is told of it.
WRONG: dict[str, tuple[str, list[str]]] = {
    "a typo": (
        '[[server]]\n\nlisen = "tcp:0"\n',
        ["x.toml:3: unknown key 'lisen' in [[server]]: did you mean 'listen'?"],
    ),
    "a switch of RPyC's spelling": (
        "[[server]]\nmax_frame = 1\n",
        ["x.toml:2: unknown key 'max_frame' in [[server]]: did you mean 'max-frame'?"],
    ),
    "a typo at the top": (
        "drian = 3\n[[server]]\n",
        ["x.toml:1: unknown key 'drian' at the top of the file: did you mean 'drain'?"],
    ),
    "a table with a typo": (
        "[[serve]]\n",
        ["x.toml:1: unknown key 'serve' at the top of the file: did you mean [[server]]?"],
    ),
    "a list of tables with a typo": (
        "[[server]]\n\n[[servers]]\n\n[[servers]]\n",
        ["x.toml:3: unknown key 'servers' at the top of the file: did you mean [[server]]?"],
    ),
    "a table that leads nowhere": (
        "[[server]]\n[limits.of]\n",
        ["x.toml:2: unknown key 'limits' at the top of the file"],
    ),
    "something like nothing else": (
        "[[server]]\nxyzzy = 3\n",
        ["x.toml:2: unknown key 'xyzzy' in [[server]]"],
    ),
    "a server's key at the top": (
        'service = "a.B"\n[[server]]\n',
        ["x.toml:1: unknown key 'service' at the top of the file: it belongs in [[server]]"],
    ),
    "a key of the process in a server": (
        "[[server]]\ndrain = 3\n",
        [
            "x.toml:2: unknown key 'drain' in [[server]]: it belongs at the top of the file, "
            "before the first [[...]]"
        ],
    ),
    "a console's key in a server": (
        '[[server]]\ncontainer = "a.B"\n',
        ["x.toml:2: unknown key 'container' in [[server]]: it belongs in [[console]]"],
    ),
    "wrong types": (
        'drain = "5"\n[[server]]\nlisten = 18861\nclassic = "no"\nmax-frame = 1.5\n',
        [
            "x.toml:1: drain takes a number of seconds, not '5'",
            "x.toml:3: listen takes a string, or a list of strings, not 18861",
            "x.toml:4: classic takes true or false, not 'no'",
            "x.toml:5: max-frame takes a number of bytes, not 1.5",
        ],
    ),
    "a table within": (
        "[[server]]\n[server.listen]\ntcp = 1\n",
        ["x.toml:2: listen takes a string, or a list of strings, not {'tcp': 1}"],
    ),
    "out of range": (
        "[[server]]\nmax-calls = 0\n",
        [
            "x.toml:2: max-calls takes a whole number, not 0: max_calls must be a positive "
            "int, not 0"
        ],
    ),
    "one pair of brackets": (
        '[server]\nservice = "a.B"\n',
        ["x.toml:1: write [[server]], with two brackets: there may be several"],
    ),
    "a server that is a number": (
        "server = 5\n",
        ["x.toml:1: write [[server]], with two brackets: there may be several"],
    ),
    "in the second of two": (
        '[[server]]\nservice = "a.B"\n[[server]]\nservice = 3\n',
        ["x.toml:4: service takes a string, not 3"],
    ),
    "in one line": (
        "\nserver = [{service = 3}, {}]\n",
        ["x.toml:2: service takes a string, not 3"],
    ),
    "two consoles of one name": (
        '[[console]]\ncontainer = "a.B"\n[[console]]\ncontainer = "a.C"\n',
        ["x.toml:3: two consoles are called 'console': give each a name"],
    ),
    "nothing at all": ("", ["x.toml:1: there is neither a [[server]] nor a [[console]] in it"]),
    "no TOML": ("[[server]]\nservice = a.B\n", ["x.toml:2: invalid value"]),
    "a string without an end": ('[[server]]\nservice = "a.B\n', ["x.toml:2: "]),
    "a list without an end": ("[[server]]\nlisten = [\n\n", ["x.toml:4: "]),
    "twice the same": ("drain = 1\ndrain = 2\n", ["x.toml:2: cannot overwrite a value"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_means_nothing_is_told_with_its_line(name: str) -> None:
    """All of it, in the order of the lines, and what may have been meant."""
    text, expected = WRONG[name]
    with pytest.raises(PlanError) as caught:
        plan_of(text, "x.toml")
    told = caught.value.problems
    assert len(told) == len(expected), told
    for sentence, beginning in zip(told, expected, strict=True):
        assert sentence.startswith(beginning)
        if not beginning.endswith((" ", "value")):
            assert sentence == beginning


def test_what_is_right_is_still_planned() -> None:
    """So that the rest can be checked: the parts without a mistake of their own."""
    text = '[[server]]\nservice = 3\n[[server]]\nservice = "a.B"\n'
    with pytest.raises(PlanError) as caught:
        plan_of(text, "x.toml")
    assert caught.value.rest is not None
    [server] = caught.value.rest.servers
    assert server.service == "a.B"


def test_whose_tasks_is_not_asked_where_a_console_is_wrong() -> None:
    """It may be the one that is meant, so it is not told that there is none."""
    text = '[[console]]\nnmae = "a"\n[[server]]\ntasks = "a"\n[[server]]\nservice = "a.B"\n'
    with pytest.raises(PlanError) as caught:
        plan_of(text, "x.toml")
    assert caught.value.rest is not None
    assert [each.service for each in caught.value.rest.servers] == ["a.B"]


def test_a_file_is_read(tmp_path: Path) -> None:
    """As UTF-8, with either kind of line end; else there is one sentence."""
    path = tmp_path / "site.toml"
    path.write_bytes('[[server]]\r\nservice = "läden.Läden"\r\n'.encode())
    [server] = read_plan(str(path)).servers
    assert server.service == "läden.Läden"
    assert server.source.of("service") == f"{path}:2: service"
    path.write_bytes(b'[[server]]\nservice = "l\xe4den"\n')
    with pytest.raises(PlanError, match=r"site\.toml:2: the file is not UTF-8$"):
        read_plan(str(path))
    with pytest.raises(PlanError, match=r"^cannot read \S+: Is a directory$"):
        read_plan(str(tmp_path))


# -- in which line something stands


def test_a_key_is_found_whatever_stands_around_it() -> None:
    """Strings and lists of several lines, comments, tables within tables."""
    text = (
        '# a [comment] = "with\n'  # 1
        'pool = ["a", # ] "\n'
        '  "b"]\n'
        "drain = 10\n"
        'x.y."z w" = """\n'  # 5
        "[[server]]\n"
        'k = 3 ""\\""""\n'
        "[[server]] # first\n"
        "service = 'a#b'\n"
        "listen = [\n"  # 10
        ' "tcp:1", """x\n'
        ']"""\n'
        "]\n"
        '  "max-frame" = 3\n'
        "e = ''' [\n"  # 15
        "k = 1'''''\n"
        "f = ''''''\n"
        "g = {a = [1, {b = \"}\"}], c = ']'}\n"
        "[server.sub]\n"
        "z = 1\n"  # 20
        "[[server]]\n"
        "q=1\n"
        "[[ server . deep ]]\n"
        "r=2\n"
        "[[server.deep]]\n"  # 25
        's=""\n'
        '[ last . "of all" ]\n'
        "t = 1"
    )
    tomllib.loads(text)
    assert lines_of(text) == {
        ("pool",): 2,
        ("drain",): 4,
        ("x",): 5,
        ("x", "y"): 5,
        ("x", "y", "z w"): 5,
        ("server", 0): 8,
        ("server", 0, "service"): 9,
        ("server", 0, "listen"): 10,
        ("server", 0, "max-frame"): 14,
        ("server", 0, "e"): 15,
        ("server", 0, "f"): 17,
        ("server", 0, "g"): 18,
        ("server", 0, "sub"): 19,
        ("server", 0, "sub", "z"): 20,
        ("server", 1): 21,
        ("server", 1, "q"): 22,
        ("server", 1, "deep", 0): 23,
        ("server", 1, "deep", 0, "r"): 24,
        ("server", 1, "deep", 1): 25,
        ("server", 1, "deep", 1, "s"): 26,
        ("last", "of all"): 27,
        ("last", "of all", "t"): 28,
    }


# pieces of values that could be taken for something else
_PIECES = st.sampled_from(
    ["[[server]]", "k = 1", "#", '"', "'", "[", "]", "{", "}", "=", " ", "\\", "a", "ä"]
)
_TEXTS = st.lists(_PIECES, max_size=6).map("".join)


def _basic(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _long(text: str) -> str:
    return '"""\n' + text.replace("\\", "\\\\").replace('"', '\\"') + '\n"""'


_VALUES = st.one_of(
    _TEXTS.map(_basic),
    _TEXTS.map(_long),
    _TEXTS.map(lambda text: "'" + text.replace("'", "") + "'"),
    _TEXTS.map(lambda text: "'''\n" + text.replace("'", "") + "\n'''"),
    st.lists(_TEXTS.map(_long), max_size=3).map(
        lambda items: "[ # [ ]\n" + ",\n".join(items) + "\n]"
    ),
    _TEXTS.map(lambda text: "{a = " + _basic(text) + ", b = [1, 2]}"),
    st.sampled_from(["1", "true", "1979-05-27T07:32:00Z", "inf", "[]", "{}"]),
)


@given(st.lists(st.tuples(_TEXTS.map(_basic), _VALUES, _TEXTS), max_size=6))
def test_keys_are_found_in_any_text(statements: list[tuple[str, str, str]]) -> None:
    """Each in the line where it was written, and no other."""
    text, expected = "", {}
    for index, (key, value, comment) in enumerate(statements):
        text += f"[[table]]\n\n  {key} = {value} # {comment}\n"
        line = text[: text.rindex(f"  {key} = {value} #")].count("\n") + 1
        expected[("table", index)] = line - 2
        name: Any = next(iter(tomllib.loads(f"{key} = 0")))
        expected[("table", index, name)] = line
    tomllib.loads(text)
    assert lines_of(text) == expected
