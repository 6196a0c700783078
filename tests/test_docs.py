"""
What is written is true: the documents are run, and held against the code.
"""

import configparser
import inspect
import os
import pkgutil
import re
import socket
import subprocess
from datetime import datetime

import pytest
import pytest_twisted
from docutils import nodes

import txremote
from tests.buses.redis_server import RedisServer, needs_redis
from tests.document_runner import Reader, doctree
from tests.processes import ROOT, SERVES
from tests.switch_tables import page_with
from tests.work.limited.surroundings import why_no_sandbox
from txremote import aio, blocking, errors, notebook, testing
from txremote.cli import parser
from txremote.config import IGNORED
from txremote.daemon import tap
from txremote.daemon.plan import CONSOLE_SETTINGS, LIMITS, PROCESS_SETTINGS, SERVER_SETTINGS

DOCS = ROOT / "docs"
PAGES = [
    page
    for folder in (ROOT, DOCS, ROOT / "benchmarks", ROOT / "examples")
    for page in sorted(folder.glob("*.rst"))
]
FOLDERS = ("benchmarks", "docs", "examples", "tests", "txremote")
REFERENCE = (DOCS / "reference.rst").read_text()
REPOSITORY = re.search(r"^url = (.+)$", (ROOT / "setup.cfg").read_text(), re.MULTILINE)[1]

# Of twistd, our benchmarks, IPython's extension, evennia, curl, pip, ipython, docker, Prometheus,
# Dask, uvicorn.
OPTIONS_OF_OTHERS = {
    *("--logfile", "--logger", "--pidfile", "--reactor", "--syslog", "--uid"),
    *("--row", "--stay", "--init", "--unix-socket", "--no-deps", "--simple-prompt", "--interval"),
    *("--enable-feature", "--preload", "--timeout-graceful-shutdown"),
}


def section_of(title):
    """Return a section of the reference."""
    heading = f"\n{title}\n{'-' * len(title)}\n"
    return re.split(r"\n\n\n", REFERENCE[REFERENCE.index(heading) :].lstrip("\n"), maxsplit=1)[0]


def name_of(page):
    return str(page.relative_to(ROOT))


def links(page):
    """Return the targets of a page's links, but for those within the page."""
    return [link["refuri"] for link in doctree(page).findall(nodes.reference) if "refuri" in link]


class TestPages:
    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_renders(self, page):
        """docutils has nothing to say about the page."""
        doctree(page)

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_links_lead_somewhere(self, page):
        """What a page links to within the project is there."""
        for target in links(page):
            ours = re.fullmatch(rf"{REPOSITORY}/(?:blob|tree)/main/(.+)", target)
            if ours or "://" not in target:
                name, _hash, section = (ours[1] if ours else target).partition("#")
                found = (ROOT if ours else page.parent) / name
                assert found.exists(), target
                assert not section or section in doctree(found).ids, target

    def test_readme_has_no_relative_link(self):
        """The README is shown where the project's other files are not: in the package index."""
        relative = [target for target in links(ROOT / "README.rst") if "://" not in target]
        assert relative == []

    def test_readme_s_pictures_are_there(self):
        """They are shown from the repository, wherever the README is."""
        raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main/"
        pictures = [image["uri"] for image in doctree(ROOT / "README.rst").findall(nodes.image)]
        assert pictures
        for picture in pictures:
            assert picture.startswith(raw)
            assert (ROOT / picture.removeprefix(raw)).exists()

    @pytest.mark.parametrize("page", sorted(DOCS.glob("*.rst")), ids=name_of)
    def test_is_linked_from_index_and_readme(self, page):
        """No page is left where nobody finds it."""
        if page.name != "index.rst":
            assert f"<{page.name}>`_" in (DOCS / "index.rst").read_text()
            assert f"{REPOSITORY}/blob/main/docs/{page.name}" in links(ROOT / "README.rst")

    @pytest.mark.parametrize("page", ["howto", "pools"])
    def test_recipes_are_found_by_need(self, page):
        """Each recipe is in the index by need."""
        sections = doctree(DOCS / f"{page}.rst").findall(nodes.section)
        recipes = [s for s in sections if not list(s.findall(nodes.section, include_self=False))]
        found = links(DOCS / "index.rst")
        assert [s["ids"][0] for s in recipes if f"{page}.rst#{s['ids'][0]}" not in found] == []

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_files_that_are_named_are_there(self, page):
        """What is called by a path from the top of the repository."""
        paths = [name.astext() for name in doctree(page).findall(nodes.literal)]
        ours = [path for path in paths if re.fullmatch(rf"(?:{'|'.join(FOLDERS)})/[\w./-]+", path)]
        assert [path for path in ours if "ROOM" not in path and not (ROOT / path).exists()] == []

    def test_examples_are_all_in_their_index(self):
        """Each example has a line that says what it is for."""
        folder = ROOT / "examples"
        shown = {path.name for path in folder.iterdir() if path.suffix and path.is_file()}
        assert set(links(folder / "README.rst")) == shown - {"README.rst"}

    def test_installs_from_a_checkout(self):
        """The package is in no index yet, so no page has pip look for it there; extras are ours."""
        extras = configparser.ConfigParser()
        extras.read(ROOT / "setup.cfg")
        for page in PAGES:
            for named in re.findall(r"\.\[([\w,]+)\]", page.read_text()):
                assert {*named.split(",")} <= {*extras["options.extras_require"]}, page
            assert not re.search(r"pip install [^`&*]*txremote", page.read_text()), page

    def test_no_path_of_a_machine(self):
        """Neither documents nor examples name a folder of somebody's own."""
        for page in [*PAGES, *(ROOT / "examples").glob("*.py"), ROOT / ".ci" / "run"]:
            assert not re.search(r"(?<!\w)/(home|tmp|work|root)/", page.read_text()), page


class TestFollowed:
    """Each command and each line of code of a page gives what the page says."""

    @pytest_twisted.ensureDeferred
    async def test_readme(self, tmp_path):
        """The server of each kind of user in the README, and its clients."""
        reader = Reader(ROOT / "README.rst", tmp_path)
        await reader.follow()
        assert reader.ran == 17

    @pytest_twisted.ensureDeferred
    async def test_choosing(self, tmp_path):
        """One object, called in a reactor, with asyncio and from a script."""
        reader = Reader(DOCS / "choosing.rst", tmp_path)
        await reader.follow()
        assert reader.ran == 11

    @pytest_twisted.ensureDeferred
    async def test_asyncio(self, tmp_path):
        """A program with asyncio alone, and one with Twisted's asyncio reactor."""
        reader = Reader(DOCS / "asyncio.rst", tmp_path)
        await reader.follow()
        assert reader.ran == 3

    @pytest_twisted.ensureDeferred
    async def test_tutorial(self, tmp_path):
        """The tutorial, from top to bottom."""
        reader = Reader(DOCS / "tutorial.rst", tmp_path)
        await reader.follow()
        assert reader.ran > 50

    @pytest_twisted.ensureDeferred
    async def test_tutorial_console(self, tmp_path):
        """From a function to a shared console: prompts, the server, its clients."""
        reader = Reader(DOCS / "tutorial_console.rst", tmp_path)
        await reader.follow()
        assert reader.ran > 40

    @pytest_twisted.ensureDeferred
    async def test_operating(self, tmp_path, monkeypatch):
        """The page for operators, from top to bottom."""
        monkeypatch.chdir(tmp_path)  # lines of code name its files, too
        reader = Reader(DOCS / "operating.rst", tmp_path)
        await reader.follow()
        assert reader.ran > 15

    @pytest_twisted.ensureDeferred
    async def test_howto(self, tmp_path):
        """All recipes, one after the other, and each as if it stood alone."""
        reader = Reader(
            DOCS / "howto.rst", tmp_path, shared={"greeter.py", "geometry.py", "kitchen.py"}
        )
        await reader.follow()
        assert reader.ran > 150

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("page", ["pools", "values"])
    async def test_work_and_values(self, page, tmp_path):
        """Jobs in threads and processes, and data by value."""
        reader = Reader(DOCS / f"{page}.rst", tmp_path)
        await reader.follow()
        assert reader.ran > 15

    @needs_redis
    @pytest_twisted.ensureDeferred
    async def test_many(self, tmp_path_factory, monkeypatch):
        """A service from one process to several; a Redis joins the last ones, and knows them."""
        folder = tmp_path_factory.mktemp("m")
        monkeypatch.setenv("TXREMOTE_BUS", str(folder / "bus"))
        with RedisServer() as redis:
            for name in ("BOARD_REDIS", "TXREMOTE_REGISTRY"):
                monkeypatch.setenv(name, f"redis://127.0.0.1:{redis.port}")
            reader = Reader(DOCS / "many.rst", folder)
            await reader.follow()
        assert reader.ran > 20

    @pytest_twisted.ensureDeferred
    async def test_limited(self, tmp_path):
        """Sources of strangers, where there is a sandbox for them."""
        if why_no_sandbox():
            pytest.skip(f"no bubblewrap that works: {why_no_sandbox()}")
        reader = Reader(DOCS / "limited.rst", tmp_path)
        await reader.follow()
        assert reader.ran > 15

    @pytest_twisted.ensureDeferred
    async def test_coming_from_rpyc(self, tmp_path):
        """The steps from RPyC's programs to declared values."""
        reader = Reader(DOCS / "coming_from_rpyc.rst", tmp_path, only="step-by-step")
        await reader.follow()
        assert reader.ran > 8

    @pytest_twisted.ensureDeferred
    async def test_reader_notices_what_is_not_true(self, tmp_path):
        """The tests above would fail if a page were wrong."""
        page = tmp_path / "wrong.rst"
        page.write_text(">>> 2 + 3\n6\n")
        with pytest.raises(AssertionError, match=r"Expected:\n *6\n"):
            await Reader(page, tmp_path).follow()
        page.write_text(".. code-block:: console\n\n   $ python --version\n   Python 1.5\n")
        with pytest.raises(AssertionError, match=r"Expected:\n *Python 1\.5\n"):
            await Reader(page, tmp_path).follow()


class TestCommands:
    def commands(self):
        """The two commands of the README: (the demo, the tests)."""
        lines = (ROOT / "README.rst").read_text().splitlines()
        return [line.strip() for line in lines if line.strip().startswith("python3 -m venv")]

    def test_two_commands_of_one_line_each(self):
        """One installs and shows, one installs and tests; both from nothing."""
        demo, tests = self.commands()
        assert demo.endswith(" && .venv/bin/txremote demo")
        assert tests.endswith(" && .venv/bin/python -m pytest")

    def test_ci_runs_the_readme_s_command(self):
        """.ci/run has the README's second command, word for word."""
        lines = [line.strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]
        assert self.commands()[1] in lines

    def test_ci_script_is_good_bash(self):
        """
        bash can read .ci/run, and it may be executed.
        """
        script = ROOT / ".ci" / "run"
        subprocess.run(["bash", "-n", script], check=True)
        assert os.access(script, os.X_OK)


def signatures():
    """Give the name and the parameters of each ``name(parameters)`` that the reference defines."""
    for line in REFERENCE.splitlines():
        if re.fullmatch(r"(``[^`]+``(, )?)+", line):
            yield from re.findall(r"``([\w.]+)\(([^`]*)\)``", line)
        yield from re.findall(r"^ +``(\w*\.?[A-Z]\w+\.\w+)\(([^`]*)\)``  ", line)  # in a table


def resolve(name):
    found = txremote
    for part in name.split("."):
        found = getattr(found, part)
    return found


def options_of(command):
    """Give the options of a command of txremote's, and of those beneath it."""
    for action in command._actions:
        yield from action.option_strings
        if isinstance(action.choices, dict):
            for beneath in action.choices.values():
                yield from options_of(beneath)


class TestReference:
    @pytest.mark.parametrize("name", sorted(txremote.__all__))
    def test_every_public_name_is_there(self, name):
        """What can be imported from txremote is in the reference."""
        own, _heading, _others = REFERENCE.partition("\ntxremote.aio\n---")
        assert re.search(rf"\b{name}\b", own)

    @pytest.mark.parametrize("name", sorted(aio.__all__))
    def test_every_name_for_asyncio_is_there(self, name):
        """What can be imported from txremote.aio is in its section."""
        assert re.search(rf"``(aio\.)?{name}\b", section_of("txremote.aio"))

    @pytest.mark.parametrize("name", sorted({*blocking.__all__} - {"classic"}))
    def test_every_blocking_name_is_there(self, name):
        """What can be imported from txremote.blocking is in its section."""
        assert re.search(rf"``(blocking\.)?{name}\b", section_of("txremote.blocking"))

    @pytest.mark.parametrize("name", sorted({*blocking.classic.__all__} - {*blocking.__all__}))
    def test_every_classic_name_is_there(self, name):
        """What can be imported from txremote.blocking.classic is in its section."""
        section = section_of("txremote.blocking.classic")
        assert re.search(rf"``(blocking\.classic\.)?{name}\b", section)

    @pytest.mark.parametrize(("name", "parameters"), list(signatures()))
    def test_signatures(self, name, parameters):
        """Parameters and their defaults are those of the code."""
        found = resolve(name)
        actual = [
            (parameter.name, parameter.kind, parameter.default)
            for parameter in inspect.signature(found).parameters.values()
            if parameter.name != "self"
        ]
        public = {each: getattr(txremote, each) for each in txremote.__all__}
        written = inspect.signature(
            # the page is ours
            eval(
                f"lambda {parameters}: None",
                {**public, "socket": socket, "datetime": datetime},
            )
        )
        assert [(p.name, p.kind, p.default) for p in written.parameters.values()] == actual

    @pytest.mark.parametrize(
        "kind",
        [
            *(txremote.AsyncResult, txremote.Connection, testing.Pair),
            *(blocking.BlockingConnection, blocking.BgServingThread, blocking.ThreadedServer),
        ],
    )
    def test_attributes_exist(self, kind):
        """Every attribute that the reference tells of is one."""
        names = re.findall(rf"``(?:testing\.|blocking\.)?{kind.__name__}\.(\w+)", REFERENCE)
        assert names
        pair = testing.connected_pair()
        examples = {"Connection": pair.client, "Pair": pair}
        for name in names:
            assert hasattr(examples.get(kind.__name__, kind), name), name

    def test_error_tree(self):
        """The tree of errors is the one in errors.py."""
        tree = re.search(r"::\n\n(    Exception\n.*?)\n\n", errors.__doc__, re.DOTALL)[1]
        assert tree in REFERENCE

    def test_switches_and_their_options(self):
        """Every switch is there as it is declared: ``python -m tests.switch_tables`` writes it."""
        assert page_with(REFERENCE) == REFERENCE

    def test_ignored_switches_are_named(self):
        """The switches of RPyC's that do nothing here are told."""
        for name in IGNORED:
            assert f"``{name}``" in REFERENCE

    def test_docstrings_of_all_public_names_are_on_the_site(self):
        """What can be imported from the public modules stands in a page of docs/api."""
        pages = "".join(page.read_text() for page in (DOCS / "api").glob("*.rst"))
        told = re.findall(r"^\.\. auto\w+:: txremote\.([\w.]+)", pages, re.MULTILINE)
        shown = {id(pkgutil.resolve_name(f"txremote.{name}")) for name in told}
        for module in (txremote, aio, blocking, blocking.classic, notebook, testing):
            names = getattr(module, "__all__", ["connected_pair", "Pair"])
            public = {name: getattr(module, name) for name in names}
            assert [
                name
                for name, found in public.items()
                if id(found) not in shown and (callable(found))
            ] == []

    def test_options_of_twistd(self):
        """Every option of twistd txremote is there, with its short form."""
        section = section_of("twistd txremote")
        options = tap.Options()
        for name in options.longOpt:
            assert f"``--{name.rstrip('=')}" in section
        for name, long_name in options.synonyms.items():
            if len(name) == 1:
                assert f"``-{name}``, ``--{long_name}" in section

    def test_settings_of_a_file(self):
        """
        The page for operators names all that a file can say: each limit in its table, and
        what is not an option of the same name.
        """
        page = (DOCS / "operating.rst").read_text()
        for setting in LIMITS:
            assert f"``{setting.name}``" in page
        options = {name.rstrip("=") for name in tap.Options().longOpt}
        for setting in (*SERVER_SETTINGS, *CONSOLE_SETTINGS, *PROCESS_SETTINGS):
            assert setting.name in options or f"``{setting.name}``" in page

    def test_options_of_txremote(self):
        """Every command and option of txremote is there."""
        section = section_of("txremote")
        (commands,) = [a for a in parser()._actions if isinstance(a.choices, dict)]
        for command, its_parser in commands.choices.items():
            assert f"``txremote {command}" in section
            for action in its_parser._actions:
                for option in action.option_strings:
                    if action.dest != "help":
                        assert f"``{option}" in section

    @pytest.mark.parametrize("page", sorted(DOCS.glob("*.rst")), ids=name_of)
    def test_options_that_pages_name_are_options(self, page):
        """Of ours, or of other programs that are named with them."""
        ours = {f"--{name.rstrip('=')}" for name in tap.Options().longOpt}
        ours.update(options_of(parser()))
        code = [*doctree(page).findall(nodes.literal), *doctree(page).findall(nodes.literal_block)]
        named = re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(node.astext() for node in code))
        assert {*named} <= ours | OPTIONS_OF_OTHERS

    def test_line_that_tells_the_port(self):
        """A program may wait for that line, so it stays as it is written."""
        assert "``txremote serves on ADDRESS:PORT (ENDPOINT)``" in REFERENCE
        assert SERVES.search("txremote serves on 127.0.0.1:18861 (tcp:18861)")


def test_changes_begin_with_this_version():
    """The newest entry of CHANGES.rst is for the version that is worked on."""
    assert txremote.__version__ in (ROOT / "CHANGES.rst").read_text().split("\n---")[0]
