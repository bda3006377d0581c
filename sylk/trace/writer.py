"""Brings traced messages to the disk from a thread of its own, behind a bounded queue.

The server's loop only puts a message into the queue. A disk that is slow, full or gone costs
messages of the trace and nothing else; how many is told in the readable file, in the log and by
`sylk-server trace status`.

The queue has one end in each thread and no lock: each side adds up what it has put in or taken
out, and only reads what the other has added up.
"""

import logging
import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sylk.trace.files import RotatingFile
from sylk.trace.message import Privacy, TracedMessage
from sylk.trace.pcap import FILE_HEADER, render_packet
from sylk.trace.text import render_notice, render_text

logger = logging.getLogger("sylk.trace")

QUEUE_LIMIT = 32 * 1024 * 1024
"""Octets of messages that may wait for the disk."""

TEXT_FILE = "messages.log"
PCAP_FILE = "messages.pcap"

_LEGEND = b"--- Messages as they were on the wire. \\xHH is an octet that is no text one can see.\n"

_MESSAGE_COST = 512
"""What a message in the queue takes besides its octets, about."""

_WRITE_INTERVAL = 0.02
"""Seconds between two writes: a wake-up for each message would make the loop wait each time."""

_MAX_BATCH = 128
"""Messages that are rendered before anything is written."""


@dataclass(slots=True)
class Notice:
    """A line about the trace itself; `written` is set once it has been tried."""

    text: str
    time: float
    with_pcap: bool = False
    """Whether the capture file is to be there from now on."""
    written: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """Where messages are written, and how."""

    directory: Path
    max_file_size: int = 10 * 1024 * 1024
    max_files: int = 10
    """Of each form, the one that is being written too."""
    privacy: Privacy = field(default_factory=Privacy)

    @property
    def text_file(self) -> Path:
        """The readable file that is being written."""
        return self.directory.absolute() / TEXT_FILE

    @property
    def pcap_file(self) -> Path:
        """The capture file that is being written."""
        return self.directory.absolute() / PCAP_FILE


class TraceWriter:
    """The files of one trace, and the thread that writes them."""

    def __init__(self, output: Output, queue_limit: int = QUEUE_LIMIT) -> None:
        self._privacy = output.privacy
        self._text = RotatingFile(
            output.text_file, _LEGEND, max_size=output.max_file_size, max_files=output.max_files
        )
        self._pcap = RotatingFile(
            output.pcap_file, FILE_HEADER, max_size=output.max_file_size, max_files=output.max_files
        )
        self._queue: queue.SimpleQueue[TracedMessage | Notice | None] = queue.SimpleQueue()
        self._limit = queue_limit
        self._put = 0
        self._taken = 0
        self._refused = 0
        self._unwritten = 0
        self._told = 0
        self.fault = ""
        """Why nothing can be written at this time; "" when all is well."""
        self._thread = threading.Thread(target=self._run, name="sylk-trace", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many messages did not get into the readable file."""
        return self._refused + self._unwritten

    @property
    def is_running(self) -> bool:
        """Whether the thread is there still."""
        return self._thread.is_alive()

    def put(self, message: TracedMessage) -> None:
        """Have a message written; it is lost when too much waits already. Never waits."""
        cost = len(message.octets) + _MESSAGE_COST
        if self._put - self._taken + cost > self._limit:
            self._refused += 1
            return
        self._put += cost
        self._queue.put(message)

    def notify(self, text: str, *, with_pcap: bool = False) -> Notice:
        """Have a line about the trace itself written, and return what tells when it is."""
        notice = Notice(text, time.time(), with_pcap)
        self._queue.put(notice)
        return notice

    def finish(self) -> None:
        """Let the thread write what waits and end; does not wait for that."""
        self._queue.put(None)

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread, `timeout` seconds at most, and tell whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # In the thread

    def _run(self) -> None:
        ended = False
        while not ended:
            batch: list[TracedMessage | Notice] = []
            item = self._queue.get()
            with suppress(queue.Empty):
                while item is not None:
                    batch.append(item)
                    if len(batch) == _MAX_BATCH:
                        break
                    item = self._queue.get_nowait()
            ended = item is None
            try:
                self._write(batch)
            except Exception:
                logger.exception("writing a trace failed")
            for one in batch:
                if isinstance(one, Notice):
                    one.written.set()
                else:
                    self._taken += len(one.octets) + _MESSAGE_COST
            if not ended:
                time.sleep(_WRITE_INTERVAL)
        for file in (self._text, self._pcap):
            with suppress(OSError):
                file.close()

    def _write(self, batch: list[TracedMessage | Notice]) -> None:
        texts: list[bytes] = []
        packets: list[bytes] = []
        with_pcap = False
        for item in batch:
            if isinstance(item, Notice):
                texts.append(render_notice(item.time, item.text).encode())
                with_pcap = with_pcap or item.with_pcap
            else:
                shown = self._privacy.show(item)
                texts.append(render_text(item, shown).encode())
                if item.as_pcap:
                    packets.append(render_packet(item, shown))
        if not batch and self.lost == self._told:
            return
        faults = [self._append_texts(batch, texts)]
        if with_pcap or packets:
            faults.append(_append(self._pcap, packets)[1])
        self._tell(next(filter(None, faults), ""))

    def _append_texts(self, batch: list[TracedMessage | Notice], texts: list[bytes]) -> str:
        """Write the readable form, the count of what was lost before it, and return the fault."""
        lost = self.lost
        if lost > self._told:
            line = render_notice(time.time(), f"lost before here: {lost - self._told} messages")
            texts = [line.encode(), *texts]
        written, fault = _append(self._text, texts)
        if lost > self._told and written:
            logger.warning(
                "messages of the trace that are lost, as the disk was too slow, or full: %d",
                lost - self._told,
            )
            self._told = lost
        missing = len(texts) - written
        left = batch[max(len(batch) - missing, 0) :] if missing else []
        self._unwritten += sum(isinstance(item, TracedMessage) for item in left)
        return fault

    def _tell(self, fault: str) -> None:
        """Log when writing begins to fail, and when it is well again."""
        if fault and not self.fault:
            logger.warning("the trace cannot be written, messages of it are lost: %s", fault)
        elif self.fault and not fault:
            logger.info("the trace is written again")
        self.fault = fault


def _append(file: RotatingFile, blocks: list[bytes]) -> tuple[int, str]:
    written, error = file.append(blocks)
    return written, "" if error is None else f"{file.path}: {error.strerror}"
