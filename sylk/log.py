"""The log: one line for each thing that happened, which no peer can forge and no disk can hold up.

    2026-11-21 07:35:47.123 INFO    conference  [f81d4fae@host] alice joined lobby

Where several workers are one server, the source says which one it was: `conference/1`.

A line is formatted where it is logged, put into a bounded queue, and written by a thread of its
own, so a slow disk never holds the server's loop. When the queue is full, lines are dropped and
counted, and the count is logged as soon as there is room.

Much of what is logged comes from peers: names, Call-IDs, error texts. Every character that could
begin a new line, drive a terminal, or turn the order of the text is therefore written as an escape
when the line is made, whoever logged it. What takes several lines, a traceback or a message of the
wire (given as `extra={"detail": text}`), is indented behind a bar, so that no part of it can pass
for a line of the log.
"""

import json
import logging
import queue
import re
import threading
import time
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

# Lines that may wait for the disk; about a second of a very busy log.
QUEUE_LIMIT = 20_000
# Characters of one line, before the rest of it is cut off; longer than any honest line.
LINE_LIMIT = 4096
# Characters of a Call-ID that stand before a line: a longer one must not push out the line itself.
CALL_ID_LIMIT = 256
# Seconds that the last lines have to reach the disk when the server stops.
FLUSH_TIMEOUT = 5.0

# What does not end the log: a full disk may have room again, and so may the memory.
_PASSING = (OSError, ValueError, MemoryError)

# Seconds between two writes; what is logged meanwhile goes out together.
_WRITE_INTERVAL = 0.02

_PREFIX_WIDTH = 10  # columns, as wide as "conference"
_SERVER_PREFIX = "sylk"
_APPLICATIONS = "sylk.applications"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

# C0, DEL and C1 controls; line and paragraph separators; what turns the direction of text;
# zero-width marks; and surrogates, which stand for bytes that were not UTF-8.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)

_call_id: ContextVar[str] = ContextVar("sylk_call_id", default="")


def _escape_match(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that surrogateescape brought through
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def escape(text: str) -> str:
    """Return `text` with every character that could forge a line or drive a terminal escaped."""
    return _UNSAFE.sub(_escape_match, text)


class LoggingCall:
    """Puts the Call-ID before every line that is logged inside, in tasks begun inside too."""

    __slots__ = ("_call_id", "_token")

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id[:CALL_ID_LIMIT]

    def __enter__(self) -> None:
        self._token = _call_id.set(self._call_id)

    def __exit__(self, *_: object) -> None:
        _call_id.reset(self._token)


class ApplicationLogger(logging.LoggerAdapter[logging.Logger]):
    """The logger of one application: each of its lines carries the application's name."""

    def __init__(self, application: str) -> None:
        super().__init__(logging.getLogger(f"{_APPLICATIONS}.{application}"))
        self.application = application

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the application's name to what is logged."""
        kwargs["extra"] = {**(kwargs.get("extra") or {}), "application": self.application}
        return msg, kwargs


class LineFormatter(logging.Formatter):
    """Makes the one line, and only it, of a record."""

    def __init__(self, worker: int | None = None) -> None:
        super().__init__(datefmt="%Y-%m-%d %H:%M:%S")
        self._mark = "" if worker is None else f"/{worker}"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and behind a bar the traceback or detail where there is one."""
        prefix = getattr(record, "application", _SERVER_PREFIX) + self._mark
        call_id = _call_id.get()
        text = f"[{call_id}] {record.getMessage()}" if call_id else record.getMessage()
        if len(text) > LINE_LIMIT:
            text = f"{text[:LINE_LIMIT]}… ({len(text) - LINE_LIMIT} characters more)"
        line = (
            f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03d} "
            f"{record.levelname:<8}{escape(prefix):<{_PREFIX_WIDTH}}  {escape(text)}"
        )
        details = self.formatException(record.exc_info) if record.exc_info else ""
        if record.stack_info:
            details += f"\n{record.stack_info}"
        details += getattr(record, "detail", "")
        return "\n".join([line, *(f"    | {escape(part)}" for part in _lines(details))])


class JsonFormatter(logging.Formatter):
    """Makes one JSON object, on one line, of a record; all of it is ASCII."""

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """Return the object: time in UTC, level, source, message, and what else there is."""
        moment = datetime.fromtimestamp(record.created, UTC)
        message = record.getMessage()
        values: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "source": getattr(record, "application", _SERVER_PREFIX),
            "worker": self._worker,
            "logger": record.name,
            "call_id": _call_id.get() or None,
            "message": message[:LINE_LIMIT],
            "cut": max(len(message) - LINE_LIMIT, 0) or None,
            "detail": getattr(record, "detail", None),
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return json.dumps({name: value for name, value in values.items() if value is not None})


LogFormat = Literal["text", "json"]


def _formatter(log_format: LogFormat, worker: int | None) -> logging.Formatter:
    return JsonFormatter(worker) if log_format == "json" else LineFormatter(worker)


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


class _QueueHandler(logging.Handler):
    """Formats in the caller's context, which knows the Call-ID, and never waits."""

    def __init__(self, lines: "queue.Queue[str | None]") -> None:
        super().__init__()
        self._lines = lines
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a wrong format string is shown by logging's own means
            self.handleError(record)
            return
        try:
            if self._lost:
                self._lines.put_nowait(self._format_lost())
                self._lost = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def _format_lost(self) -> str:
        return self.format(
            logging.makeLogRecord(
                {
                    "levelno": logging.WARNING,
                    "levelname": "WARNING",
                    "msg": "%d lines before this one were lost: the log is written too slowly",
                    "args": (self._lost,),
                }
            )
        )


def _write_lines(lines: "queue.Queue[str | None]", stream: TextIO) -> None:
    """Write what is queued until None comes; a line that cannot be written is dropped.

    A full disk may have room again later, so no failure ends the log.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    ended = False
    while not ended:
        batch = [lines.get()]
        # While the thread sleeps nothing wakes it: a wake-up for each line of a busy log would
        # make the loop wait for the interpreter each time.
        with suppress(queue.Empty):
            while True:
                batch.append(lines.get_nowait())
        ended = None in batch
        for line in batch:
            if line is not None:
                # What the stream's encoding lacks becomes an escape too.
                with suppress(*_PASSING):
                    writable = line.encode(encoding, "backslashreplace").decode(encoding)
                    stream.write(f"{writable}\n")
        with suppress(*_PASSING):
            stream.flush()
        if not ended:
            time.sleep(_WRITE_INTERVAL)


def set_log_level(level: str) -> None:
    """Log at `level` or above from now on; a word as in the settings ("info")."""
    logging.getLogger().setLevel(level.upper())


def set_application_log_level(application: str, level: str | None) -> None:
    """Log what this application says at `level` or above; None: as all others."""
    named = logging.getLogger(f"{_APPLICATIONS}.{application}")
    named.setLevel(logging.NOTSET if level is None else level.upper())


def log_level() -> str:
    """Return the level from which on is logged, as the settings write it."""
    return logging.getLevelName(logging.getLogger().level).lower()


def application_log_level(application: str) -> str | None:
    """Return the level of an application that has one of its own."""
    level = logging.getLogger(f"{_APPLICATIONS}.{application}").level
    return None if level == logging.NOTSET else logging.getLevelName(level).lower()


@contextmanager
def configure_logging(
    level: str,
    stream: TextIO,
    queue_limit: int = QUEUE_LIMIT,
    log_format: LogFormat = "text",
    worker: int | None = None,
) -> Generator[None, None, None]:
    """Send what is logged at `level` or above to `stream` while inside; flush at the end.

    `level` is a word as in the settings ("info"). The last lines have FLUSH_TIMEOUT seconds.
    `worker` is whose lines they are, where several write to one stream.
    """
    lines: queue.Queue[str | None] = queue.Queue(queue_limit)
    handler = _QueueHandler(lines)
    handler.setFormatter(_formatter(log_format, worker))
    writer = threading.Thread(
        target=_write_lines, args=(lines, stream), name="sylk-log", daemon=True
    )
    writer.start()
    root = logging.getLogger()
    level_before = root.level
    set_log_level(level)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level_before)
        # Where the disk has hung, the thread is a daemon and ends with the process.
        with suppress(queue.Full):
            lines.put(None, timeout=FLUSH_TIMEOUT)
            writer.join(FLUSH_TIMEOUT)
