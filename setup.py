"""
The compiled build, which setup.cfg cannot describe: ``TXREMOTE_COMPILE=1 pip wheel .``

The sources are the same. mypyc compiles the modules that are listed here: the codec, and the way of
a call through a connection. All others, and without the variable these too, stay interpreted.
Not listed is what mypyc cannot do (exceptions, coroutines, Deferreds, classes with a ``__dict__``
or made by ``object.__new__``), what decides for a peer (``txremote.gate``), and what takes no time.

A listed module has to keep in mind:

* An ``int`` parameter turns True into 1, and a ``bytes`` one refuses a memoryview: where values of
  any type come, the annotation is ``object``, and ``type()`` tells them apart.
* A ``Final`` stands in the code of others, where no test can patch it.
* Calls take no room of Python's stack: recursion ends by a limit of its own.
* A function is no function for `inspect` or the gate, is not bound by a class that it is put into,
  and its frames in a traceback name the file by a relative path.
* A class with subclasses elsewhere says so (`txremote.wire.native`); no other decorator is taken.
* A constant tuple is made anew for each that takes it, unless it is annotated ``tuple[X, ...]``.
"""

import os

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

COMPILED = {
    "wire": """
        boxing brine decoder framing keys messages slices value_flat value_loading value_slices
        values
    """,
    "peer": """
        answers call_ledger calling inbound outbound outbox pending_calls reading references request
    """,
}

# Annotations are asserted at run time, so the compiler's is the version that was tried.
COMPILER = ["mypy==2.4.1"]


class CompiledCode(build_ext):
    """Builds the extensions that mypyc makes; only then is mypy imported."""

    def run(self) -> None:
        """Compile, and build what that gives."""
        from mypyc.build import mypycify

        files = [
            f"txremote/{room}/{name}.py"
            for room, names in COMPILED.items()
            for name in names.split()
        ]
        # without Twisted's own annotations, which ask for a plugin
        options = ["--config-file=", "--follow-imports=silent", "--ignore-missing-imports"]
        options += ["--no-site-packages"]
        self.distribution.ext_modules = mypycify(
            [*options, *files], opt_level="3", group_name="txremote"
        )
        self.swig_opts = None  # as before the first time
        self.finalize_options()
        super().run()


if os.environ.get("TXREMOTE_COMPILE") == "1":
    setup(
        setup_requires=COMPILER,
        cmdclass={"build_ext": CompiledCode},
        # stands for those to come: this is no wheel for every system
        ext_modules=[Extension("txremote.wire.brine", [])],
    )
else:
    setup()
