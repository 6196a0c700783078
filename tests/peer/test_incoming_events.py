"""
Events of a peer's topic that are read here: credit, and peers that break the rules.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.peer.test_event_flows import Reader, published
from txremote import RemoteProtocolError
from txremote.peer import incoming_events
from txremote.peer.references import Promised
from txremote.topics.topic import Topic
from txremote.wire.consts import HANDLE_EVENTS


def opened(monkeypatch: pytest.MonkeyPatch, **limits: int) -> tuple[Topic, Reader, int]:
    """Return a topic, a reader of it that has got one event, and its channel."""
    for name, limit in limits.items():
        monkeypatch.setattr(incoming_events, name, limit)
    topic = Topic()
    reader = Reader(topic)
    published(topic, [reader], 0)
    assert reader.events == [0]
    return topic, reader, topic.channel(0)


def test_credit_is_given_for_what_a_loop_has_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, reader, _channel = opened(monkeypatch, MOST_EVENTS=10)
    published(topic, [reader], *range(1, 10))
    published(topic, [reader], *range(10, 19))
    published(topic, [reader], *range(19, 25))
    assert reader.events == list(range(25))
    assert topic.stats().dropped == 0


def test_credit_is_given_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, reader, _channel = opened(monkeypatch, MOST_BYTES=1000)
    for _ in range(20):
        published(topic, [reader], b"x" * 700)
    assert len(reader.events) == 21
    assert topic.stats().buffered == 0


@pytest.mark.parametrize("limits", [{"MOST_EVENTS": 3}, {"MOST_BYTES": 60}])
def test_more_than_the_credit_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch, limits: Any
) -> None:
    topic, reader, _channel = opened(monkeypatch, **limits)
    pair = reader.pair
    pair.client.open_stream(pair.result(pair.client.root.topic.subscribe()), False)
    pair.pump()
    for number in range(5):
        event = ("x" * 20, number)
        pair.server.outbound.send_oneway(HANDLE_EVENTS, topic.channel(1), None, event)
    pair.pump()
    assert pair.client.closed
    limit = next(iter(limits.values()))
    assert f"{limit}" in str(pair.client.why_ended)
    assert "with credit for" in str(pair.client.why_ended)


def test_a_peer_that_tells_one_channel_after_another_fills_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic, reader, channel = opened(monkeypatch)
    for another in (*range(1 << 40, (1 << 40) + 50), channel):
        reader.pair.server.outbound.send_oneway(HANDLE_EVENTS, another, 0)
    published(topic, [reader], 1)
    assert reader.events == [0, 1]
    assert len(reader.pair.client.subscriptions._by_channel) == 1


@pytest.mark.parametrize(
    "args", [(), (0,), ("x", None, 1), (None, None, 1), (999, None, 1), (999, 7), (1, "x")]
)
def test_what_is_no_event_of_a_subscription_is_dropped(
    monkeypatch: pytest.MonkeyPatch, args: Any
) -> None:
    topic, reader, _channel = opened(monkeypatch)
    reader.pair.server.outbound.send_oneway(HANDLE_EVENTS, *args)
    published(topic, [reader], 1)
    assert reader.events == [0, 1]


def test_an_event_that_is_too_long_for_its_reader_fails_the_loop_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic, reader, _channel = opened(monkeypatch)
    reader.pair.client.receiver.allow(reader.pair.client.config.limits.for_strangers())
    published(topic, [reader], b"x" * 200_000)
    assert isinstance(reader.outcome.error, RemoteProtocolError)
    assert "max_frame" in str(reader.outcome.error)
    assert not reader.pair.client.closed
    assert topic.stats().subscribers == 0


def test_an_event_that_is_the_result_of_a_call_fails_the_loop_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _topic, reader, channel = opened(monkeypatch)
    reader.pair.server.outbound.send_oneway(HANDLE_EVENTS, channel, None, Promised(1))
    reader.pair.pump()
    assert "which only calls do" in str(reader.outcome.error)
    assert reader.events == [0]
    assert not reader.pair.client.closed


def test_missed_events_are_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[Any] = []
    monkeypatch.setattr(incoming_events._log, "warn", lambda text, **fields: logged.append(fields))
    _topic, reader, channel = opened(monkeypatch)
    for count in (3, 4):
        reader.pair.server.outbound.send_oneway(HANDLE_EVENTS, channel, count, "slow\x1b", None)
    reader.pair.pump()
    assert len(logged) == 1
    assert logged[0]["count"] == 3
    assert "\x1b" not in logged[0]["why"]
