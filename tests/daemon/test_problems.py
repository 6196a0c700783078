"""
Problems of a plan: in which order they are told, and where they begin.
"""

from __future__ import annotations

from txremote.daemon.problems import ConfigOrigin, PlanError, Problem, Problems


def test_where_something_was_written() -> None:
    """On a command line as options are, in a file by its table and its key."""
    typed = ConfigOrigin(options={"listen": "console"})
    assert (typed.prefix, typed.spelled("listen")) == ("", "--console")
    assert typed.spelled("container", "a.B ARGS") == "--container 'a.B ARGS'"
    assert typed.spelled("classic", "true") == "--classic"
    file = ConfigOrigin("site.toml", "[[server]] 2", 1, ("listen",))
    assert (file.prefix, file.spelled("listen")) == ("site.toml: [[server]] 2: ", "listen")
    assert file.spelled("container", "a.B ARGS") == 'container = "a.B ARGS"'
    assert file.spelled("classic", "true") == "classic = true"
    assert ConfigOrigin("site.toml").prefix == "site.toml: "


def test_all_that_is_wrong_is_in_the_error_in_the_file_s_order() -> None:
    """Table after table, key after key; what is not there comes last."""
    top = ConfigOrigin("x.toml", keys=("drain", "pool"))
    first = ConfigOrigin("x.toml", "[[server]] 1", 1, ("auth", "listen"))
    second = ConfigOrigin("x.toml", "[[server]] 2", 2, ())
    error = PlanError(
        *[
            Problem(second, "", "six"),
            Problem(first, "service", "five"),
            Problem(first, "listen", "four"),
            Problem(top, "pool", "two"),
            Problem(first, "", "three"),
            Problem(top, "drain", "one"),
        ]
    )
    assert error.problems == [
        "x.toml: one",
        "x.toml: two",
        "x.toml: [[server]] 1: three",
        "x.toml: [[server]] 1: four",
        "x.toml: [[server]] 1: five",
        "x.toml: [[server]] 2: six",
    ]
    assert str(error) == "\n".join(error.problems)


def test_problems_of_a_command_line_keep_their_order() -> None:
    """Which is that of the checks."""
    found = [Problem(ConfigOrigin(), key, key) for key in ("pool", "listen", "auth")]
    assert PlanError(*found).problems == ["pool", "listen", "auth"]


def test_problems_are_noted_with_their_setting() -> None:
    """And with the value that is meant, where there may be several."""
    problems = Problems()
    origin = ConfigOrigin("x.toml", "[[server]] 1", 1)
    problems.note(origin, "listen", " is wrong")
    problems.note(origin, "listen", ": it is wrong", "tcp:1")
    problems.note(origin, "", "say more")
    with problems.noting(origin, "auth", "unix"):
        raise ValueError("not here")
    assert [str(each) for each in problems] == [
        "x.toml: [[server]] 1: listen is wrong",
        "x.toml: [[server]] 1: listen tcp:1: it is wrong",
        "x.toml: [[server]] 1: say more",
        "x.toml: [[server]] 1: auth unix: not here",
    ]


def test_what_a_typo_may_have_caused_is_not_noted() -> None:
    """Only what is wrong by itself is."""
    problems = Problems()
    faulty = ConfigOrigin("x.toml", faulty=True)
    problems.note_mismatch(faulty, "", "something is missing")
    problems.note(faulty, "pool", ": there is no such pool", "x")
    problems.note_mismatch(ConfigOrigin(), "", "nothing goes with nothing")
    assert [each.sentence for each in problems] == [
        "pool x: there is no such pool",
        "nothing goes with nothing",
    ]
