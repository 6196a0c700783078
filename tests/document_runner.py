"""
Runs a document from top to bottom, as somebody who follows it would.

Not a test file. A `Reader` takes an ``.rst`` file and does what its blocks say, in
their order:

==============================  ==================================================
``code-block:: python``         with a ``:name:``, is written to a file of that name
``code-block:: console``        each ``$`` line is run, and what it prints compared; a
                                command with ``>>>`` or ``i>`` lines beneath it is a
                                prompt, where these are typed
a block of ``>>>`` lines        is run in the reactor, with ``await`` allowed at its
                                top, and what it gives compared
``code-block:: sh`` and others  are for the reader's eyes
==============================  ==================================================

A ``twistd`` line starts a server that runs until the next one, or to the end; a line
that ends with ``&`` a program that does. The next server is started while this one is
used, of the files above its line, so that nobody waits for its imports. The port 18861,
and others like it, stand for whatever port is free; 18812 is that of classic mode, 2199
the console's.
"""

import ast
import contextlib
import doctest
import functools
import inspect
import io
import os
import re
import shlex
import socket
import sys
import time
import traceback

import docutils.core
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from twisted.internet.defer import Deferred

from tests.console.clients import OnTerminal, TelnetSocket
from tests.processes import PATIENCE, SERVES, Program, free_port, run, script

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
CHECKER = doctest.OutputChecker()
PORT = re.compile(r"\b(?:188(?:6\d|12)|2199)\b")
ADMIN_PORT = re.compile(r"\b9180\b")  # no line of a document is asked there
NOT_AHEAD = re.compile(r"--config|-y |--tls|--auth|privateKey|unix:")  # these read other files
CONSOLE = re.compile(r"txremote console on (\S+):(\d+) ")
PROMPTS = re.compile(r"^(?:>>> |\.\.\. )+", re.MULTILINE)


class Toctree(Directive):
    """The site's list of pages: it means something to Sphinx only, and shows nothing here."""

    has_content = True
    option_spec = {"hidden": directives.flag, "caption": directives.unchanged}

    def run(self):
        """Give nothing to show."""
        return []


directives.register_directive("toctree", Toctree)


def doctree(path):
    """Parse a document, once; what docutils warns about is an error."""
    return _parsed(path, path.read_text())


@functools.cache
def _parsed(path, text):
    return docutils.core.publish_doctree(
        text,
        source_path=str(path),
        settings_overrides={
            "report_level": 2,
            "halt_level": 2,
            "syntax_highlight": "none",
            "file_insertion_enabled": False,
        },
    )


def shown_code(path, title):
    """Return the Python code that a section shows for the reader's eyes, block by block."""
    (section,) = [
        found for found in doctree(path).findall(nodes.section) if found[0].astext() == title
    ]
    blocks = section.findall(nodes.literal_block)
    return [block.astext() for block in blocks if not block.astext().startswith(">>>")]


def compare(example, expected, got):
    """Fail unless what was printed is what the document says."""
    if not CHECKER.check_output(expected, got, FLAGS):
        asked = doctest.Example(example, expected)
        raise AssertionError(f"{example}\n{CHECKER.output_difference(asked, got, FLAGS)}")


def _session(text):
    """Return what is typed at a prompt, statement by statement, and what it prints."""
    typed, printed = [], []
    inside = False
    for line in text.splitlines():
        if line.startswith(">>> "):
            typed.append(line[4:])
            inside = True
        elif inside and (line + " ").startswith("... "):
            typed[-1] += "\n" + line[4:]
        else:
            printed.append(line + "\n")
            inside = False
    # an empty line ends a statement of more than one
    return [source + "\n" if "\n" in source else source for source in typed], "".join(printed)


class Reader:
    """
    Follows one document.

    Args:
        path: The document.
        folder: An empty folder to work in.
        only: The id of the section to follow, if not all of it.
        shared: Given, each innermost section is followed as if it stood alone: without the names
            and the servers of those before it, and of their files with these only.

    Attributes:
        ran: How many commands and lines of code were run.
    """

    def __init__(self, path, folder, only=None, shared=None):
        self.ran = 0
        self._shared = shared
        self._folder = folder
        self._tree = doctree(path)
        if only is not None:
            (self._tree,) = [
                section for section in self._tree.findall(nodes.section) if only in section["ids"]
            ]
        self._files = {}
        self._ports = {}
        self._names = {}
        self._programs = contextlib.ExitStack()
        self._ahead = None
        self._parser = doctest.DocTestParser()

    async def follow(self):
        """Do what the document says."""
        steps = list(self._steps())
        sys.path.insert(0, str(self._folder))
        try:
            for number, (kind, *what) in enumerate(steps):
                if kind == "example":
                    await self._run_example(*what)
                elif kind == "file":
                    self._files.update([what])
                elif kind == "section":
                    self._begin_anew()
                else:
                    self._run_command(*what)
                    if what[0].startswith("twistd "):
                        self._start_ahead(steps[number + 1 :])
        finally:
            self._programs.close()
            self._drop_ahead()
            self._forget_modules()
            sys.path.remove(str(self._folder))

    def _steps(self):
        """
        Give what there is to do: (``"example"``, it), (``"file"``, its name, its text),
        (``"command"``, its line, what it prints) and (``"section"``, its id) where they
        stand alone.
        """
        for node in self._tree.findall(self._is_step):
            if isinstance(node, nodes.section):
                if self._shared is not None and not any(
                    node.findall(nodes.section, descend=True, include_self=False)
                ):
                    yield "section", node["ids"][0]
                continue
            text = node.astext() + "\n"
            if isinstance(node, nodes.doctest_block):
                for example in self._parser.get_examples(text):
                    yield "example", example
            elif "console" in node["classes"]:
                for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                    command, _newline, expected = part.partition("\n")
                    yield "command", command, expected
            elif node["names"]:
                yield "file", node["names"][0], text

    @staticmethod
    def _is_step(node):
        return isinstance(node, (nodes.literal_block, nodes.doctest_block, nodes.section))

    def _begin_anew(self):
        """Forget what the last section had, but for what is shared."""
        self._names.clear()
        self._programs.close()
        self._ports = {}
        self._forget_modules()
        for name in self._files.keys() - self._shared:
            del self._files[name]
            (self._folder / name).unlink(missing_ok=True)

    def _real(self, text):
        """Put the ports that are really used into a text."""
        return PORT.sub(lambda found: str(self._ports.get(found[0], found[0])), text)

    def _forget_modules(self):
        """The document's own modules, which another may have by the same names."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(self._folder)):
                del sys.modules[name]

    # -- commands

    def _run_command(self, command, expected):
        self.ran += 1
        words = shlex.split(command)
        if words[0] == "twistd":
            self._serve(command)
            return
        background = words[-1] == "&"
        if background:
            words.pop()
            self._choose_ports()
        self._write_files()
        if words[0] == "python":
            words[0] = sys.executable
        elif words[0] in ("txremote", "pytest"):
            words[0] = script(words[0])
        elif words[0] not in ("openssl", "mkdir", "cp", "nc", "curl"):
            raise AssertionError(f"a command that nobody knows: {command}")
        words = [self._real(word) for word in words]
        if ">>> " in expected:
            self._run_prompt(command, words, expected)
            return
        if expected.startswith("i> ") or "\ni> " in expected:
            self._run_console_prompt(command, words, expected)
            return
        if background:
            program = Program(*words, cwd=self._folder)
            self._programs.enter_context(program)
            self._wait_for_port(program)
            return
        status, out, err = run(*words, cwd=self._folder)
        if words[0] == "openssl":
            assert status == 0, err
            return
        compare(command, expected, self._documented(out + err))
        assert status == 0 or expected, err

    def _run_prompt(self, command, words, text):
        """
        Start a prompt, type what a document has in ``>>>`` lines, and compare the
        rest of it.
        """
        typed, expected = _session(text)
        self.ran += len(typed)
        options = ["-i", "-q"] if words == [sys.executable] else []
        env = {**os.environ, "HOME": str(self._folder), "PYTHON_BASIC_REPL": "1"}
        env.pop("PYTHONSTARTUP", None)
        with Program(*words, *options, cwd=self._folder, env=env) as prompt:
            for source in typed:
                prompt.say(self._real(source))
            prompt.end_input()
            status = prompt.finish()
        printed = PROMPTS.sub("", self._documented(prompt.output))
        compare(f"{command}\n{text}", expected, printed)
        assert status == 0, printed

    def _run_console_prompt(self, command, words, text):
        """
        Type what a document has in ``i>`` lines, at a console's prompt, and compare
        each answer.
        """
        greeting, *steps = re.split(r"^i> ", text, flags=re.MULTILINE)
        if words[0] == "nc":  # which not everybody has
            client = TelnetSocket(int(words[2]))
        else:
            home = {"HOME": str(self._folder)}
            client = OnTerminal(*words, cwd=self._folder, env=home, echo=True)
        with client:
            client.wait_for(r"i> $")
            shown = client.text.removesuffix("i> ").replace("\r", "")
            compare(command, greeting, self._documented(shown))
            for step in steps:
                line, _newline, expected = step.partition("\n")
                self.ran += 1
                if line == ".quit":
                    client.type(line)
                    client.wait_for_end()
                    break
                answer = "".join(f"{each}\n" for each in client.ask(line))
                compare(f"{command}\ni> {line}", expected, self._documented(answer))

    def _documented(self, text):
        """Put the document's ports back into a text."""
        for documented, real in self._ports.items():
            text = text.replace(str(real), documented)
        return text

    def _write_files(self):
        for name, text in self._files.items():
            self._write(name, self._real(text))

    def _write(self, name, text):
        """Write a file, unless it is there: the next server may be about to read it."""
        path = self._folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)

    def _choose_ports(self):
        self._programs.close()
        self._ports = {"18861": free_port()}

    # -- servers

    def _serve(self, command):
        self._programs.close()
        self._ports = {}
        self._write_files()
        if self._ahead is None or self._ahead[0] != command:
            self._drop_ahead()
            self._ahead = command, *self._start_server(command)
        (_command, server, documented), self._ahead = self._ahead, None
        self._programs.enter_context(server)
        for pattern, names in (
            (CONSOLE, [name for name in documented if name == "2199"]),
            (SERVES, [name for name in documented if name != "2199"]),
        ):
            server.wait_for("(?s)" + ".*".join([pattern.pattern] * len(names)))
            # workers tell the same port, each of them
            ports = dict.fromkeys(int(found[2]) for found in pattern.finditer(server.output))
            self._ports.update(zip(names, ports, strict=True))

    def _start_server(self, command):
        """Start a server on free ports; return it, and the ports that the document has."""
        words = shlex.split(command)
        of_file = {"--config", "-y"}.intersection(words)  # its ports are written in there
        if of_file:
            name = words[words.index(of_file.pop()) + 1]
            documented = PORT.findall(self._files[name])
            (self._folder / name).write_text(PORT.sub("0", self._files[name]))
        else:
            if "--container" in words and "--console" not in words:
                words = [*words, "--console", "tcp:2199:interface=127.0.0.1"]
            if "--listen" not in words:
                port = "18812" if "--classic" in words else "18861"
                words = [*words, "--listen", f"tcp:{port}:interface=127.0.0.1"]
            documented = PORT.findall(" ".join(words))
        zeroed = [ADMIN_PORT.sub("0", PORT.sub("0", word)) for word in words[1:]]
        server = Program(script("twistd"), "--pidfile=", *zeroed, cwd=self._folder)
        return server, documented

    def _start_ahead(self, steps):
        """
        Start the next server of those steps, if it needs nothing but modules that are above
        its line, and in their last form.
        """
        files = {}
        for kind, what, *more in steps:
            if kind == "file":
                if what in self._files or what in files:
                    return
                files[what] = more[0]
            elif kind == "command" and what.startswith("twistd "):
                if not NOT_AHEAD.search(what):
                    for name, text in files.items():
                        if not PORT.search(text):  # those are clients
                            self._write(name, text)
                    self._ahead = what, *self._start_server(what)
                return

    def _drop_ahead(self):
        if self._ahead is not None:
            self._ahead[1].kill()
        self._ahead = None

    def _wait_for_port(self, program):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._ports["18861"])).close()
                return
            except OSError:
                if time.monotonic() > deadline or not program.runs:
                    raise AssertionError(program.output) from None
                time.sleep(0.01)

    # -- lines of code

    async def _run_example(self, example):
        self.ran += 1
        self._write_files()  # which it may import
        printed = io.StringIO()
        raised = None
        with contextlib.redirect_stdout(printed):
            try:
                await self._run_source(self._real(example.source))
            except Exception as error:
                if example.exc_msg is None:
                    raise
                raised = "".join(traceback.format_exception_only(error))
        if example.exc_msg is not None:
            compare(example.source, example.exc_msg, raised or "no exception\n")
        else:
            compare(example.source, example.want, self._documented(printed.getvalue()))

    async def _run_source(self, source):
        tree = ast.parse(source)
        last = tree.body.pop().value if isinstance(tree.body[-1], ast.Expr) else None
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        ran = eval(compile(tree, "<document>", "exec", flags), self._names)
        if inspect.iscoroutine(ran):
            await ran
        if last is not None:
            value = eval(compile(ast.Expression(last), "<document>", "eval", flags), self._names)
            if inspect.iscoroutine(value):
                value = await Deferred.fromCoroutine(value)
            if value is not None:
                print(repr(value))
