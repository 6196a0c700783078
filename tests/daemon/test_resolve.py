"""
From plans to objects, with everything that may be wrong on the way.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import rpyc
from twisted.cred.portal import Portal
from twisted.internet import reactor

from tests.net.certificates import Authority
from txremote import ConnectionConfig, Service, SlaveService, TaskService
from txremote.classic import opens_everything
from txremote.daemon.configfile import plan_of
from txremote.daemon.problems import PlanError
from txremote.daemon.resolve import Resolved, resolve
from txremote.work.threads import ThreadPool

DEPOT = 'service = "tests.services.Depot"\n'
IMPORTER = 'container = "tests.services.Importer"\n'


class Wide(Service):
    """Opens all of itself, and is no classic service."""

    @staticmethod
    def connection_config(config: ConnectionConfig) -> ConnectionConfig:
        """Return its connections' switches."""
        return config.replace(access="classic")


def resolved(text: str, **options: Any) -> Resolved:
    """Return what a file's plan is made of."""
    return resolve(plan_of(text, "x.toml"), reactor, **options)


def problems(text: str, **options: Any) -> list[str]:
    """Return what is wrong with a file's plan."""
    with pytest.raises(PlanError) as caught:
        resolved(text, **options)
    return caught.value.problems


def test_a_server() -> None:
    """Its service, its places, its switches."""
    [server] = resolved(f"[[server]]\n{DEPOT}max-calls = 3\n").servers
    assert server.root is server.served
    assert server.served.__name__ == "Depot"
    assert server.config.max_calls == 3
    [address] = server.addresses
    assert address.description == "tcp:18861:interface=127.0.0.1"
    assert (server.plan.what, opens_everything(server.served), address.exposed) == (
        "tests.services.Depot",
        False,
        False,
    )


def test_classic_mode() -> None:
    """On RPyC's port, with all doors open."""
    [server] = resolved("[[server]]\nclassic = true\n").servers
    assert (server.served, opens_everything(server.served)) == (SlaveService, True)
    assert server.addresses[0].description == "tcp:18812:interface=127.0.0.1"
    text = '[[server]]\nservice = "txremote.blocking.ClassicService"\nclassic = true\n'
    assert opens_everything(resolved(text).servers[0].served)


def test_switches_are_those_of_the_file() -> None:
    """Over what the preset says, which stands in front of them."""
    text = 'access = "public"\nallow-setattr = true\ncompress = "auto"\nsafe-attrs = "__len__"\n'
    [server] = resolved(f"[[server]]\n{DEPOT}{text}").servers
    assert server.config == ConnectionConfig.preset(
        "public", allow_setattr=True, safe_attrs={"__len__"}
    )


@pytest.mark.parametrize(
    "switch",
    [
        *('access = "public"', "allow-public-attrs = true", "allow-setattr = true"),
        *("allow-delattr = true", "allow-pickle = true", 'safe-attrs = ["__dict__"]'),
        *("instantiate-custom-exceptions = true", "import-custom-exceptions = true"),
        'exposed-prefix = "_"',
    ],
)
def test_a_switch_that_opens_more_is_for_loopback(switch: str, tmp_path: Path) -> None:
    """UNIX sockets, and clients with certificates: each switch, as for classic mode."""
    text = f"[[server]]\n{DEPOT}{switch}\n"
    [problem] = problems(f'{text}listen = "tcp:0"\n')
    assert "gives whoever connects more than what is exposed: it is served on loopback" in problem
    assert resolved(text).servers
    assert resolved(f'{text}listen = "unix:{tmp_path}/s"\n').servers
    authority = Authority(tmp_path)
    tls = f'tls-cert = "{authority.issue("server")}"\ntls-ca = "{authority.path}"\n'
    assert resolved(f'{text}{tls}listen = "tcp:0"\n').servers


@pytest.mark.parametrize(
    "switch",
    [
        *('access = "exposed"', "allow-getattr = false", "allow-safe-attrs = false"),
        *("include-local-traceback = true", 'exposed-prefix = "pub_"', 'safe-attrs = ["__len__"]'),
        *("log-exceptions = false", "compress = true"),
    ],
)
def test_a_switch_that_opens_nothing_more_is_for_everybody(switch: str) -> None:
    """It needs no guard."""
    assert resolved(f'[[server]]\n{DEPOT}{switch}\nlisten = "tcp:0"\n').servers


def test_what_a_module_sets_in_rpyc_s_defaults_is_guarded_and_overruled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same rule, and by what the file says; other modules' services do not get it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "looselab.py").write_text(
        "import rpyc\n"
        "rpyc.core.protocol.DEFAULT_CONFIG['allow_public_attrs'] = True\n"
        "class Lab(rpyc.Service): pass\n"
    )
    lab = '[[server]]\nservice = "looselab.Lab"\nlisten = "tcp:0"\n'
    defaults = dict(rpyc.core.protocol.DEFAULT_CONFIG)
    try:
        assert "allow_public_attrs gives whoever connects" in problems(lab)[0]
        del sys.modules["looselab"]
        [server, other] = resolved(f"{lab}allow-public-attrs = false\n[[server]]\n{DEPOT}").servers
        assert not server.config.allow_public_attrs
        assert server.notes
        assert (other.config, other.notes) == (ConnectionConfig(), ())
    finally:
        rpyc.core.protocol.DEFAULT_CONFIG.update(defaults)


def test_pools_are_made_and_not_started() -> None:
    """In their order."""
    pools = resolved(f'pool = ["threads:2", "threads:3"]\n[[server]]\n{DEPOT}').pools
    assert [(type(pool), pool.description, pool.running) for pool in pools] == [
        (ThreadPool, "threads:2", 0),
        (ThreadPool, "threads:3", 0),
    ]


def test_a_login_stands_before_the_service() -> None:
    """Of one checker of passwords, or of several."""
    text = f'[[server]]\n{DEPOT}auth = ["memory:ann:sesame", "unix"]\n'
    [server] = resolved(text).servers
    assert isinstance(server.root, Portal)
    assert server.root.realm.service is server.served


def test_the_tasks_of_a_console() -> None:
    """The one that is named, or the only one there is; by a service of one's own, too."""
    text = f'[[server]]\ntasks = "b"\n[[console]]\nname = "a"\n{IMPORTER}'
    text += f'[[console]]\nname = "b"\n{IMPORTER}listen = "unix:b"\n'
    found = resolved(text)
    assert type(found.servers[0].served) is TaskService
    assert found.servers[0].served.manager is found.consoles[1].service.manager
    text = f'[[server]]\nservice = "txremote.TaskService"\n[[console]]\n{IMPORTER}'
    found = resolved(text)
    assert found.servers[0].served.manager is found.consoles[0].service.manager


def test_a_console_has_the_time_of_the_process_to_end() -> None:
    """And its own limits."""
    [console] = resolved(f"drain = 7\n[[console]]\n{IMPORTER}max-line = 99\n").consoles
    assert console.service._drain == 7
    assert console.service._factory._limits.max_line == 99


def test_tls_is_around_each_endpoint(tmp_path: Path) -> None:
    """Of servers and consoles; with client certificates nothing is too public."""
    authority = Authority(tmp_path)
    tls = (
        f'tls-cert = "{authority.issue("server")}"\ntls-ca = "{authority.path}"\nlisten = "tcp:0"\n'
    )
    found = resolved(f"[[server]]\nclassic = true\n{tls}[[console]]\n{IMPORTER}{tls}")
    assert repr(found.servers[0].addresses[0].endpoint) == "tcp:0 with TLS"
    assert [label for label, _ in found.consoles[0].service._endpoints] == ["tcp:0 with TLS"]


# What is in the file, and all that is told of it.
WRONG: dict[str, tuple[str, list[str]]] = {
    "no service": (
        "[[server]]\n",
        ['[[server]] 1: say what to serve: service = "package.module.Class"'],
    ),
    "no container": (
        "\n[[console]]\n",
        [
            "[[console]] 1: say what a console's commands are: container = "
            '"package.module.Class ARGS"'
        ],
    ),
    "no such service": (
        '[[server]]\nservice = "tests.services.Dopet"\n',
        [
            "[[server]] 1: service tests.services.Dopet: 'tests.services' has no 'Dopet': did you "
            "mean 'Depot'?"
        ],
    ),
    "a classic service by accident": (
        '[[server]]\nservice = "txremote.SlaveService"\n',
        [
            "[[server]] 1: service txremote.SlaveService: it is a classic service, which lets "
            "clients do anything here: say classic = true if that is meant"
        ],
    ),
    "classic, of a service that is not": (
        f"[[server]]\n{DEPOT}classic = true\n",
        [
            "[[server]] 1: service tests.services.Depot: classic opens everything, and this is no "
            "classic service: leave one out"
        ],
    ),
    "classic, for everybody": (
        '[[server]]\nclassic = true\nlisten = ["tcp:0"]\n',
        ["[[server]] 1: listen: a classic service gives whoever connects this whole account"],
    ),
    "everything, for everybody, by the service's own switches": (
        '[[server]]\nservice = "tests.daemon.test_resolve.Wide"\nlisten = ["tcp:0"]\n',
        ["[[server]] 1: listen: access='classic' (option allow_all_attrs) gives whoever connects"],
    ),
    "two consoles, one file": (
        f'[[console]]\n{IMPORTER}tasks-db = "t.db"\n'
        f'[[console]]\nname = "b"\n{IMPORTER}listen = "tcp:0:interface=127.0.0.1"\n'
        'tasks-db = "./t.db"\n',
        ["[[console]] 2: tasks-db: [[console]] 1 keeps its tasks there: name another file"],
    ),
    "a file in no folder": (
        f'[[console]]\n{IMPORTER}tasks-db = "/nosuch/t.db"\n',
        ["[[console]] 1: tasks-db: cannot open /nosuch/t.db: there is no folder /nosuch"],
    ),
    "a console for everybody": (
        f'[[console]]\n{IMPORTER}listen = "tcp:0"\n',
        ["[[console]] 1: listen: every client of a console may run its commands"],
    ),
    "TLS twice": (
        f'[[server]]\n{DEPOT}tls-cert = "CERT"\nlisten = "ssl:0:privateKey=CERT"\n',
        [
            "[[server]] 1: listen ssl:0:privateKey=CERT: it has TLS already: write "
            "tcp: with tls-cert"
        ],
    ),
    "somebody else's key": (
        f'[[server]]\n{DEPOT}tls-cert = "CERT"\ntls-key = "OTHER"\n',
        ["[[server]] 1: tls-key: OTHER is not the key of CERT"],
    ),
    "an authority that is not there": (
        f'[[server]]\n{DEPOT}tls-cert = "CERT"\ntls-ca = "/nosuch/ca.pem"\n',
        ["[[server]] 1: tls-ca /nosuch/ca.pem: No such file or directory"],
    ),
    "an authority alone": (
        f'[[server]]\n{DEPOT}tls-ca = "CERT"\n',
        ['[[server]] 1: tls-ca is of use with tls-cert = "FILE" only'],
    ),
    "tasks of nobody": (
        '[[server]]\ntasks = "imports"\n',
        ["[[server]] 1: tasks: no console is called 'imports': there is none"],
    ),
    "tasks of somebody else": (
        f'[[server]]\ntasks = "imports"\n[[console]]\n{IMPORTER}',
        ["[[server]] 1: tasks: no console is called 'imports': there is 'console'"],
    ),
    "tasks, of either": (
        '[[server]]\nservice = "txremote.TaskService"\n'
        f'[[console]]\nname="a"\n{IMPORTER}[[console]]\nname="b"\n{IMPORTER}listen="unix:b"\n',
        [
            '[[server]] 1: service txremote.TaskService serves tasks: say whose, tasks = "NAME" '
            "with one of 'a', 'b'"
        ],
    ),
    "tasks of a service that has none": (
        f'[[server]]\n{DEPOT}tasks = "console"\n[[console]]\n{IMPORTER}',
        [
            "[[server]] 1: service tests.services.Depot: it serves no tasks: derive it from "
            "TaskService"
        ],
    ),
    "tasks in threads": (
        f'[[server]]\ntasks = "console"\nthreaded = true\n[[console]]\n{IMPORTER}',
        ["[[server]] 1: threaded is not for tasks, which are the reactor's: leave it out"],
    ),
    "a socket of systemd's that is not there": (
        f'[[server]]\n{DEPOT}listen = "systemd:domain=INET:name=nosuch"\n',
        ["[[server]] 1: listen systemd:domain=INET:name=nosuch: systemd has not handed over that"],
    ),
    "a systemd endpoint that is none": (
        f'[[server]]\n{DEPOT}listen = "systemd:domain=INET"\n',
        [
            "[[server]] 1: listen systemd:domain=INET: Specify exactly one of "
            "descriptor index or name"
        ],
    ),
    "the same twice": (
        f"[[server]]\n{DEPOT}[[server]]\n{DEPOT}"
        'listen = ["unix:x", "tcp:port=18861:interface=127.0.0.1", "tcp:0", "tcp:0"]\n'
        f'[[console]]\n{IMPORTER}listen = "unix:./x"\n',
        [
            "[[server]] 2: listen unix:x: [[console]] 1 listens there already",
            "[[server]] 2: listen tcp:port=18861:interface=127.0.0.1: [[server]] 1 listens there "
            "already",
        ],
    ),
    "no port": (
        f'[[server]]\n{DEPOT}listen = ["tcp:65536", "tcp:-1"]\n',
        [
            "[[server]] 1: listen tcp:65536: 65536 is no port: it is 0 to 65535",
            "[[server]] 1: listen tcp:-1: -1 is no port: it is 0 to 65535",
        ],
    ),
    "all of it": (
        'pool = "stars:3"\n'
        '[[server]]\nservice = "tests.nosuch.Depot"\nlisten = ["tcp:many", "unix:ok"]\n'
        'auth = ["fil:x", "memory:ann:sesame:eve"]\ntls-cert = "/nosuch/cert.pem"\n'
        '[[console]]\ncontainer = ["tests.services.Nobody", "tests.services.Importer"]\n',
        [
            "pool stars:3: ",
            "[[server]] 1: service tests.nosuch.Depot: 'tests' has no 'nosuch'",
            "[[server]] 1: listen tcp:many: ",
            "[[server]] 1: auth fil: ",
            "[[server]] 1: auth memory: ",
            "[[server]] 1: tls-cert /nosuch/cert.pem: No such file or directory",
            "[[console]] 1: container tests.services.Nobody: ",
        ],
    ),
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two certificates that have nothing to do with each other."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    return {"CERT": authority.issue("server"), "OTHER": authority.issue("other")}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place(name: str, certificates: dict[str, str]) -> None:
    """All of it, each in a sentence that says what to do; never a password."""
    text, expected = WRONG[name]
    for word, path in certificates.items():
        text = text.replace(word, path)
    told = problems(text)
    for word, path in certificates.items():
        told = [sentence.replace(path, word) for sentence in told]
    assert len(told) == len(expected), told
    for sentence, beginning in zip(told, expected, strict=True):
        assert sentence.startswith(f"x.toml: {beginning}")
        assert "sesame" not in sentence


# What is in the file, and all that is told of it.
TYPOS: dict[str, tuple[str, list[str]]] = {
    "what is wrong by itself is told as well": (
        '[[server]]\nservise = "a.B"\nauth = "fil:x"\n'
        '[[console]]\ncontainer = "tests.services.Nobody"\nmaxline = 3\n',
        ["unknown key 'servise'", "auth fil: ", "container tests.services.Nobody", "key 'maxline'"],
    ),
    "what may be the typo's fault is not": (
        '[[server]]\nservise = "a.B"\nlisten = "unix:a"\ntls-key = "CERT"\n'
        '[[server]]\nclasic = true\nservice = "txremote.SlaveService"\nlisten = "unix:b"\n'
        f'[[server]]\n{DEPOT}allow-public-attrs = true\nlisten = "tcp:0"\ntls_ca = "ca"\n'
        '[[console]]\nnmae = "a"\n'
        '[[server]]\ntasks = "a"\nlisten = "unix:d"\n',
        ["unknown key 'servise'", "unknown key 'clasic'", "unknown key 'tls_ca'", "key 'nmae'"],
    ),
    "two consoles of one name hide whose tasks are meant": (
        f'[[console]]\n{IMPORTER}[[console]]\n{IMPORTER}listen = "unix:b"\n'
        '[[server]]\ntasks = "console"\n',
        ["two consoles are called 'console'"],
    ),
    "a default is not where something else may be meant": (
        f'[[server]]\n{DEPOT}lisen = "tcp:0"\n[[server]]\n{DEPOT}',
        ["unknown key 'lisen'"],
    ),
}


@pytest.mark.parametrize("name", TYPOS)
def test_a_typo_hides_nothing_and_makes_up_nothing(name: str) -> None:
    """Other mistakes in its table are reported, but none that it may have caused."""
    text, expected = TYPOS[name]
    told = problems(text)
    assert len(told) == len(expected), told
    for sentence, words in zip(told, expected, strict=True):
        assert words in sentence


def test_what_only_systemd_knows_is_taken_for_good_where_nothing_is_started() -> None:
    """So that a file can be checked outside of it."""
    text = f'[[server]]\n{DEPOT}listen = "systemd:domain=INET:index=0"\n'
    [server] = resolved(text, starting=False).servers
    assert server.addresses[0].endpoint is None


def test_levels_of_the_log_that_make_no_sense() -> None:
    """A level, a namespace, and what says the same as --verbose."""
    text = 'verbose = true\nlog-level = ["loud", "shop=debug", "warn", "txremote.call=debug"]\n'
    first, second, third = map(str, problems(f"{text}[[server]]\n{DEPOT}"))
    assert "log-level" in first and "no level 'loud': it is one of debug, info" in first
    assert "nothing is logged here as 'shop'" in second
    assert "verbose = true means the level debug: leave one out" in third


def test_operators_are_users_of_one_server() -> None:
    """Whose login they pass; commas and lists are the same."""
    one = f'[[server]]\n{DEPOT}auth = "memory:ann:x"\noperators = ["ann, bob", "cy"]\n'
    two = f'[[server]]\n{DEPOT}listen = "unix:a.sock"\n'
    servers = resolved(f"{one}{two}").servers
    assert [server.operators for server in servers] == [("ann", "bob", "cy"), ()]
    [problem] = map(str, problems(f'{two}operators = "ann"\n'))
    assert "operators ann: nobody logs in here: add auth" in problem
    [problem] = map(str, problems(one.replace("cy", ",")))
    assert "a name is empty" in problem
