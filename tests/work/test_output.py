"""
What children print and log: in whole records, whatever is printed in between.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given, strategies as st
from twisted.logger import LogLevel, globalLogPublisher

from tests.work import jobs
from tests.work.child_processes import outcome_of, running_pool, until
from txremote.work.output import RecordReader, level_of
from txremote.work.processes import ProcessPool
from txremote.work.records import LONGEST_LINE, RecordStream, RecordWriter

Records = list[dict[str, str]]


class Pipe:
    """Both sides in one process: a writer, and what a reader makes of it."""

    def __init__(self) -> None:
        self.reading, self.descriptor = os.pipe()
        self.writer = RecordWriter(self.descriptor)
        self.records: Records = []
        self.reader = RecordReader("stdout", self.records.append)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        while data := os.read(self.reading, 50_000):
            self.reader.feed(data)
        self.reader.end()

    def end(self) -> Records:
        """Return all records, now that nothing more is written."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None  # type: ignore[assignment]
            self.thread.join()
            os.close(self.reading)
        return self.records


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    found = Pipe()
    yield found
    found.end()


def texts(records: Records) -> list[str]:
    return [record["text"] for record in records]


class TestRecords:
    def test_a_record_arrives_with_the_job_s_name(self, pipe: Pipe) -> None:
        """The parent knows whose line it is."""
        pipe.writer.job = "count"
        pipe.writer.send({"stream": "stdout", "text": "hello"})
        assert pipe.end() == [{"job": "count", "stream": "stdout", "text": "hello"}]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "two\nlines",
            "\x1e{}",
            "\0\x1b[1m",
            "\u2603 \U0001f600",
            "\ud800 alone",
            '"}',
            "{job}",
        ],
    )
    def test_any_text_is_one_record(self, pipe: Pipe, text: str) -> None:
        """Line ends, control characters and half characters are text like any other."""
        pipe.writer.send({"text": text})
        assert texts(pipe.end()) == [text]

    def test_a_long_text_comes_in_pieces(self, pipe: Pipe) -> None:
        """It fills neither the pipe's buffer nor the log's line."""
        text = "".join(chr(0x1F600 + n % 50) for n in range(5 * LONGEST_LINE + 7))
        pipe.writer.send({"text": text, "level": "info"})
        records = pipe.end()
        assert len(records) == 6
        assert "".join(texts(records)) == text
        assert {record["level"] for record in records} == {"info"}

    def test_threads_do_not_mix_their_lines(self, pipe: Pipe) -> None:
        """Each record is whole."""

        def send(who: int) -> None:
            for line in range(200):
                pipe.writer.send({"text": f"{who}" * 500 + f" {line}"})

        threads = [threading.Thread(target=send, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(texts(pipe.end())) == sorted(
            f"{who}" * 500 + f" {line}" for who in range(4) for line in range(200)
        )

    def test_a_parent_that_is_gone(self) -> None:
        """Printing raises nothing then: the process is about to end."""
        reading, writing = os.pipe()
        os.close(reading)
        RecordWriter(writing).send({"text": "is anybody there?"})
        os.close(writing)


class TestStreams:
    def test_lines_become_records(self, pipe: Pipe) -> None:
        """As they are printed, without waiting for more."""
        stream = RecordStream(pipe.writer, "stderr", 2)
        print("one\ntwo", file=stream)
        assert stream.fileno() == 2
        assert stream.writable()
        assert pipe.end() == [
            {"job": "", "stream": "stderr", "text": "one"},
            {"job": "", "stream": "stderr", "text": "two"},
        ]

    def test_a_line_that_was_begun(self, pipe: Pipe) -> None:
        """It is there when the job has ended, and an empty line is one."""
        stream = RecordStream(pipe.writer, "stdout", 1)
        print("Password: ", end="", file=stream)
        assert stream.finish()
        print("", file=stream)
        assert stream.finish()
        assert texts(pipe.end()) == ["Password: ", ""]

    def test_bytes_and_half_characters(self, pipe: Pipe) -> None:
        """Bytes that are no text are shown as well as can be."""
        stream = RecordStream(pipe.writer, "stdout", 1)
        stream.buffer.write(b"caf\xc3\xa9 \xff\n")
        print("lone \udcff", file=stream)
        stream.finish()
        assert texts(pipe.end()) == ["café \ufffd", "lone \\udcff"]

    @pytest.mark.parametrize("do", ["close", "detach"])
    def test_a_stream_that_a_job_has_closed(self, pipe: Pipe, do: str) -> None:
        """It says that it is of no use any more, and the process goes on."""
        stream = RecordStream(pipe.writer, "stdout", 1)
        print("before", file=stream)
        getattr(stream, do)()
        assert not stream.finish()
        assert texts(pipe.end()) == ["before"]

    @given(st.lists(st.text(max_size=30), max_size=20))
    def test_what_goes_in_comes_out(self, texts_: list[str]) -> None:
        """Line by line, whatever the pieces in which it was written."""
        records: Records = []

        class Writer(RecordWriter):
            def send(self, record: dict[str, str]) -> None:
                records.append(record)

        stream = RecordStream(Writer(-1), "stdout", 1)
        for text in texts_:
            stream.write(text)
        stream.finish()
        whole = "".join(texts_).encode("utf-8", "backslashreplace").decode()
        lines = whole.split("\n")
        assert texts(records) == (lines if lines[-1] else lines[:-1])


class TestReading:
    @pytest.mark.parametrize("size", [1, 7, 100_000])
    def test_records_and_raw_lines(self, size: int) -> None:
        """Lines of C code and other programs stand between the records."""
        sent = b'raw\n\x1e{"job": "j", "text": "one"}\nhalf \x1e{"job": "j", "text": "two"}\nrest'
        records: Records = []
        reader = RecordReader("stderr", records.append)
        for start in range(0, len(sent), size):
            reader.feed(sent[start : start + size])
        reader.end()
        assert records == [
            {"stream": "stderr", "text": "raw"},
            {"job": "j", "text": "one"},
            {"stream": "stderr", "text": "half "},
            {"job": "j", "text": "two"},
            {"stream": "stderr", "text": "rest"},
        ]

    @pytest.mark.parametrize(
        "line",
        [b"{", b"[1, 2]", b"{}", b'{"text": 1}', b'{"job": null, "text": "x"}', b"\xff", b""],
    )
    def test_what_only_looks_like_a_record(self, line: bytes) -> None:
        """A job may print whatever it likes: it is text, and harms nobody."""
        records: Records = []
        reader = RecordReader("stdout", records.append)
        reader.feed(b"\x1e" + line + b'\n\x1e{"text": "next"}\n')
        assert [type(record["text"]) for record in records] == [str, str]
        assert records[1] == {"text": "next"}

    def test_a_record_that_was_cut(self) -> None:
        """A job that is ended while it prints: what comes behind is whole."""
        records: Records = []
        reader = RecordReader("stdout", records.append)
        reader.feed(b'\x1e{"job": "j", "text": "onl\x1e{"job": "k", "text": "next"}\n')
        assert records[1] == {"job": "k", "text": "next"}
        assert "onl" in records[0]["text"]

    def test_a_raw_line_without_end(self) -> None:
        """It is logged in pieces, and nothing grows."""
        records: Records = []
        reader = RecordReader("stdout", records.append)
        for _ in range(100):
            reader.feed(b"z" * LONGEST_LINE)
            assert len(reader._rest) < 20 * LONGEST_LINE
        reader.end()
        assert "".join(texts(records)) == "z" * 100 * LONGEST_LINE
        assert max(map(len, texts(records))) == LONGEST_LINE

    def test_the_end_of_nothing(self) -> None:
        """There is no empty last line."""
        records: Records = []
        reader = RecordReader("stdout", records.append)
        reader.feed(b"line\n")
        reader.end()
        assert texts(records) == ["line"]

    @pytest.mark.parametrize(
        ("record", "level"),
        [
            ({"stream": "stdout"}, LogLevel.info),
            ({"stream": "stderr"}, LogLevel.warn),
            ({"level": "debug"}, LogLevel.debug),
            ({"level": "warning"}, LogLevel.warn),
            ({"level": "warn"}, LogLevel.warn),
            ({"level": "error"}, LogLevel.error),
            ({"level": "critical"}, LogLevel.critical),
            ({"level": "notice"}, LogLevel.info),
            ({"level": "level 25"}, LogLevel.info),
            ({}, LogLevel.info),
        ],
    )
    def test_levels(self, record: dict[str, str], level: Any) -> None:
        """Both loggings' levels, and a program's own, have one of Twisted's."""
        assert level_of(record) is level


class Log:
    """The lines of a pool's children in the parent's log."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> None:
        if event.get("log_namespace") == "txremote.job":
            self.events.append(event)

    def of(self, job: str) -> list[str]:
        """Return what was logged of a job."""
        return [event["text"] for event in self.events if event["job"] == job]


@pytest.fixture
def log() -> Iterator[Log]:
    found = Log()
    globalLogPublisher.addObserver(found)
    yield found
    globalLogPublisher.removeObserver(found)


async def said(pool: ProcessPool, log: Log, job: str, function: Any, *args: Any) -> list[str]:
    """Run a job, and another behind it; return what the first one said."""
    await pool.submit(function, args, name=job)
    mark = f"that was {job}"
    await pool.submit(jobs.speak, (mark,), name="mark")
    await pool.submit(jobs.speak, (mark, "stderr"), name="mark")
    await pool.submit(jobs.write_raw, (mark.encode() + b"\n", 2), name="mark")
    await until(lambda: log.of("mark").count(mark) + log.of("a worker process").count(mark) == 3)
    return log.of(job)


@pytest_twisted.ensureDeferred
async def test_what_a_job_says_is_in_the_parent_s_log(log: Log) -> None:
    """print and both loggings, each with the job's name, its level and its process."""
    async with running_pool() as pool:
        child = await pool.submit(jobs.pid)
        assert await said(pool, log, "a", jobs.speak, "hello {braces}") == ["hello {braces}"]
        assert log.events[0]["log_level"] is LogLevel.info
        assert log.events[0]["pid"] == child
        assert log.events[0]["logger"] == "stdout"
        assert await said(pool, log, "b", jobs.speak, "oh no", "stderr") == ["oh no"]
        assert await said(pool, log, "c", jobs.speak_without_end, "no end") == ["no end"]
        (text,) = await said(pool, log, "d", jobs.log, "be careful")
        assert "be careful" in text
        (event,) = [event for event in log.events if event["job"] == "d"]
        assert event["log_level"] is LogLevel.warn
        assert event["logger"] == "jobs.own"
        assert await said(pool, log, "e", jobs.log_to_twisted, "{so}") == ["{so}"]
        (text,) = await said(pool, log, "f", jobs.log_trouble)
        assert "trouble" in text
        assert "LookupError: lost it" in text


@pytest_twisted.ensureDeferred
async def test_what_a_job_s_c_code_and_programs_say(log: Log) -> None:
    """It is in the log as well, and has the name of a job where one runs."""
    async with running_pool() as pool:
        await said(pool, log, "a", jobs.write_raw, b"\x1e[1]\nfrom C\n\x1e{}\n")
        await said(pool, log, "b", jobs.run_program, "from a program")
        everything = [event["text"] for event in log.events]
        for text in ("[1]", "from C", "{}", "from a program", "from a program too"):
            assert text in everything


@pytest_twisted.ensureDeferred
async def test_a_job_that_says_very_much(log: Log) -> None:
    """Huge lines, and lines from many threads, arrive whole; nothing is lost."""
    async with running_pool() as pool:
        line = "-" + "é☃" * (1 << 19)
        assert "".join(await said(pool, log, "a", jobs.speak, line)) == line
        pieces = await said(pool, log, "b", jobs.log, "y" * 500_000)
        assert "".join(pieces).endswith("y" * 500_000)
        lines = await said(pool, log, "c", jobs.speak_in_threads, 4, 100)
        words = " ".join(lines).split()
        assert len(words) == 4 * 100 * 4


@pytest_twisted.ensureDeferred
async def test_a_job_that_spoils_its_output(log: Log) -> None:
    """Closing sys.stdout, or logging what cannot be formatted, harms no other job."""
    async with running_pool() as pool:
        child = await pool.submit(jobs.pid)
        assert await outcome_of(pool.submit(jobs.close_output)) is None
        assert await said(pool, log, "a", jobs.speak, "still here") == ["still here"]
        assert await outcome_of(pool.submit(jobs.log, ("%d", logging.ERROR, "no number"))) is None
        logging.addLevelName(45, "NOTICE")
        assert await said(pool, log, "b", jobs.log, "noticed", 45)
        assert await pool.submit(jobs.pid) == child


@pytest_twisted.ensureDeferred
async def test_only_what_the_parent_would_log_is_sent(log: Log) -> None:
    """The level of the parent's `logging` is the child's."""
    async with running_pool() as pool:
        assert await said(pool, log, "a", jobs.log, "too much detail", logging.DEBUG) == []
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        async with running_pool() as pool:
            (text,) = await said(pool, log, "b", jobs.log, "detail", logging.DEBUG)
            assert "detail" in text
    finally:
        logger.setLevel(before)
