"""
Pools by name: how a description is read, and how another package adds a kind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from zope.interface.verify import verifyObject

from txremote.interfaces import IPool, IPoolKind
from txremote.work.processes import ProcessPool
from txremote.work.spec import (
    Description,
    PoolKind,
    join,
    pool_from_string,
    split,
)
from txremote.work.threads import ThreadPool


class TestSplit:
    @pytest.mark.parametrize(
        ("spec", "parts"),
        [
            ("threads", ("threads", (), {})),
            ("threads:8", ("threads", ("8",), {})),
            (
                "processes:min=2:max=8:idle=20:recycle=500",
                (
                    "processes",
                    (),
                    {"min": "2", "max": "8", "idle": "20", "recycle": "500"},
                ),
            ),
            ("dask:tcp://host:8786", ("dask", ("tcp://host:8786",), {})),
            (
                "dask:tcp://127.0.0.1:8786:queue=5",
                ("dask", ("tcp://127.0.0.1:8786",), {"queue": "5"}),
            ),
            ("dask:tls://[fe80::1]:8786", ("dask", ("tls://[fe80::1]:8786",), {})),
            ("dask:tcp://host:timeout=3", ("dask", ("tcp://host",), {"timeout": "3"})),
            ("dask:inproc://10.0.0.1/7/1", ("dask", ("inproc://10.0.0.1/7/1",), {})),
            (r"dask:tcp\://host\:8786", ("dask", ("tcp://host:8786",), {})),
            (r"odd:a\=b:path=c\:\\d:e=f=g", ("odd", ("a=b",), {"path": r"c:\d", "e": "f=g"})),
            ("odd::", ("odd", ("", ""), {})),
            ("", ("", (), {})),
        ],
    )
    def test_parts(self, spec: str, parts: Any) -> None:
        """Words, options, escapes; a URL is one word, with its port."""
        assert split(spec) == parts
        assert split(join(*parts)) == parts

    def test_what_makes_no_sense(self) -> None:
        """An option given twice and a backslash that escapes nothing are refused."""
        with pytest.raises(ValueError, match="min= is given twice"):
            split("processes:min=2:min=3")
        with pytest.raises(ValueError, match="escapes nothing"):
            split("threads:8\\")

    @pytest.mark.parametrize(
        ("words", "spec"),
        [
            (("tcp://host:8786",), "kind:tcp://host:8786"),
            (("//host",), r"kind:\/\/host"),
            (("tcp://host", "8"), r"kind:tcp\:\/\/host:8"),
            (("a:b",), r"kind:a\:b"),
            (("a=b",), r"kind:a\=b"),
        ],
    )
    def test_backslashes_are_rare(self, words: Any, spec: str) -> None:
        """A description is written without them where it means the same."""
        assert join("kind", words, {}) == spec
        assert split(spec) == ("kind", words, {})

    @given(
        st.lists(st.text(st.sampled_from("ab=:\\/.[]é 1"), max_size=8), max_size=4),
        st.dictionaries(
            st.from_regex(r"[a-z_]\w{0,3}", fullmatch=True),
            st.text(st.sampled_from("ab=:\\/. 1"), max_size=8),
            max_size=3,
        ),
    )
    def test_any_parts_can_be_written(self, words: list[str], options: dict[str, str]) -> None:
        """Whatever the words and options, there is a description that has them."""
        parts = ("kind", tuple(words), options)
        assert split(join(*parts)) == parts


class TestPools:
    def test_ours(self) -> None:
        """threads, processes and dask are there; making a pool does not start it."""
        from twisted.internet import reactor

        threads = pool_from_string("threads:8")
        processes = pool_from_string("processes:4:recycle=500", reactor)
        assert isinstance(threads, ThreadPool)
        assert isinstance(processes, ProcessPool)
        for pool, spec in ((threads, "threads:8"), (processes, "processes:4:recycle=500")):
            verifyObject(IPool, pool)
            assert pool.description == spec
            assert not pool.running

    def test_an_unknown_kind(self) -> None:
        """The error names it, and those that there are."""
        with pytest.raises(ValueError, match=r"'thread' in 'thread:8'.*dask, processes, threads"):
            pool_from_string("thread:8")

    @pytest.mark.parametrize(
        ("spec", "says"),
        [
            ("threads:x", "'x' in 'threads:x'"),
            ("threads:4:size=3", "no option|size="),
            ("processes:x", "'x' in 'processes:x' is no count"),
            ("processes:2:most=3", "most=.*min=, max="),
            ("dask", "dask"),
        ],
    )
    def test_a_wrong_part(self, spec: str, says: str) -> None:
        """Each kind says what is wrong with its part, and what there is."""
        with pytest.raises(ValueError, match=says):
            pool_from_string(spec)

    def test_a_kind_is_imported_when_it_is_used(self) -> None:
        """Listing the kinds imports neither dask nor cloudpickle."""
        kind = PoolKind("stars", "txremote.no_such_module.parse")
        verifyObject(IPoolKind, kind)
        assert kind.prefix == "stars"
        with pytest.raises(Exception, match="no_such_module"):
            kind.parse(None, (), {})

    def test_importing_txremote_is_cheap(self) -> None:
        """Neither the package nor the list of kinds imports what only some pools need."""
        script = (
            "import sys, txremote\n"
            "from twisted.plugin import getPlugins\n"
            "from txremote.interfaces import IPoolKind\n"
            "print(sorted(kind.prefix for kind in getPlugins(IPoolKind)))\n"
            "dear = {'cloudpickle', 'distributed', 'plac', 'twisted.internet.reactor'}\n"
            "print(sorted(dear & set(sys.modules)))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "['dask', 'processes', 'threads']\n[]\n"

    def test_another_package_adds_a_kind(self, tmp_path: Path) -> None:
        """A plugin in any twisted/plugins on the path is a kind like ours."""
        plugins = tmp_path / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "stars_plugin.py").write_text(
            "from txremote.work.spec import PoolKind\nstars = PoolKind('stars', 'stars.parse')\n"
        )
        (tmp_path / "stars.py").write_text(
            "def parse(reactor, words, options):\n    return words, options\n"
        )
        script = (
            "from txremote.work.spec import pool_from_string\n"
            "print(pool_from_string('stars:north:n=3'))\n"
        )
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert done.stdout == "(('north',), {'n': '3'})\n"


class TestDescription:
    def test_numbers(self) -> None:
        """A word and an option are read by name; a default takes the place of what is not given."""
        told = Description("stars", ("4",), {"b": "0"}, word="a", names=("b", "c"))
        assert (told.number("a", 1, 7), told.number("b", 0, 7)) == (4, 0)
        assert (told.number("c", 0, 7), told.number("c", 0, None)) == (7, None)
        assert str(told) == "stars:4:b=0"

    @pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "²", "1_0", " 1"])
    def test_what_is_no_number(self, text: str) -> None:
        """It is refused, with the option, what was given, and what there may be."""
        told = Description("stars", (), {"b": text}, word="a", names=("b",))
        with pytest.raises(ValueError, match="is no b: it is a whole number, 0 or more"):
            told.number("b", 0, None)

    def test_seconds(self) -> None:
        """They may be part of one."""
        told = Description("stars", (), {"b": "0.5"}, word="a", names=("b", "c"))
        assert (told.seconds("b", 2), told.seconds("c", 2)) == (0.5, 2)

    @pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "inf"])
    def test_what_is_no_time(self, text: str) -> None:
        """It is refused, with the option, and what was given."""
        told = Description("stars", (), {"b": text}, word="a", names=("b",))
        with pytest.raises(ValueError, match=f"'{text}' in .* is no b: it is a number of seconds"):
            told.seconds("b", 2)
