"""What the files of tests in a real game share."""

from __future__ import annotations

import pytest

from tests.contrib.evennia.checking import results_of_checks


@pytest.fixture(scope="session")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How each of `job_checks` went."""
    return results_of_checks(tmp_path_factory)
