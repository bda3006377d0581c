"""The log: its line, what peers cannot do to it, and that it never waits."""

import io
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from sylk.log import (
    LINE_LIMIT,
    ApplicationLogger,
    LoggingCall,
    application_log_level,
    configure_logging,
    escape,
    log_level,
    set_application_log_level,
    set_log_level,
)

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Z ]{8}.{10}  (.*)")


def logged(act: Callable[[logging.Logger], object], level: str = "info") -> list[str]:
    """Return the lines that `act` leaves in the log."""
    stream = io.StringIO()
    with configure_logging(level, stream):
        act(logging.getLogger("sylk.test"))
    text = stream.getvalue()
    assert text == "" or text.endswith("\n")
    return text.split("\n")[:-1]


def test_a_line_is_time_level_prefix_and_text() -> None:
    (line,) = logged(lambda log: log.info("listening on %s", "192.0.2.1"))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO    sylk        listening on 192\.0\.2\.1", line
    )


def test_an_application_has_its_name_before_its_lines() -> None:
    (line,) = logged(lambda _: ApplicationLogger("conference").warning("%s is full", "lobby"))
    assert line.endswith(" WARNING conference  lobby is full")


def test_an_application_keeps_what_its_author_adds() -> None:
    seen: list[logging.LogRecord] = []
    log = ApplicationLogger("echo")
    log.logger.addFilter(lambda record: not seen.append(record))
    logged(lambda _: log.info("text", extra={"room": "lobby"}))
    log.logger.filters.clear()
    assert vars(seen[0])["room"] == "lobby"


def test_lines_under_the_level_are_left_out() -> None:
    def act(log: logging.Logger) -> None:
        log.debug("one")
        log.info("two")
        log.error("three")

    assert [LINE.fullmatch(line) is not None for line in logged(act, "debug")] == [True] * 3
    assert len(logged(act, "warning")) == 1


def test_the_level_can_change_meanwhile() -> None:
    def act(logger: logging.Logger) -> None:
        logger.info("first")
        set_log_level("debug")
        logger.debug("second")
        set_log_level("error")
        logger.warning("third")

    before = logging.getLogger().level
    assert [line.rpartition(" ")[2] for line in logged(act)] == ["first", "second"]
    assert logging.getLogger().level == before


def test_a_line_inside_a_call_has_its_call_id() -> None:
    def act(log: logging.Logger) -> None:
        with LoggingCall("f81d4fae@host"):
            log.info("ringing")
        log.info("idle")

    first, second = logged(act)
    assert first.endswith("  [f81d4fae@host] ringing")
    assert second.endswith("  idle")


def test_a_long_call_id_does_not_push_the_line_out() -> None:
    def act(log: logging.Logger) -> None:
        with LoggingCall("x" * 2 * LINE_LIMIT):
            log.info("ringing")

    (line,) = logged(act)
    assert line.endswith("x] ringing")
    assert len(line) < 500


async def test_a_task_begun_inside_a_call_has_its_call_id_too() -> None:
    stream = io.StringIO()

    async def child(name: str) -> None:
        await trio.lowlevel.checkpoint()
        logging.getLogger("sylk.test").info("from %s", name)

    with configure_logging("info", stream):
        async with trio.open_nursery() as nursery:
            for call_id in ("a@host", "b@host"):
                with LoggingCall(call_id):
                    nursery.start_soon(child, call_id)
    texts = sorted(line[-22:] for line in stream.getvalue().splitlines())
    assert texts == ["[a@host] from a@host".rjust(22), "[b@host] from b@host".rjust(22)]


@given(text=st.text())
def test_no_argument_can_begin_a_line(text: str) -> None:
    def act(log: logging.Logger) -> None:
        with LoggingCall(text):
            log.info("nickname %s of %r", text, text)
            log.info(text)

    lines = logged(act)
    assert len(lines) == 2
    for line in lines:
        assert LINE.fullmatch(line)
        assert line.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", line)
        assert line.splitlines() == [line]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("a\u2028b", "a\\u2028b"),
        (b"\xffabc".decode("utf-8", "surrogateescape"), "\\xffabc"),
        ("\ud800", "\\ud800"),
        ("Grüße 日本 🎉", "Grüße 日本 🎉"),
    ],
)
def test_what_could_forge_or_steer_is_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_a_traceback_stands_behind_a_bar() -> None:
    def act(log: logging.Logger) -> None:
        try:
            raise ValueError("x\n2026-11-21 07:35:47.123 INFO    sylk        forged\r\x1b[2J")
        except ValueError:
            log.exception("failed")

    first, *rest = logged(act)
    assert first.endswith("  failed")
    assert rest
    assert all(line.startswith("    | ") for line in rest)
    assert rest[-1] == "    | 2026-11-21 07:35:47.123 INFO    sylk        forged\\x0d\\x1b[2J"


def test_a_stack_stands_behind_a_bar() -> None:
    first, *rest = logged(lambda log: log.info("here", stack_info=True))
    assert first.endswith("  here")
    assert rest[0].startswith("    | Stack")


def test_a_very_long_text_is_cut() -> None:
    (line,) = logged(lambda log: log.info("x" * (LINE_LIMIT + 500)))
    assert line.endswith("x… (500 characters more)")
    assert len(line) < LINE_LIMIT + 100


def test_logging_is_as_before_afterwards() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    logged(lambda log: log.info("text"), "debug")
    assert (root.level, list(root.handlers)) == before


class HeldStream(io.StringIO):
    """A disk that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.let_go = threading.Event()
        self.written = threading.Semaphore(0)

    def write(self, text: str, /) -> int:
        self.reached.set()
        self.let_go.wait()
        count = super().write(text)
        self.written.release()
        return count


def test_a_slow_disk_holds_nobody_and_what_is_lost_is_counted() -> None:
    stream = HeldStream()
    log = logging.getLogger("sylk.test")
    with configure_logging("info", stream, queue_limit=10):
        log.info("first")
        stream.reached.wait()
        # The writer holds "first": ten more fit, and nothing waits for the five that do not.
        for number in range(15):
            log.info("line %d", number)
        stream.let_go.set()
        for _ in range(11):
            assert stream.written.acquire(timeout=10)
        log.info("last")
    texts = [line[44:] for line in stream.getvalue().splitlines()]
    assert texts == [
        "first",
        *(f"line {number}" for number in range(10)),
        "5 lines before this one were lost: the log is written too slowly",
        "last",
    ]


class FullOnce(io.StringIO):
    """A disk that is full for the first line."""

    failed = False

    def write(self, text: str, /) -> int:
        if not self.failed:
            self.failed = True
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_disk_that_was_full_is_written_to_again() -> None:
    stream = FullOnce()
    with configure_logging("info", stream):
        logging.getLogger("sylk.test").info("first")
        logging.getLogger("sylk.test").info("second")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("second")


def test_a_stream_without_unicode_gets_escapes() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with configure_logging("info", stream):
        logging.getLogger("sylk.test").info("Grüße")
    assert raw.getvalue().endswith(b"  Gr\\xfc\\xdfe\n")


WRONG_FORMAT = """
import logging, sys
from sylk.log import configure_logging
with configure_logging("info", sys.stdout):
    logging.info("%d", "no number")
    logging.info("next")
"""


def test_a_wrong_format_string_is_shown_and_logging_goes_on() -> None:
    # A process of its own, because pytest's log capture raises for a wrong format string.
    run = subprocess.run([sys.executable, "-c", WRONG_FORMAT], capture_output=True, text=True)
    (line,) = run.stdout.splitlines()
    assert line.endswith("  next")
    assert "--- Logging error ---" in run.stderr


def test_json_is_one_object_a_line_with_all_that_a_line_has() -> None:
    stream = io.StringIO()
    with configure_logging("info", stream, log_format="json"), LoggingCall("abc@host"):
        ApplicationLogger("conference").info("%s joined\n\x1b[2J", "alice")
        try:
            raise ValueError("bad\nday")
        except ValueError:
            logging.getLogger("sylk.test").exception("failed")
        logging.getLogger("sylk.test").info("x" * (LINE_LIMIT + 5))
    joined, failed, long = map(json.loads, stream.getvalue().splitlines())
    assert joined["source"] == "conference"
    assert joined["call_id"] == "abc@host"
    assert joined["message"] == "alice joined\n\x1b[2J"
    assert datetime.fromisoformat(joined["time"]).utcoffset() == timedelta(0)
    assert failed["level"] == "error"
    assert "ValueError: bad\nday" in failed["exception"]
    assert (len(long["message"]), long["cut"]) == (LINE_LIMIT, 5)
    assert stream.getvalue().isascii()


def test_one_application_can_have_a_level_of_its_own() -> None:
    stream = io.StringIO()
    one, other = ApplicationLogger("one"), ApplicationLogger("other")
    with configure_logging("warning", stream):
        set_application_log_level("one", "debug")
        assert application_log_level("one") == "debug"
        assert application_log_level("other") is None
        assert log_level() == "warning"
        one.debug("of one")
        other.debug("of the other")
        set_application_log_level("one", None)
        one.info("quiet again")
    assert stream.getvalue().count("\n") == 1
    assert "of one" in stream.getvalue()


def test_a_worker_stands_behind_the_source() -> None:
    stream = io.StringIO()
    with configure_logging("info", stream, worker=2):
        logging.getLogger("sylk.test").info("here")
        ApplicationLogger("conference").info("there")
    first, second = stream.getvalue().splitlines()
    assert " sylk/2      here" in first
    assert " conference/2  there" in second


def test_a_worker_has_its_number_in_json() -> None:
    stream = io.StringIO()
    with configure_logging("info", stream, log_format="json", worker=0):
        logging.getLogger("sylk.test").info("here")
    assert json.loads(stream.getvalue())["worker"] == 0
