"""
Streams of ours that the peer reads: STREAM asks for one, and is answered when it has ended.

The answer says how many items there were. They go before it, in ITEMS, as many as the reader has
given credit for, in items and in bytes: a message may have somewhat more bytes than are left, or
one long item, and then none follows until there are some again. While the transport has as much as
it wants, none is sent either. So what waits here for a reader that does not read is a message and
no more.

As the request is a call like any other, whatever ends a call ends the stream: CANCEL, by which
a reader leaves its loop, an end of the connection, `CallCut`. Its source is closed then, once,
where it runs.

A plain iterator is asked for items in rising numbers, so that what is slow is not kept for the
rest of a message, and so that one turn of the reactor does not take long. An asynchronous one is
stepped as long as items come without waiting; what has come goes out when one has to be waited for.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from contextvars import Context
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any, Final, NamedTuple

from twisted.internet.defer import CancelledError, Deferred

from txremote.errors import NotSendable
from txremote.gate.threaded import BlockingCall
from txremote.peer.abandoned import step
from txremote.peer.asyncio_steps import deferred_of
from txremote.peer.calling import Serving
from txremote.peer.context import CurrentCall, current
from txremote.peer.item_weights import BYTES, first_full, is_long, weight_of, weight_of_all
from txremote.peer.lasting import NO_CREDIT, NO_ROOM, Lasting, Unlimited
from txremote.peer.lifecycle import CLOSING
from txremote.peer.logging import logger_for
from txremote.peer.variables import own_context
from txremote.refs.netref import is_base_netref
from txremote.refs.outcome import Outcome, can_be_failure
from txremote.refs.reading import Items
from txremote.refs.reference import RemoteReference
from txremote.streams.chunks import FileChunks
from txremote.streams.closing import CloseInTurn
from txremote.streams.source import Stream
from txremote.wire.columns import packed
from txremote.wire.consts import HANDLE_ITEMS
from txremote.wire.long_items import long_items_body
from txremote.wire.messages import request_head
from txremote.wire.naming import class_name, with_article

_log = logger_for("call")

#: Bytes after which a message is full, and the most items of one.
FULL: Final = 48 << 10
#: The same for items that are bytes of some length: to take these in is to copy them.
FULL_OF_BYTES: Final = 512 << 10
MOST_ITEMS: Final = 2048

# Seconds for which items are gathered, and for which a stream goes on in one turn.
_SLICE: Final = 0.002
# An iterator that gave its items in less time is asked for twice as many next.
_QUICK: Final = 0.0002
_MOST_AT_ONCE: Final = 512

_ITEMS: Final = request_head(HANDLE_ITEMS)


class Taken(NamedTuple):
    """
    The items that a source has given.

    Attributes:
        items: In order.
        over: Whether there are no more.
        error: The exception that it raised behind them.
        waits: The steps of the next, where it is to be waited for, and what these wait for.
        weight: About how many bytes a plain iterator's items take.
    """

    items: list[Any]
    over: bool = False
    error: BaseException | None = None
    waits: tuple[Any, object] | None = None
    weight: int = 0


class Source(NamedTuple):
    """
    The iterator behind a stream, and how it is read.

    Attributes:
        iterator: Of the kind that ``is_async`` says.
        blocks: Whether it is read in a thread of its own, for it may wait for somebody.
        chunk: The most items of a message, or None.
        context: Where an asynchronous one has run so far, or None.
    """

    iterator: Any
    is_async: bool
    blocks: bool = False
    chunk: int | None = None
    context: Context | None = None


def serve_stream(
    serving: Serving, obj: Any, number: Any = None, items: Any = None, size: Any = None
) -> Lasting:
    """Begin to send a stream (STREAM)."""
    streams = serving.connection.streams_begun()
    streams.check_new(number, items, size)
    source = _source(serving, obj)
    if type(source.iterator) is FileChunks:
        source.iterator.fit(size)
    outgoing = Outgoing(serving.connection, source, number, items, size)
    streams.outgoing[number] = outgoing
    return Lasting(outgoing.begin)


def _source(serving: Serving, obj: Any) -> Source:
    if is_base_netref(obj):
        obj = obj.____ref__
    if type(obj) is RemoteReference:  # a third peer's: what is read there is sent on
        if obj._connection is serving.connection:
            raise TypeError("the object is yours, not mine")
        return Source(Items(obj, keeps=True), is_async=True)
    serving.policy.check_reference(obj)
    if type(obj) is not Stream:
        name = with_article(class_name(type(obj)))
        raise TypeError(f"{name} is no stream, which stream() or an annotation makes: iterate it")
    serving.policy.get(obj, "__anext__" if obj.is_async else "__next__")
    export = serving.tables.exports.of(obj)
    context = None if export is None else export.context
    return Source(obj.take(), obj.is_async, obj.blocks, obj.chunk, context)


class Outgoing:
    """
    One stream of ours, from its STREAM to its answer. For the connection's own context.

    Args:
        connection: The reader's.
        source: Its items, and how they are to be read.
        number: Which the reader has given it.
        items: How many it may be sent, until it says more.
        size: Likewise, in bytes.
    """

    def __init__(self, connection: Any, source: Source, number: int, items: int, size: int) -> None:
        self._connection = connection
        self._source = source
        self._number = number
        self._items = items
        self._size = size
        self._most = MOST_ITEMS if source.chunk is None else min(source.chunk, MOST_ITEMS)
        self._at_once = 1
        self._each = 1  # the bytes of an item, about, as those were that came last
        self._fit = MOST_ITEMS  # so many made a message that was not too long
        self._long = False  # whether they were bytes of some length
        self._sent = 0
        self._sent_size = 0
        self._ended = False  # whether the source has no more, or has raised
        self._left = False  # whether the reader has
        self._waiting: Deferred[None] | None = None
        self._running: Deferred[object] | None = None
        self._late = ""
        self._turn = CloseInTurn()  # of a plain iterator
        self._waits = False  # whether an item of an asynchronous source has to be waited for
        self._call = CurrentCall(connection)  # of its steps: nothing limits all of them together

    def begin(self) -> Unlimited:
        """Begin to send; return the Deferred of the answer."""
        answer = Unlimited(lambda _answer: self._leave())
        answer.flow = self
        self._connection.inbound.ledger.make_room(1)
        running = self._running = deferred_of(self._run())
        running.addBoth(lambda result: None if answer.called else answer.callback(result))
        return answer

    def _leave(self) -> None:
        self._left = True
        if self._running is not None:
            self._running.cancel()

    # -- for those who look at it (`txremote.peer.lasting.Flow`)

    @property
    def items_sent(self) -> int:
        """How many items have been sent."""
        return self._sent

    @property
    def bytes_sent(self) -> int:
        """How many bytes those were."""
        return self._sent_size

    @property
    def waits_for(self) -> str:
        """Why nothing is sent, or "": its source is asked for more only when more can be sent."""
        if self._waiting is None:
            return ""
        return NO_CREDIT if self._items <= 0 or self._size <= 0 else NO_ROOM

    # -- credit

    def allow(self, items: int, size: int) -> None:
        """Add credit: the reader has taken so much."""
        self._items += items
        self._size += size
        self.go_on()

    def go_on(self) -> None:
        """Go on to send, if that is possible by now."""
        waiting = self._waiting
        if waiting is None:
            return
        if self._may_send():
            self._waiting = None
            waiting.callback(None)
        elif self._connection.outbox.full:  # it may have waited for credit alone until now
            self._connection.streams.when_drained(self)

    def _may_send(self) -> bool:
        return self._items > 0 and self._size > 0 and not self._connection.outbox.full

    async def _room(self) -> None:
        """Wait until something may be sent. CancelledError: nothing would arrive any more."""
        if self._left or self._connection.state >= CLOSING:
            raise CancelledError
        while not self._may_send():
            self._waiting = Deferred()
            if self._connection.outbox.full:
                self._connection.streams.when_drained(self)
            try:
                await self._waiting
            finally:
                self._waiting = None

    async def _next_turn(self, began: float) -> float:
        """Let others have their turn when this one has taken long; return when it began."""
        if perf_counter() - began < _SLICE:
            return began
        waiting: Deferred[None] = Deferred()
        later = self._connection.executor.driver.call_later(0, lambda: waiting.callback(None))
        if later is not None:
            try:
                await waiting
            except CancelledError:
                later()
                raise
        return perf_counter()

    # -- sending

    def _full(self) -> int:
        """Return how many bytes of items make a message full."""
        return min(FULL_OF_BYTES if self._long else FULL, self._size)

    async def _send_all(self, items: list[Any], weight: int) -> None:
        """Send items of some weight, in as many messages as they make."""
        while items:
            full = self._full()
            most = min(len(items), self._fit)
            if most > 1 and weight > 2 * full:  # they have become longer
                most = min(most, first_full(items, full))
            sent = self._send(items[:most])
            if sent < most:
                self._fit = sent
            elif sent == self._fit:
                self._fit += 1 + self._fit // 8
            items = items[sent:]
            if items:
                weight = weight_of_all(items)
                await self._room()

    def _send(self, items: list[Any]) -> int:
        """
        Send items in one message: the first of them, where one of the others cannot be sent, or
        where all are longer than their weight says. Return how many.
        """
        connection = self._connection
        if connection.state >= CLOSING:
            return len(items)
        has_bytes = self._long and set(map(type, items)) == BYTES
        try:
            body = long_items_body(self._number, items) if has_bytes else self._boxed(items)
            size = sum(map(len, body))
            if len(items) > 1 and size > 2 * self._full():
                raise NotSendable(f"{len(items)} items of {size} bytes in one message")
            size = connection.outbox.sized_request(connection.outbound.pending.skip(), body)
        except NotSendable:
            if not has_bytes:
                connection.tables.take_back()
            if len(items) == 1:
                raise
            return self._send(items[: len(items) // 2])
        self._items -= len(items)
        self._size -= size
        self._sent += len(items)
        self._sent_size += size
        return len(items)

    def _boxed(self, items: list[Any]) -> list[bytes]:
        """Return the chunks of a message, behind its number. Raises NotSendable."""
        body = [_ITEMS]
        columns = packed(items)
        if columns is None:
            self._connection.tables.box(body, (self._number, tuple(items)))
        else:
            self._connection.tables.box(body, (self._number, len(items), columns))
        return body

    async def _run(self) -> object:
        """Send all items, and return how many."""
        source = self._source
        context = own_context() if source.context is None else source.context
        try:
            if source.is_async:
                await self._push_later(source.iterator, context)
            else:
                await self._push(source.iterator)
            return self._sent
        except BaseException as error:
            if self._late:
                raise TimeoutError(self._late) from None
            if not can_be_failure(error):
                return Outcome(False, error)
            raise
        finally:
            self._connection.streams.ended(self._number, self)
            self._connection.inbound.ledger.make_room(-1)
            if not self._ended:
                self._close(context)

    # -- a plain iterator

    async def _push(self, source: Any) -> None:
        began = perf_counter()
        while True:
            await self._room()
            stepping = self._step(partial(self._take, source))
            if isinstance(stepping, Deferred):
                stepping = await self._in_time(stepping)
            if type(stepping) is Outcome:  # of a thread
                stepping = stepping.value
            await self._send_all(stepping.items, stepping.weight)
            if stepping.over:
                self._ended = True
                if stepping.error is not None:
                    raise stepping.error
                return
            began = await self._next_turn(began)

    def _step(self, function: Callable[[], object]) -> Any:
        executor = self._connection.executor
        if self._source.blocks:
            return executor.in_thread(self._connection, BlockingCall(function))
        return executor.step(self._connection, function)

    def _take(self, source: Any) -> Taken:
        """Take what a plain iterator gives, unless it is being closed. Where its code runs."""
        return self._turn.step(partial(self._taken, source)) or Taken([], True)

    def _taken(self, source: Any) -> Taken:
        items: list[Any] = []
        token = current.set(self._call)
        most = min(self._most, self._items, self._fit)
        weight = 0
        began = then = perf_counter()
        try:
            while len(items) < most and weight < (full := self._full()) and then - began < _SLICE:
                had = len(items)
                asked = min(self._at_once, most - had, 1 + (full - weight) // self._each)
                items.extend(islice(source, asked))
                added = weight_of_all(items[had:] if had else items)
                weight += added
                if len(items) - had < asked:
                    return Taken(items, True, weight=weight)
                now = perf_counter()
                if now - then < _QUICK:
                    self._at_once = min(2 * self._at_once, _MOST_AT_ONCE)
                else:
                    self._at_once = max(1, self._at_once // 4)
                then = now
                self._each = 1 + added // asked
                self._long = is_long(items[-1])
            return Taken(items, weight=weight)
        except BaseException as error:  # it is the peer's to see, whatever it is
            return Taken(items, True, error, weight=weight_of_all(items))
        finally:
            current.reset(token)

    # -- an asynchronous one

    async def _push_later(self, source: Any, context: Context) -> None:
        began = perf_counter()
        context.run(current.set, self._call)
        items: list[Any] = []
        while True:
            await self._room()
            taken = context.run(self._take_ready, source, items, context)
            self._long = bool(taken.items) and is_long(taken.items[-1])
            try:
                await self._send_all(taken.items, 0)
            except (NotSendable, CancelledError):
                if taken.waits is not None:
                    self._ended = True  # it is closed here, within what it waits for
                    await _given_up(taken.waits[0], context)
                raise
            items.clear()
            if taken.over:
                self._ended = True
                if taken.error is not None:
                    raise taken.error
                return
            if taken.waits is None:
                began = await self._next_turn(began)
                continue
            if await self._waited(*taken.waits, context):
                self._ended = True
                return
            began = perf_counter()

    def _take_ready(self, source: Any, items: list[Any], context: Context) -> Taken:
        """Take what an asynchronous iterator gives without waiting, behind what is there."""
        steps = self._gather(source, items, context)
        self._waits = False
        try:
            yielded = steps.send(None)
        except StopIteration as found:
            return Taken(items, found.value)
        except BaseException as error:
            return Taken(items, True, error)
        self._waits = True
        ready = items.copy()
        items.clear()
        return Taken(ready, waits=(steps, yielded))

    async def _gather(self, source: Any, items: list[Any], context: Context) -> bool:
        """
        Add items to a list until a message is full, or until one that had to be waited for, which
        may have taken long. Return whether that was the end. One coroutine for all of them.
        """
        most = min(self._most, self._items, self._fit)
        full = self._full()
        weight = weight_of_all(items)
        until = perf_counter() + _SLICE
        advance: Callable[[], Any] = source.__anext__
        following = advance
        if not self._sent and not items:  # it may begin, and is to be closed in this context
            advance = partial(step, self._connection.executor, advance, context=context)
        while len(items) < most and weight < full and perf_counter() < until:
            try:
                item = await advance()
            except StopAsyncIteration:
                return True
            items.append(item)
            if self._waits:
                break
            kind = type(item)
            weight += 8 if kind is int or kind is float else weight_of(item)
            advance = following
        return False

    async def _waited(self, steps: Any, yielded: object, context: Context) -> bool:
        """Wait for an item, which is added to the list of its steps; return whether it was none."""
        timer = self._limit()
        try:
            return await _rest(steps, yielded, context)
        except BaseException:
            self._ended = not self._left
            raise
        finally:
            if timer is not None:
                timer()

    # -- limits and the end

    async def _in_time(self, stepping: Deferred[Any]) -> Any:
        timer = self._limit()
        try:
            return await stepping
        finally:
            if timer is not None:
                timer()

    def _limit(self) -> Callable[[], None] | None:
        """Have a step take ``call_timeout`` at most; return what takes that back."""
        connection = self._connection
        seconds = connection.config.call_timeout
        if seconds is None:
            return None

        def give_up() -> None:
            self._late = f"a stream's item took more than {seconds:g} s (option call_timeout)"
            self._leave()

        found: Callable[[], None] | None = connection.executor.driver.call_later(seconds, give_up)
        return found

    def _close(self, context: Context) -> None:
        """Close a source that has more, where it runs."""
        source = self._source.iterator
        if self._source.is_async:
            if callable(getattr(source, "aclose", None)):
                executor = self._connection.executor
                executor.closings.begin(source, executor, context)
            return
        close = getattr(source, "close", None)
        if callable(close):
            closed = partial(_closed, close)
            if not self._source.blocks:  # else its thread may wait for long, and is to be woken
                closed = partial(self._turn.close, closed)
            closing = self._step(closed)
            if isinstance(closing, Deferred):
                closing.addErrback(lambda _failure: None)


def _closed(close: Callable[[], object]) -> None:
    try:
        close()
    except Exception:  # it is the service's own
        _log.failure("a stream, which its reader has left, did not close well")


@types.coroutine
def _rest(steps: Any, yielded: object, context: Context) -> Generator[object, Any, bool]:
    """Go on with what has begun, and has yielded something."""
    try:
        while True:
            try:
                value = yield yielded
            except BaseException as error:
                yielded = context.run(steps.throw, error)
            else:
                yielded = context.run(steps.send, value)
    except StopIteration as found:
        return bool(found.value)


async def _given_up(steps: Any, context: Context) -> None:
    """End the step of an asynchronous generator that waits for something."""
    try:
        yielded = context.run(steps.throw, CancelledError())
        await _rest(steps, yielded, context)
    except (StopIteration, StopAsyncIteration, CancelledError):
        return
    except Exception:  # it is the service's own
        _log.failure("a stream, which its reader has left, did not close well")
