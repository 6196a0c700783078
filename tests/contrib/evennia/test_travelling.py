"""The objects of a game in the arguments, results and errors of jobs."""

from __future__ import annotations

import pytest

from tests.contrib.evennia.game import needs_evennia

pytestmark = needs_evennia


@pytest.mark.parametrize(
    "name",
    [
        "an_object_arrives_as_it_is_now",
        "an_object_comes_back_as_the_servers_own",
        "containers_of_attributes_arrive_as_plain_copies",
        "handlers_arrive_as_those_of_the_object",
        "what_is_in_memory_alone_is_refused",
        "an_object_that_is_deleted_on_the_way_fails_the_job",
        "a_commands_method_runs_in_a_process",
    ],
)
def test_in_a_game(name: str, checks: dict[str, str]) -> None:
    """Each is a function of `job_checks`, which says what it asserts."""
    assert checks.get(name, f"it did not run: {checks}") == ""
