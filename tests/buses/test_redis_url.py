"""Where a Redis is."""

from __future__ import annotations

import pytest

from txremote.buses.redis_url import KEEP, RedisPlace, parse_redis_url


@pytest.mark.parametrize(
    ("url", "place", "named"),
    [
        ("redis://", RedisPlace(), "the Redis at localhost:6379"),
        ("redis://h:7000/3", RedisPlace("h", 7000, database=3), "the Redis at h:7000"),
        ("redis://[::1]?keep=5", RedisPlace("::1", keep=5), "the Redis at [::1]:6379"),
        ("redis://u:p%40ss@h", RedisPlace("h", user="u", password="p@ss"), "the Redis at h:6379"),
        ("redis://:p@h?db=2", RedisPlace("h", password="p", database=2), "the Redis at h:6379"),
        ("unix:///run/r.sock?db=1", RedisPlace("", path="/run/r.sock", database=1),
         "the Redis at /run/r.sock"),
    ],
)  # fmt: skip
def test_a_url_is_taken_apart_and_named_without_its_password(
    url: str, place: RedisPlace, named: str
) -> None:
    found = parse_redis_url(url)
    assert found == place
    assert str(found) == named
    assert "p@ss" not in repr(found)
    assert found.keep in (5, KEEP)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:6379", "not the URL of a Redis"),
        ("http://h", "not the URL of a Redis"),
        ("unix://h/x", "not the URL of a Redis"),
        ("rediss://u:secret@h", "by TLS"),
        ("redis://u:secret@h/x", "the database in the URL .* not 'x'"),
        ("redis://u:secret@h?keep=0", "the keep in the URL"),
        ("redis://u:secret@h?keeep=1", "no option 'keeep': it has db and keep"),
        ("redis://u:secret@h:99999", "the port"),
    ],
)
def test_what_is_none_is_refused_and_no_password_is_shown(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_redis_url(url)
    assert "secret" not in str(caught.value)
