"""
What a worker process does to see Twisted's log. The records are tested with their reader, in
test_output.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import pytest_twisted

from tests.work.child_processes import running_pool, until
from txremote.work.records import after_import


class TestAfterAnImport:
    def test_of_a_module_that_is_there(self) -> None:
        """It is told at once."""
        seen: list[ModuleType] = []
        after_import("sys", seen.append)
        assert seen == [sys]

    def test_of_one_that_comes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """When it has been executed, once; others are none of its concern."""
        (tmp_path / "watched_one.py").write_text("value = 3")
        (tmp_path / "watched_other.py").write_text("value = 4")
        monkeypatch.syspath_prepend(tmp_path)
        before = list(sys.meta_path)
        seen: list[int] = []
        after_import("watched_one", lambda module: seen.append(module.value))
        import watched_other  # type: ignore[import-not-found]  # noqa: F401

        assert seen == []
        import watched_one  # type: ignore[import-not-found]  # noqa: F401

        assert seen == [3]
        assert sys.meta_path == before

    def test_of_one_that_is_not_there(self) -> None:
        """The import fails as ever."""
        before = list(sys.meta_path)
        after_import("no_such_module_anywhere", lambda _module: None)
        with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
            __import__("no_such_module_anywhere")
        assert sys.meta_path == before


@pytest_twisted.ensureDeferred
async def test_a_job_that_is_the_first_to_import_twisted(caplog: pytest.LogCaptureFixture) -> None:
    """What it logs with that comes while it runs."""
    source = "__import__('twisted.logger').logger.Logger('late').warn('said to {who}', who='you')"
    seen: list[str] = []
    async with running_pool() as pool:
        (worker,) = pool._workers.active
        monkey = worker._process._readers[1]
        received = monkey._received
        monkey._received = lambda record: (seen.append(str(record)), received(record))[1]
        await pool.submit(eval, (source,))
        await until(lambda: seen)
    assert "'level': 'warn'" in seen[0]
    assert "said to you" in seen[0]
