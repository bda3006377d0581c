"""The thread that writes: it never holds up who puts, and tells what was lost."""

import logging
import threading
from pathlib import Path

import pytest

from sylk.trace.message import Privacy, TracedMessage
from sylk.trace.pcap import FILE_HEADER, render_packet
from sylk.trace.text import render_text
from sylk.trace.writer import Output, TraceWriter
from tests.trace.messages import INVITE, traced
from tests.trace.test_files import largest_file

PATIENCE = 10.0


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(directory=tmp_path / "traces")


def wait_written(writer: TraceWriter, text: str = "mark", *, with_pcap: bool = False) -> None:
    """Wait until all that was put before is on the disk, or given up."""
    assert writer.notify(text, with_pcap=with_pcap).written.wait(PATIENCE)


def finish(writer: TraceWriter) -> None:
    writer.finish()
    assert writer.join(PATIENCE)
    assert not writer.is_running


def messages_in(text: str) -> list[int]:
    """Return the numbers of the messages in the readable form."""
    return [int(line[1:].split()[0]) for line in text.split("\n") if line.startswith("#")]


def test_both_forms_hold_what_was_put(output: Output) -> None:
    writer = TraceWriter(output)
    first, second = traced(number=1), traced(number=2, as_pcap=False)
    writer.put(first)
    writer.put(second)
    finish(writer)
    legend, _, text = output.text_file.read_text(encoding="utf-8").partition("\n")
    assert legend.startswith("--- ")
    assert text == render_text(first, INVITE) + render_text(second, INVITE)
    assert output.pcap_file.read_bytes() == FILE_HEADER + render_packet(first, INVITE)
    assert (writer.lost, writer.fault) == (0, "")


def test_the_capture_file_is_there_when_it_is_wanted_and_not_before(output: Output) -> None:
    writer = TraceWriter(output)
    wait_written(writer, "user:alice\n#1 forged")
    assert output.text_file.read_text(encoding="utf-8").endswith("Z user:alice\\x0a#1 forged\n")
    assert not output.pcap_file.exists()
    wait_written(writer, with_pcap=True)
    assert output.pcap_file.read_bytes() == FILE_HEADER
    finish(writer)


def test_bodies_and_credentials_are_kept_from_both_forms(tmp_path: Path) -> None:
    octets = INVITE.replace(b"CSeq", b'Authorization: Digest response="secret"\r\nCSeq')
    private = Output(directory=tmp_path, privacy=Privacy(with_bodies=False))
    writer = TraceWriter(private)
    writer.put(traced(octets))
    finish(writer)
    for file in (private.text_file, private.pcap_file):
        content = file.read_bytes()
        assert b"a84b4c76e66710" in content
        assert b"secret" not in content
        assert b"v=0" not in content


class Stuck(Privacy):
    """Keeps the thread that writes from going on until it is let, as a disk does that hangs."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "let_go", threading.Event())

    let_go: threading.Event

    def show(self, message: TracedMessage) -> bytes:
        assert self.let_go.wait(PATIENCE)
        return super().show(message)


def test_a_disk_that_hangs_costs_messages_and_holds_nobody_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Stuck()
    stuck = Output(directory=tmp_path, privacy=disk)
    room = 300
    writer = TraceWriter(stuck, queue_limit=room * (len(INVITE) + 512))
    for number in range(1, room + 81):
        writer.put(traced(number=number, as_pcap=False))
    assert writer.lost == 80
    writer.finish()
    assert not writer.join(0.01)
    disk.let_go.set()
    assert writer.join(PATIENCE)
    text = stuck.text_file.read_text(encoding="utf-8")
    assert messages_in(text) == list(range(1, room + 1))
    assert text.count(" lost before here: 80 messages\n") == 1
    assert caplog.messages == [
        "messages of the trace that are lost, as the disk was too slow, or full: 80"
    ]


def test_what_was_lost_is_told_though_nothing_follows(output: Output) -> None:
    writer = TraceWriter(output, queue_limit=10)
    writer.put(traced())
    finish(writer)
    assert output.text_file.read_text("utf-8").endswith("Z lost before here: 1 messages\n")


def test_a_full_disk_is_told_once_and_what_was_lost_when_there_is_room(
    output: Output, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sylk.trace")
    writer = TraceWriter(output)
    wait_written(writer)
    with largest_file(output.text_file.stat().st_size + 10):
        for number in (1, 2, 3):
            writer.put(traced(number=number, as_pcap=False))
            wait_written(writer)
        assert "File too large" in writer.fault
        assert writer.lost == 3
    writer.put(traced(number=4, as_pcap=False))
    finish(writer)
    text = output.text_file.read_text(encoding="utf-8")
    assert "lost before here: 3 messages\n#4 " in text
    assert messages_in(text) == [4]
    assert writer.fault == ""
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    first, second, third = caplog.messages
    assert first.startswith("the trace cannot be written, messages of it are lost: ")
    assert str(output.text_file) in first
    assert second == "messages of the trace that are lost, as the disk was too slow, or full: 3"
    assert third == "the trace is written again"


def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    writer = TraceWriter(Output(directory=tmp_path / "file" / "traces"))
    wait_written(writer)
    assert "Not a directory" in writer.fault
    finish(writer)


def test_a_capture_file_on_a_full_disk_stays_one_that_can_be_read(output: Output) -> None:
    writer = TraceWriter(output)
    wait_written(writer, with_pcap=True)
    one = len(render_packet(traced(), INVITE))
    with largest_file(len(FILE_HEADER) + one + 100):
        for number in (1, 2, 3):
            writer.put(traced(number=number))
            wait_written(writer)
    writer.put(traced(number=4))
    finish(writer)
    assert output.pcap_file.read_bytes() == FILE_HEADER + 2 * render_packet(traced(), INVITE)


def test_a_message_that_cannot_be_rendered_is_logged_and_ends_nothing(
    output: Output, caplog: pytest.LogCaptureFixture
) -> None:
    writer = TraceWriter(output)
    writer.put(traced(remote=("no address", 1)))
    wait_written(writer)
    writer.put(traced(number=2))
    finish(writer)
    assert caplog.messages == ["writing a trace failed"]
    assert messages_in(output.text_file.read_text(encoding="utf-8"))[-1] == 2
