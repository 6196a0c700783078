"""Events kept in a real Redis: what it is asked, and what anybody may have put there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_twisted

from tests.buses.redis_server import RedisServer, needs_redis
from txremote.buses import redis_store
from txremote.buses.ports import LONGEST, MOST_RETAINED, START, Given, Refused, Store, Unreachable
from txremote.buses.redis_reactor import TxRedisOpener
from txremote.buses.redis_store import hash_of, id_of, stream_of
from txremote.buses.redis_url import parse_redis_url
from txremote.topics.filters import LONGEST_KEY

pytestmark = needs_redis


@asynccontextmanager
async def a_store(redis: RedisServer, woken: list[str] | None = None) -> AsyncIterator[Store]:
    from twisted.internet import reactor

    redis.ask("FLUSHALL")
    opener = TxRedisOpener(reactor, parse_redis_url(f"{redis.url}?keep=100"))
    store = await opener.open((woken if woken is not None else []).append, lambda _why: None)
    try:
        yield store
    finally:
        store.close()


def given(data: bytes, key: bytes | None = None, first: Any = None) -> Given:
    return Given(data, key, first)


@pytest_twisted.ensureDeferred
async def test_events_are_read_in_order_as_they_were_written(redis: RedisServer) -> None:
    """Whatever they look like: txredisapi takes some texts for numbers."""
    woken: list[str] = []
    looks = [b"007", b"1_000", b"1.10", b"", b"\r\n$5\r\n", b"\0\xff", b"+inf", b"a b\nc"]
    async with a_store(redis, woken) as store:
        joined = await store.join("t{}:*", None)
        assert (joined.oldest, joined.newest, joined.known) == (START, START, False)
        first = await store.publish("t{}:*", [given(looks[0])])
        last = await store.publish("t{}:*", [given(data) for data in looks[1:]])
        assert joined.since <= first < last
        found = await store.read([("other", START), ("t{}:*", first)])
        assert [(entry.topic, entry.data) for entry in found.entries] == [
            (1, data) for data in looks[1:]
        ]
        assert [entry.size for entry in found.entries] == [len(data) for data in looks[1:]]
        assert found.entries[-1].id == last
        assert (await store.read([("t{}:*", last)])).entries == []
        again = await store.join("t{}:*", last)
        assert (again.oldest, again.newest, again.known) == (first, last, True)
        assert again.since > last
        while "t{}:*" not in woken:
            await store.read([("t{}:*", last)])


@pytest_twisted.ensureDeferred
async def test_the_last_of_each_key_is_kept_and_an_older_one_takes_no_newer_ones_place(
    redis: RedisServer,
) -> None:
    async with a_store(redis) as store:
        await store.publish("t", [given(b"a1", b".a"), given(b"n", b"="), given(b"a2", b".a")])
        last = await store.publish("t", [given(b"1.10", b".007")])
        older = (last[0] - 10_000, 0)
        await store.publish("t", [given(b"old", b".a", older), given(b"c", b".c", older)])
        found = await store.retained("t", b"")
        assert [(entry.key, entry.data) for entry in found] == [
            *((b".007", b"1.10"), (b".a", b"a2"), (b".c", b"c"), (b"=", b"n"))
        ]
        assert found[0].id == last
        assert found[2].id == older
        assert await store.retained("t", b"=") == await store.retained("u", b"") == []
        newer = (last[0] + 10_000, 0)
        await store.publish("t", [given(b"a3", b".a", newer)])
        assert (await store.retained("t", b".007"))[0].data == b"a3"


@pytest_twisted.ensureDeferred
async def test_what_is_kept_is_bounded(redis: RedisServer) -> None:
    async with a_store(redis) as store:
        for _ in range(10):
            await store.publish("t", [given(b"x", b"%d" % n) for n in range(200)])
        assert 100 <= int(redis.ask("XLEN", stream_of("t"))) <= 300
        await store.publish("t", [given(b"x", b"k%d" % n) for n in range(MOST_RETAINED)])
        assert int(redis.ask("HLEN", hash_of("t"))) == MOST_RETAINED
        assert 0 < int(redis.ask("TTL", stream_of("t"))) <= redis_store.FORGET_AFTER


@pytest_twisted.ensureDeferred
async def test_much_is_read_and_fetched_in_parts(redis: RedisServer) -> None:
    """An answer is bounded, and has one event at least."""
    async with a_store(redis) as store:
        datas = [bytes([number]) * (400 << 10) for number in range(8)]
        for number, data in enumerate(datas):
            await store.publish("t", [given(data, b"%d" % number)])
        at, found, rounds = START, [], 0
        while entries := (await store.read([("t", at)])).entries:
            found += entries
            at, rounds = entries[-1].id, rounds + 1
        assert [entry.data for entry in found] == datas
        assert rounds == 4
        after, kept, rounds = b"", [], 0
        while some := await store.retained("t", after):
            kept += some
            after, rounds = some[-1].key, rounds + 1
        assert [entry.data for entry in kept] == datas
        assert rounds == 4


@pytest_twisted.ensureDeferred
async def test_an_entry_that_is_too_long_is_not_read(redis: RedisServer) -> None:
    """It is one event that is not there; what is around it is."""
    async with a_store(redis) as store:
        await store.publish("t", [given(b"before")])
        redis.say("XADD", stream_of("t"), "*", "e", last=bytes(LONGEST + 1))
        redis.say("HSET", hash_of("t"), "k", last=b"5-0 " + bytes(LONGEST + 1))
        redis.say("HSET", hash_of("t"), "l", last=bytes(4 * LONGEST))
        redis.say("HSET", hash_of("t"), "m", last=b"no id at all")
        await store.publish("t", [given(b"after", b"z")])
        longest = "\N{GRINNING FACE}".encode() * LONGEST_KEY
        await store.publish("t", [given(b"longest", b"." + longest)])
        at, found = START, []
        while entries := (await store.read([("t", at)])).entries:
            found += entries
            at = entries[-1].id
        assert [(entry.data, entry.size) for entry in found] == [
            *((b"before", 6), (None, LONGEST + 1), (b"after", 5), (b"longest", 7))
        ]
        kept = await store.retained("t", b"")
        assert [(entry.key, entry.data) for entry in kept] == [
            *((b"." + longest, b"longest"), (b"k", None), (b"z", b"after"))
        ]


@pytest_twisted.ensureDeferred
async def test_entries_of_other_shapes_are_entries_all_the_same(redis: RedisServer) -> None:
    async with a_store(redis) as store:
        redis.ask("XADD", stream_of("t"), "*", "one", "1", "two", "2")
        found = await store.read([("t", START)])
        assert [entry.data for entry in found.entries] == [b"1"]


@pytest_twisted.ensureDeferred
async def test_keys_of_another_kind_are_refused_for_their_topic_alone(redis: RedisServer) -> None:
    async with a_store(redis) as store:
        await store.publish("good", [given(b"x")])
        redis.ask("SET", stream_of("bad"), "x")
        for asked in (
            store.join("bad", None),
            store.join("bad", (5, 0)),
            store.publish("bad", [given(b"x")]),
        ):
            with pytest.raises(Refused, match="WRONGTYPE"):
                await asked
        found = await store.read([("bad", START), ("good", START)])
        assert [entry.data for entry in found.entries] == [b"x"]
        [(number, why)] = found.refused
        assert number == 0
        assert "WRONGTYPE" in why
        many = [word for n in range(2 * MOST_RETAINED + 1) for word in (str(n), "x")]
        redis.ask("HSET", hash_of("many"), *many)
        with pytest.raises(Refused, match=r"too many keys: DEL txremote:\{many\}:last"):
            await store.retained("many", b"")


@pytest_twisted.ensureDeferred
async def test_a_stream_that_began_anew_is_told(redis: RedisServer) -> None:
    async with a_store(redis) as store:
        last = await store.publish("t", [given(b"x")])
        later = (last[0] + 10**6, 0)
        found = await store.read([("t", later), ("gone", later), ("t", last)])
        assert (found.entries, found.begun_anew) == ([], {0})
        assert not (await store.join("t", later)).known


@pytest.mark.parametrize("answer", [7, None, b"x", b"1 2\n", b"1 5-0 9\nx", b"1 5-0 2\n7xy", b"9"])
def test_an_answer_that_is_none_of_a_redis_ends_the_connection(answer: Any) -> None:
    """Of something else that listens there."""
    with pytest.raises(Unreachable, match="what a Redis does not"):
        redis_store._reading(redis_store._bytes(answer), 1)


@pytest.mark.parametrize("text", [b"", b"5", b"-5", b"5-", b"a-1", b"1" * 50 + b"-1"])
def test_an_id_is_two_numbers(text: bytes) -> None:
    with pytest.raises(Unreachable):
        id_of(text)
